"""What the runs of a study are configured by."""

from __future__ import annotations

import pytest

from autodl.config.reading import RawConfig
from autodl.errors import ConfigError, StoreError
from autodl.studies.study import Planned, Study
from autodl.system.resources import shipped_configs

SEARCH = {
    "Strategy": {"name": "AutoDLAgent", "batch_size": 5},
    "Space": {"name": "CellSpace", "nodes": 3},
    "Evaluator": {"name": "TokenCount"},
}


def study(base=SEARCH, **values):
    return Study.resolve(RawConfig({**base, "Study": values}))


def test_a_variation_is_merged_as_a_file_is_with_its_base():
    own = study(
        vary={
            "agent": {},
            "slow": {"Strategy": {"learning_rate": 0.001}},
            "random": {"Strategy": {"name": "RandomSearch"}, "Space": {"nodes": 4}},
        },
        seeds=[5, 6],
    )
    assert [run.name for run in own.runs] == [
        *("agent-5", "slow-5", "random-5", "agent-6", "slow-6", "random-6"),
    ]
    slow = own.config(Planned("slow", 6))
    assert (slow.general.seed, slow.strategy.options.batch_size) == (6, 5)
    assert slow.strategy.options.learning_rate == 0.001
    random = own.config(Planned("random", 5))
    assert (random.strategy.name, random.space.options.nodes) == ("RandomSearch", 4)
    assert own.config(Planned("agent", 5)).space.options.nodes == 3  # the base stays as it is


