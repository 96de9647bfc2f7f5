"""Sections Objectives and Fidelity, reuse and cache: what is refused, and what identifies a run."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from autodl.config.reading import RawConfig
from autodl.config.sections import NoOptions
from autodl.errors import AutoDLError, ConfigError, DataError, UnknownNameError
from autodl.jobs.search import parts as assemble
from autodl.jobs.search.parts import (
    load_search,
    make_costs,
    make_limits,
    make_rule,
    make_space,
    register,
)
from autodl.jobs.search.run import run_search
from autodl.jobs.search.tables import check_latency_table
from autodl.objectives.latency.machine import this_machine
from autodl.objectives.latency.table import LatencyTable
from autodl.runs.folder import TRIALS
from autodl.runs.store import TrialStore
from autodl.search.config import PLAN_COSTS, resolve_search, told_by_training
from autodl.search.evaluate import StagedEvaluator
from autodl.search.fidelity.halving import AsynchronousSuccessiveHalving
from autodl.search.fidelity.median import MedianRule
from autodl.search.objectives import ObjectiveEvaluator
from autodl.system.files import checksum
from autodl.trial import Evaluation

DEMO, QUICK = "search/cell-demo.yaml", "search/cell-agent-tokens.yaml"
RANDOM = ["Strategy={name: RandomSearch}"]
SMALL_PARAMETERS = "Objectives={limits: {parameters: 5}}"


def refused(config, *overrides):
    with pytest.raises(AutoDLError) as caught:
        load_search(config, overrides)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    "overrides, wanted",
    [
        (["Objectives={minimise: [macz]}"], "names 'macz'. Did you mean 'macs'? Known: parameters"),
        (["Objectives={reward: {watts: {target: 3}}}"], "Objectives names 'watts'. Known: param"),
        (["Objectives={limits: {latency_ms: 3}}"], "latency_ms but no latency_table; make one by"),
        (["Objectives={minimise: [latency_ms]}"], "latency_ms but no latency_table"),
        (
            ["Objectives={minimise: [training_ms]}"],
            "training_ms but no training_table; make one by autodl latency measure --training",
        ),
        (
            ["Objectives={limits: {seconds: 60}}"],
            "limits names 'seconds', which is not known before training; known are parameters",
        ),
        (["Objectives={limits: {parameters: 0}}"], "Objectives.limits.parameters: "),
        (["Objectives={limits: {parameters: -3}}"], "Objectives.limits.parameters: "),
        (["Objectives={limits: {parameters: many}}"], "Objectives.limits.parameters: "),
        (["Objectives={reward: {macs: {target: 0}}}"], "Objectives.reward.macs.target: "),
        (["Objectives={reward: {macs: {target: 1, exponent: 1}}}"], "reward.macs.exponent: "),
        (["Objectives={reward: {macs: {}}}"], "Objectives.reward.macs.target"),
        (["Objectives={minimize: [macs]}"], "Objectives.minimize. Did you mean 'minimise'?"),
        (["Fidelity={name: Halving}"], "unknown Fidelity.name 'Halving'."),
        (["Fidelity={reduction: 1}"], "Fidelity.reduction: "),
        (["Fidelity={least_epochs: 0}"], "Fidelity.least_epochs: "),
        (["Fidelity={name: MedianRule, reduction: 3}"], "unknown key Fidelity.reduction"),
        (["Fidelity={name: MedianRule, least_trials: 0}"], "Fidelity.least_trials: "),
        (["Fidelity=5"], "Fidelity is a section of keys, got 5"),
        (["Search.reuse=false", "Search.cache=[runs/a]"], "Search.cache is of no use with"),
    ],
)
def test_a_mistake_is_named(overrides, wanted):
    assert wanted in refused(DEMO, *overrides)


def test_trials_that_a_clock_ends_have_no_pictures_that_grow():
    grow = "Space.first_sizes=[null,16]"
    said = refused("search/stages.yaml", grow, "Train.max_seconds=9")
    assert "Train.max_seconds=9 may end a trial before its pictures have their full size" in said
    load_search("search/stages.yaml", ["Train.max_seconds=9"])
    load_search("search/stages.yaml", [grow])
    said = refused("search/stages.yaml", "Train.first_size=16", "Train.max_seconds=9")
    assert said.endswith("leave it out, or Train.first_size")


def test_evaluators_that_do_not_train_may_tell_of_anything():
    config = load_search(QUICK, ["Objectives={minimise: [watts]}"])
    assert config.objectives.names == ("watts",)


def test_what_training_tells_is_known():
    config = load_search(
        DEMO,
        [
            "Objectives={minimise: [held_out_loss, epochs]}",
            "Train={epochs: 1, batch_size: 10}",
            "Data.train=50",
        ],
    )
    architecture = make_space(config).sample(assemble.np.random.default_rng(0))
    evaluator = assemble.make_evaluator(config)
    metrics = evaluator(architecture, assemble.np.random.default_rng(0)).metrics
    assert {*metrics, "latency_ms", "training_ms"} == {
        *PLAN_COSTS,
        *told_by_training("cifar10-mini"),
        "accuracy",
    }


def test_of_errors_training_tells_both_parts_and_no_accuracy():
    told = told_by_training("NextValue")
    assert {"train_absolute_error", "held_out_absolute_error"} <= {*told}
    assert "train_accuracy" not in told


def test_a_plugin_that_trains_may_tell_of_anything(told):
    register("Evaluator", "Trains", NoOptions, Told, trains=True)
    load_search(DEMO, ["Evaluator={name: Trains}", "Objectives={minimise: [watts]}"])


def test_sections_that_are_not_there_are_not_there():
    plain = load_search(DEMO).to_plain()
    assert {"Objectives", "Fidelity"}.isdisjoint(plain)
    assert load_search(DEMO, ["Objectives={}"]).to_plain() == plain
    assert load_search(DEMO, ["Fidelity=null"]).fidelity is None


@pytest.mark.parametrize(
    "overrides",
    [
        ["Fidelity={least_epochs: 2}"],
        ["Fidelity={name: MedianRule, interval: 2}"],
        ["Objectives={minimise: [macs], limits: {macs: 3e6}, reward: {parameters: {target: 1e4}}}"],
        ["Search.cache=[runs/a, runs/b]", "Search.reuse=true"],
    ],
)
def test_a_stored_config_is_a_config_of_the_same_run(overrides):
    config = load_search(DEMO, overrides)
    assert resolve_search(RawConfig(config.to_plain())) == config


@pytest.mark.parametrize(
    "override, same_run, same_work",
    [
        ("Search.reuse=false", True, True),
        ("Search.cache=[runs/a]", True, True),
        ("Search.max_trials=7", True, True),
        ("Global.device=gpu", True, True),
        ("Global.seed=5", False, True),
        ("Strategy={name: RandomSearch}", False, True),
        ("Space.operations=[conv_1x1, conv_3x3]", False, True),
        ("Fidelity={name: MedianRule}", False, True),
        ("Objectives={limits: {macs: 3e6}}", True, True),
        ("Objectives={reward: {macs: {target: 3e6}}}", False, False),
        ("Objectives={minimise: [macs]}", False, False),
        ("Network.width=8", False, False),
        ("Network.stem=halving", False, False),
        ("Network.shortcut=true", False, False),
        ("Train.epochs=7", False, False),
        ("Data.image_size=8", False, False),
        ("Evaluator={name: TokenCount}", False, False),
    ],
)
def test_what_makes_another_run_and_what_makes_another_result(override, same_run, same_work):
    plain, changed = load_search(DEMO), load_search(DEMO, [override])
    assert (changed.identity() == plain.identity()) == same_run
    assert (changed.work_identity() == plain.work_identity()) == same_work


def test_runs_from_before_an_option_of_the_network_have_the_same_identity():
    assert "stem" not in load_search(DEMO).identity()["Network"]
    assert load_search(DEMO).to_plain()["Network"]["stem"] == "plain"


def test_the_latency_table_counts_by_its_content(tmp_path):
    identities = []
    for folder, content in (("a", "1"), ("b", "1"), ("c", "2")):
        (tmp_path / folder).mkdir()
        table = tmp_path / folder / "table.json"
        table.write_text(content)
        config = load_search(
            DEMO, [f"Objectives={{minimise: [latency_ms], latency_table: {table}}}"]
        )
        identities.append((config.identity(), config.work_identity()))
    assert identities[0] == identities[1]
    assert identities[0][0] != identities[2][0]
    assert identities[0][1] != identities[2][1]
    assert "training_table" not in config.identity()["Objectives"]  # as earlier runs have it
    steps = load_search(
        DEMO, [f"Objectives={{minimise: [training_ms], training_table: {table}}}"]
    ).identity()["Objectives"]
    assert steps["training_table"] == checksum(table)
    assert steps["latency_table"] is None


# --- from sections to parts ---------------------------------------------------------------------


def test_rules_know_the_epochs_and_the_trials():
    assert make_rule(load_search(DEMO)) is None
    halving = make_rule(load_search(DEMO, ["Fidelity={least_epochs: 2}", "Train.epochs=20"]))
    assert isinstance(halving, AsynchronousSuccessiveHalving)
    assert halving.rungs == [2, 6, 18, 20]
    median = make_rule(load_search(DEMO, ["Fidelity={name: MedianRule, interval: 4}"]))
    assert isinstance(median, MedianRule)
    assert median.first_stage() == 4


@pytest.mark.parametrize(
    "config, overrides, wanted",
    [
        (QUICK, ["Fidelity={least_epochs: 1}"], "TokenCount cannot stop on the way; leave out"),
        (
            DEMO,
            ["Fidelity={least_epochs: 9}", "Train.epochs=4", "Global.device=cpu"],
            "Fidelity.least_epochs must be 1 to Train.epochs = 4, got 9",
        ),
        (
            QUICK,
            ["Objectives={minimise: [watts]}"],
            "Objectives names 'watts', which the evaluator does not tell; it tells accuracy",
        ),
        (QUICK, [SMALL_PARAMETERS], "Objectives.limits names parameters, which TokenCount cannot"),
    ],
)
def test_what_does_not_fit_is_refused_before_a_folder_is_made(tmp_path, config, overrides, wanted):
    with pytest.raises(ConfigError) as caught:
        run_search(load_search(config, overrides), tmp_path / "run")
    assert wanted in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_limit_that_nothing_meets_names_the_smallest_found(tmp_path, monkeypatch):
    monkeypatch.setattr("autodl.search.asking._ATTEMPTS", 100)  # counting costs takes milliseconds
    config = load_search(
        DEMO, [SMALL_PARAMETERS, *RANDOM, "Search.executor=inline", "Global.device=cpu"]
    )
    with pytest.raises(ConfigError, match=r"none of 200 architectures .* parameters <= 5 \(small"):
        run_search(config, tmp_path / "run")


def test_costs_are_those_of_the_plan():
    config = load_search(DEMO, ["Objectives={limits: {parameters: 1e5, macs: 1}}"])
    space, data = make_space(config), assemble.load_data(config)
    limits = make_limits(config, space, data)
    architecture = space.sample(assemble.np.random.default_rng(0))
    costs = make_costs(config, data)(architecture)
    assert set(costs) == {"parameters", "macs"}
    assert limits.excess(architecture) == {
        name: value for name, value in costs.items() if value > {"parameters": 1e5, "macs": 1}[name]
    }
    assert "macs" in limits.excess(architecture)
    assert make_limits(load_search(DEMO), space, data) is None


def test_limits_need_no_space_that_draws_and_no_luck_at_the_start(monkeypatch):
    config = load_search(DEMO, ["Objectives={limits: {macs: 5}}"])
    monkeypatch.setattr(
        assemble, "make_costs", lambda config, data: lambda number: {"macs": number}
    )
    assert make_limits(config, SimpleNamespace(), None).excess(6) == {"macs": 6}

    def costs(number):
        raise UnknownNameError("no layer 'X'")

    monkeypatch.setattr(assemble, "make_costs", lambda config, data: costs)
    sample = SimpleNamespace(sample=lambda rng: 4).sample
    assert make_limits(config, SimpleNamespace(sample=sample), None).sample is sample


@pytest.mark.parametrize(
    "executor, driver, measured, fits",
    [
        ("processes", "2", 1, True),
        ("processes", "2", 2, False),
        ("inline", "2", 1, False),
        ("inline", "2", 2, True),
    ],
)
def test_a_table_is_of_as_many_threads_as_trials_have(
    monkeypatch, executor, driver, measured, fits
):
    monkeypatch.setenv("OMP_NUM_THREADS", driver)
    machine = this_machine().model_copy(update={"threads": measured})
    table = LatencyTable.model_construct(machine=machine)
    monkeypatch.setattr(LatencyTable, "read", lambda path: table)
    given = [
        "Objectives={minimise: [latency_ms], latency_table: a.json}",
        f"Search.executor={executor}",
    ]
    if fits:
        check_latency_table(load_search(DEMO, given))
        return
    with pytest.raises(DataError, match=r"threads.*, set Objectives\.allow_foreign=true$"):
        check_latency_table(load_search(DEMO, given))
    check_latency_table(load_search(DEMO, [*given, "Objectives.allow_foreign=true"]))


class Told:
    """An evaluator of a plugin that knows its costs, in stages."""

    def costs(self, architecture):
        return {"watts": 8.0}

    def __call__(self, architecture, rng):
        return Evaluation(0.5)

    def stage(self, architecture, rng, stage):
        return Evaluation(0.5)


@pytest.fixture
def told(own_tables):
    register("Evaluator", "Told", NoOptions, Told)


def test_an_evaluator_may_tell_its_own_costs(told):
    config = load_search(
        QUICK, ["Evaluator={name: Told}", "Objectives={reward: {watts: {target: 4, exponent: -1}}}"]
    )
    evaluator = assemble.make_evaluator(config)
    assert isinstance(evaluator, ObjectiveEvaluator)
    assert isinstance(evaluator, StagedEvaluator)
    architecture = make_space(config).sample(assemble.np.random.default_rng(0))
    assert evaluator(architecture, None).reward == 0.25
    assert make_rule(replace(config, fidelity=load_search(DEMO, ["Fidelity={}"]).fidelity))


def test_a_cache_is_used_from_another_run(tmp_path):
    """The second run has another seed and strategy; all it can have is had."""
    space = ["Space={nodes: 1, operations: [conv_1x1, conv_3x3]}", "Search.executor=inline"]
    first = load_search(QUICK, [*space, "Strategy={name: ExhaustiveSearch}"])
    run_search(first, tmp_path / "first")
    second = load_search(
        QUICK,
        [
            *(*space, "Strategy={name: RandomSearch}", "Global.seed=4", "Search.max_trials=6"),
            *(f"Search.cache=[{tmp_path / 'first'}]", "Search.repeat=allowed"),
        ],
    )
    run_search(second, tmp_path / "second")
    store = TrialStore(tmp_path / "second" / TRIALS, read_only=True)
    reasons = [trial.reason for trial in store.trials()]
    store.close()
    assert len(reasons) == 6
    assert all(reason.startswith("result of trial ") for reason in reasons)
    assert any(reason.endswith(f"of {tmp_path / 'first'}") for reason in reasons)


def test_a_cache_of_other_work_leaves_no_folder_behind(tmp_path):
    run_search(
        load_search(
            QUICK,
            ["Search.executor=inline", "Search.max_trials=2", "Strategy={name: RandomSearch}"],
        ),
        tmp_path / "first",
    )
    other = load_search(
        QUICK,
        [
            "Evaluator.token=3",
            f"Search.cache=[{tmp_path / 'first'}]",
            "Strategy={name: RandomSearch}",
        ],
    )
    with pytest.raises(ConfigError, match=r"Search\.cache: nothing in .*first can be reused"):
        run_search(other, tmp_path / "second")
    assert not (tmp_path / "second").exists()


def test_a_network_with_nothing_to_search_for_is_refused():
    text = refused(DEMO, "Network={name: VGG16}")
    assert text.startswith("Network.name VGG16 has nothing to search for; train it by autodl train")


def test_another_rule_than_that_of_the_base_takes_none_of_its_options(tmp_path):
    """Every section that names a component drops the options of the one it replaces."""
    base = tmp_path / "base.yaml"
    base.write_text("Fidelity: {name: AsynchronousSuccessiveHalving, reduction: 4}\n")
    own = tmp_path / "own.yaml"
    own.write_text("_BASE_: base.yaml\nFidelity: {name: MedianRule, interval: 3}\n")
    rule = load_search(own).fidelity
    assert (rule.name, rule.options.interval) == ("MedianRule", 3)
    assert load_search(base, ["Fidelity.name=MedianRule"]).fidelity.name == "MedianRule"
