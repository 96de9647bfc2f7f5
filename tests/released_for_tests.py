"""Two small released networks and their ensemble, made from trainings of a second."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest

from autodl.data.load import load_split
from autodl.jobs.release import publish_ensemble as ensemble_module
from autodl.jobs.release.publish import publish
from autodl.jobs.train.final_test import measure_once
from autodl.jobs.train.run import retrain
from autodl.recipes.config import load_train
from autodl.trained.folder import load_trained


@pytest.fixture(scope="session")
def models(small_training, tmp_path_factory):
    """A folder ``models`` with the networks ``tiny_a`` and ``tiny_b`` and an ensemble."""
    root = tmp_path_factory.mktemp("release")
    other = load_train(small_training.config_file, ["Global.seed=4", "Evaluation={mirrored: true}"])
    retrain(other, small_training.architecture, root / "b")
    shutil.copytree(small_training.folder, root / "a")
    measure_once(root / "a")
    folder = root / "models"
    published = {
        name: publish(root / name, folder / f"tiny_{name}", found_by="By hand.", repetitions=0)
        for name in ("a", "b")
    }
    made = ensemble_module.publish_ensemble(["tiny_a", "tiny_b"], folder)
    return SimpleNamespace(folder=folder, training=root, published=published, ensemble=made)


@pytest.fixture(scope="session")
def held_out(models):
    """The pictures that neither of them was trained on."""
    config, _, _ = load_trained(models.training / "a")
    return load_split(config.data).held_out


@pytest.fixture
def shipped(models, monkeypatch):
    """As if these were the networks that ship with the project."""
    from autodl.release import ensemble, evaluation, network

    for module in (ensemble, evaluation, network):
        monkeypatch.setattr(
            module, "resource", lambda *parts: models.folder.parent.joinpath(*parts)
        )
    return models