def test_mistakes_in_a_variation_name_their_line(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(
        "_BASE_: search/cell-agent-tokens.yaml\nStudy:\n  vary:\n    a: {Space: {nods: 3}}\n"
    )
    with pytest.raises(ConfigError, match=r"study.yaml:4: unknown key Space.nods. Did you mean"):
        Study.load(path)


def test_training_follows_with_the_options_of_the_step():
    base = {**SEARCH, "Data": {"name": "cifar10-mini", "train": 60}, "Train": {"epochs": 3}}
    own = study(base, then={"train": {"Train": {"epochs": 7}, "Data": {"train": 80}}, "test": {}})
    training = own.training(Planned("run", 2))
    assert (training.train.epochs, training.data.train, training.general.seed) == (7, 80, 2)
    listed = study(base, then=["train", "test"]).training(Planned("run", 0))
    assert (listed.train.epochs, listed.data.train) == (3, 60)


COMPRESS = {"Compression": {"name": "BayesianBits"}, "FineTuning": {"epochs": 3}}
WAITING = {
    "name": "BitSearch",
    "average_bits": {"of": "bayesian", "value": "average_bits"},
    "least_bits": {"of": "bayesian", "value": "average_bits", "at_most": 2, "whole": True},
    "seconds": {"of": "bayesian", "value": "search_seconds", "times": 10},
}


def test_references_are_replaced_by_what_another_run_came_to():
    vary = {"bayesian": {}, "search": {"Compression": WAITING}}
    own = study(COMPRESS, job="compress", source="runs/{seed}", vary=vary)
    assert own.waits_for("search") == {"bayesian"}
    known = {"average_bits": 1.75, "search_seconds": 3.0}
    config = own.config(Planned("search", 1), None, lambda variation: known)
    found = config.compression.options
    assert (found.average_bits, found.least_bits, found.seconds) == (1.75, 1, 30.0)
    high = own.config(Planned("search", 1), None, lambda variation: {**known, "average_bits": 4.5})
    assert high.compression.options.least_bits == 2
    assert own.source(3) == "runs/3"
    with pytest.raises(StoreError, match="bayesian has no 'average_bits'; it has seconds"):
        own.config(Planned("search", 1), None, lambda variation: {"seconds": 1.0})


@pytest.mark.parametrize(
    "base, values, said",
    [
        ({**SEARCH, "Supernet": {}}, {}, "unknown section Supernet"),
        (SEARCH, {"then": ["rank"]}, "what can follow a search is again, train, test"),
        (SEARCH, {"job": "simulate", "then": ["test"]}, "what can follow a simulate is nothing"),
        (SEARCH, {"then": {"test": {"a": 1}}}, "then.test takes no options"),
        (COMPRESS, {"job": "compress"}, "Study.source is missing"),
        (
            COMPRESS,
            {"job": "compress", "source": "x", "vary": {"search": {"Compression": WAITING}}},
            "Study.vary.search refers to 'bayesian', which is no variation before it",
        ),
        (
            {},
            {"job": "supernet", "then": {"rank": {"architecture": 3}}},
            "Study.then.rank.architecture. Did you mean 'architectures'",
        ),
    ],
)
def test_mistakes(base, values, said):
    with pytest.raises(ConfigError, match=said):
        study(base, **values)


def test_a_variation_has_steps_of_its_own():
    then = {"again": {"top": 3}, "train": {"Train": {"epochs": 9}}, "test": {}}
    own = {"again": None, "train": {"Train": {"batch_size": 7}}}
    some = study(then=then, vary={"usual": {}, "own": {"then": own}}, control="usual")
    usual, changed = (Planned(name, 0) for name in ("usual", "own"))
    assert some.steps("usual") == then
    assert some.steps("own") == {"train": {"Train": {"epochs": 9, "batch_size": 7}}, "test": {}}
    assert some.again(usual)[0].top == 3
    assert [some.training(run).train.epochs for run in (usual, changed)] == [9, 9]
    assert some.training(changed).train.batch_size == 7 != some.training(usual).train.batch_size


@pytest.mark.parametrize(
    "variation, said",
    [
        ({"then": ["train"]}, "then has options by step"),
        ({"then": {"train": 3}}, r"then\.train is a mapping or null, got 3"),
        ({"then": {"rank": {}}}, r"vary\.own\.then names rank; what can follow a search"),
        ({"then": {"again": {"topp": 1}}}, r"own\.then\.again\.topp\. Did you mean 'top'"),
        ({"Stratgy": {}}, "unknown section Stratgy. Did you mean 'Strategy'"),
    ],
)
def test_mistakes_of_a_variation(variation, said):
    with pytest.raises(ConfigError, match=said):
        study(vary={"own": variation})


def test_half_of_the_seeds_are_left_where_the_others_tune():
    own = study(job="simulate", seeds=5, tune={"Strategy.batch_size": [2, 3]}, vary={"plain": {}})
    assert own.seeds == (2, 3, 4)
    tuned = own.config(Planned("tuned", 2), {"Strategy": {"batch_size": 3}})
    assert tuned.strategy.options.batch_size == 3


@pytest.mark.parametrize("name", shipped_configs("study"))
def test_every_shipped_study_is_valid(name):
    own = Study.load(name, ["Study.source=agent_0"])
    assert own.options.control in own.options.names
    assert Study.resolve(RawConfig(own.to_plain())).to_plain() == own.to_plain()
    if own.options.then.keys() & {"train", "rank"}:
        assert own.training(own.runs[0]).train.epochs > 0


TRAINED = {**SEARCH, "Data": {"name": "cifar10-mini", "train": 60}, "Train": {"epochs": 3}}


def test_the_best_are_trained_again_as_in_the_search_of_their_variation():
    wide = {"Train": {"epochs": 5}, "Space": {"nodes": 4}}
    own = study(TRAINED, vary={"wide": wide, "plain": {}}, then={"again": {"seeds": 2}})
    for variation, epochs in (("wide", 5), ("plain", 3)):
        options, trainings = own.again(Planned(variation, 7))
        assert options.seeds == len(trainings) == 2
        assert [training.train.epochs for training in trainings] == [epochs] * 2


@pytest.mark.parametrize(
    "then, message",
    [
        ("{train: {Train: {epoch: 20}}}", r"unknown key Train.epoch. Did you mean 'epochs'"),
        ("{test: {}}", "what is tested has to be trained; add train to Study.then"),
    ],
)
def test_mistakes_in_what_follows_are_said_before_anything_runs(tmp_path, then, message):
    path = tmp_path / "study.yaml"
    path.write_text(f"_BASE_: search/cell-agent.yaml\nStudy: {{then: {then}}}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        Study.load(path)


def test_a_variation_without_training_has_no_test():
    vary = {"plain": {}, "short": {"then": {"train": None}}}
    with pytest.raises(
        ConfigError, match=r"short: what is tested .*vary\.short\.then=\{test: null"
    ):
        study(TRAINED, vary=vary, then=["train", "test"])._check_together("short")


def test_known_architectures_are_not_trained_for_one_variation():
    vary = {"own": {"then": {"rank": {"epochs": 2}}}}
    base = {"Width": {"budget_macs": 1e6}, "Supernet": {}}
    with pytest.raises(ConfigError, match=r"own.then.rank: what is trained by itself serves all"):
        study(base, job="supernet", vary=vary)._check_together("own")
    assert study(base, job="supernet", vary={"own": {"then": {"rank": None}}}, then=["rank"])
