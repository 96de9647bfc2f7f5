"""Trainings and compressions as runs of a study."""

from __future__ import annotations

import json

import pytest

from autodl.config.reading import RawConfig
from autodl.errors import StoreError
from autodl.spaces.codec import save_architecture
from autodl.spaces.stage.architecture import ConvStage, StageArchitecture
from autodl.studies.reading import read_results
from autodl.studies.run import run_study
from autodl.studies.study import Study
from autodl.studies.table import study_table

TRAIN = {"epochs": 2, "batch_size": 40, "learning_rate": 0.01}
BAYESIAN = {"name": "BayesianBits", "truncation": 8, "interval": 3, "tolerance": 0.4}


def of_bayesian(value, **how):
    return {"of": "bayesian", "value": value, **how}


SEARCH = {
    "name": "BitSearch",
    "average_bits": of_bayesian("stored_bits"),
    "least_bits": of_bayesian("average_bits", at_most=2, whole=True),
    "seconds": of_bayesian("search_seconds", times=2),
    "rollouts": 2,
    "warm_up": 1,
    "updates": 1,
    "reward_pictures": 20,
}
FOUND = {
    "name": "FoundBits",
    "run": {"of": "search-2x", "value": "folder"},
    "seconds": of_bayesian("search_seconds"),
}


def bits(source, **changes):
    return {
        "Global": {"device": "cpu"},
        "Compression": {**BAYESIAN, **changes},
        "Train": TRAIN,
        "FineTuning": {**TRAIN, "epochs": 4},
        "Study": {
            "job": "compress",
            "seeds": [0],
            "source": str(source),
            "control": "bayesian",
            "vary": {
                "bayesian": {"FineTuning": {"epochs": 2}},
                "uniform-2": {"Compression": {"name": "UniformBits", "bits": 2}},
                "search-2x": {"Compression": SEARCH},
                "search-1x": {"Compression": FOUND},
            },
        },
    }


def config_of(folder):
    return json.loads((folder / "run.json").read_text())["identity"]["Compression"]


def test_bits_by_one_training_uniform_and_searched_for(small_training, tmp_path):
    own = Study.resolve(RawConfig(bits(small_training.folder)))
    assert run_study(own, tmp_path / "study") == []
    values = {o.variation: o.values for o in read_results([tmp_path / "study"]).outcomes}
    assert list(values) == ["bayesian", "uniform-2", "search-2x", "search-1x"]
    average, stored = (values["bayesian"][name] for name in ("average_bits", "stored_bits"))
    for name in ("search-2x", "search-1x"):
        assert values[name]["stored_bits"] <= stored + 1e-9  # a codebook is larger than a grid
    assert config_of(tmp_path / "study" / "search-2x-0")["least_bits"] == min(2, int(average))
    assert values["uniform-2"]["average_bits"] == 2
    change = values["uniform-2"]["accuracy_after"] - values["uniform-2"]["accuracy_before"]
    assert values["uniform-2"]["change"] == pytest.approx(change)
    table = study_table(read_results([tmp_path / "study"]))
    run_study(own, tmp_path / "study")
    assert study_table(read_results([tmp_path / "study"])) == table
    moved = (tmp_path / "study").rename(tmp_path / "moved")
    run_study(own, moved)
    assert study_table(read_results([moved])) == table


def test_search_may_go_as_low_as_the_mixtures(small_training, tmp_path):
    """An average of 1 bit: the search's least of 2 would leave it nothing to give."""
    own = Study.resolve(RawConfig(bits(small_training.folder, tolerance=3.0)))
    run_study(own, tmp_path, only=["bayesian-0", "search-2x-0"])
    values = {o.variation: o.values for o in read_results([tmp_path]).outcomes}
    assert values["bayesian"]["average_bits"] < 2
    assert config_of(tmp_path / "search-2x-0")["least_bits"] == 1
    assert values["search-2x"]["stored_bits"] <= values["bayesian"]["stored_bits"] + 1e-9


def test_trainings_of_forms(tmp_path):
    base = {
        "Network": {"name": "ResNet", "depth": 8, "width": 2},
        "Data": {"name": "cifar10-mini", "image_size": 8, "train": 40, "held_out": 40},
        "Train": {"epochs": 1, "batch_size": 20, "pad_crop": 1},
        "Evaluation": {"mirrored": True, "six_views": True},
        "Study": {
            "job": "train",
            "seeds": [0, 1],
            "vary": {"plain": {}, "acb": {"Train": {"branches": "acb"}}},
            "then": ["test"],
        },
    }
    run_study(Study.resolve(RawConfig(base)), tmp_path)
    table = study_table(read_results([tmp_path]))
    for row in table["variations"]:
        for name in ("test_accuracy", "test_accuracy_six_views"):
            assert row["values"][name]["n"] == 2
        assert row["values"]["parameters"]["sd"] == 0


def test_a_training_of_another_architecture_is_refused(tmp_path):
    def own(kernel):
        stage = ConvStage(8, convolutions=1, kernel=kernel)
        save_architecture(StageArchitecture((stage,)), tmp_path / f"{kernel}.json")
        base = {
            "Network": {"name": "StageNetwork"},
            "Data": {"name": "cifar10-mini", "image_size": 8, "train": 40, "held_out": 40},
            "Train": {"epochs": 1, "batch_size": 20, "pad_crop": 1},
            "Study": {"job": "train", "seeds": [0], "source": str(tmp_path / f"{kernel}.json")},
        }
        return Study.resolve(RawConfig(base))

    first, other = own(3), own(5)
    assert run_study(first, tmp_path / "study") == []
    assert run_study(first, tmp_path / "study") == []
    with pytest.raises(StoreError, match=r"run-0 holds a training of another architecture; choose"):
        run_study(other, tmp_path / "study")
    (tmp_path / "3.json").unlink()
    assert run_study(first, tmp_path / "study") == []  # nothing to compare with
