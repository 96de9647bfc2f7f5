"""The configuration of a training: what is refused, and what identifies it."""

from __future__ import annotations

import pytest

from autodl.config.reading import RawConfig
from autodl.errors import ConfigError
from autodl.recipes.config import load_train, resolve_train
from autodl.system.resources import resource

STUDY = {  # form of the branches by config
    "cifar-quick": "none",
    "cifar-quick-acb": "acb",
    "cifar-quick-dbb": "dbb",
    "repvgg-plain": "none",
    "repvgg": "repvgg",
}


def train(**section):
    return resolve_train(RawConfig({"Train": section}))


def test_trainings_older_than_branches_keep_their_identity():
    """Keys at their defaults are left out, so a checkpoint of an older version goes on."""
    plain = train().identity()["Train"]
    assert "branches" not in plain
    assert "branch_scale" not in plain
    assert train(branches="dbb").identity()["Train"]["branches"] == "dbb"
    scaled = train(branches="acb", branch_scale=0.5).identity()["Train"]
    assert (scaled["branches"], scaled["branch_scale"]) == ("acb", 0.5)
    assert train().to_plain()["Train"]["branches"] == "none"


def test_what_is_refused():
    with pytest.raises(ConfigError, match=r"branch_scale 0\.5 is for branches: acb, got none"):
        train(branch_scale=0.5)
    with pytest.raises(ConfigError, match=r"Train\.branches.*'none', 'acb', 'dbb'"):
        train(branches="abc")


@pytest.mark.parametrize("name", STUDY)
def test_the_configs_of_a_study_differ_in_branches_alone(name):
    config = load_train(f"train/{name}.yaml")
    plain = "repvgg-plain" if "repvgg" in name else "cifar-quick"
    mine, other = config.to_plain(), load_train(f"train/{plain}.yaml").to_plain()
    for values in (mine, other):
        del values["Train"]["branches"], values["Train"]["branch_scale"]
    assert mine == other
    assert config.train.branches == STUDY[name]


@pytest.mark.parametrize("name", sorted(p.name for p in resource("configs", "train").iterdir()))
def test_every_shipped_training_is_valid(name):
    load_train(f"train/{name}", ["Data.path=anywhere"])
