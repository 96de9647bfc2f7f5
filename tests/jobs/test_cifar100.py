"""From a search to a released network on files that are laid out as those of CIFAR-100."""

from __future__ import annotations

import numpy as np
from cifar_for_tests import cifar100_contents, write_cifar

from autodl.config.reading import RawConfig
from autodl.data.load import load_split
from autodl.jobs.release.publish import publish
from autodl.jobs.search.run import run_search
from autodl.jobs.train.final_test import measure_once
from autodl.jobs.train.run import best_of_run, retrain
from autodl.recipes.config import resolve_train
from autodl.release.network import load
from autodl.release.overview import overview
from autodl.search.config import resolve_search


def test_a_network_for_a_hundred_classes_is_searched_trained_tested_and_released(tmp_path):
    data = write_cifar(cifar100_contents(), tmp_path / "cifar-100-python")
    shared = {
        "Global": {"seed": 0, "device": "cpu"},
        "Network": {"name": "StageNetwork", "macs": 2e5},
        "Data": {"name": "cifar100", "path": str(data), "image_size": 12, "held_out": 100},
        "Train": {"recipe": "fast", "epochs": 1, "batch_size": 50},
    }
    search = {
        "Search": {"max_trials": 2, "executor": "inline"},
        "Strategy": {"name": "RandomSearch"},
        "Space": {"name": "StageSpace", "stages": 2, "forms": ["dense"], "first_sizes": [None]},
        "Evaluator": {"name": "TrainEvaluator"},
    }
    run_search(resolve_search(RawConfig({**shared, **search})), tmp_path / "search")
    ((_, best),) = best_of_run(tmp_path / "search", 1)
    six = {"Evaluation": {"mirrored": True, "six_views": True}}
    config = resolve_train(RawConfig({**shared, **six}))
    retrain(config, best, tmp_path / "training")
    tested = measure_once(tmp_path / "training")
    assert (tested["pictures"], len(tested["per_class"])) == (100, 100)
    made = publish(
        tmp_path / "training", tmp_path / "models" / "hundred", found_by="Chance.", repetitions=0
    )
    network = load("hundred", models=tmp_path / "models")
    held_out = load_split(config.data).held_out
    said = network.predict(held_out.images)
    assert said.probabilities.shape == (100, 100)
    assert network.classes[7] == "fine7"
    assert int((said.labels == held_out.labels).sum()) == made.metrics.held_out.right
    np.testing.assert_allclose(said.probabilities.sum(axis=1), 1, rtol=1e-12)  # float64
    assert "into 100 classes" in (made.folder / "card.md").read_text()
    assert "| `hundred` | Chance. |" in overview(tmp_path / "models")
