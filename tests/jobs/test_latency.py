"""From a config to a latency table, and checking it; two repetitions, speed is never asserted."""

from __future__ import annotations

import json

import numpy as np
import pytest

from autodl.errors import ConfigError, DataError
from autodl.jobs import latency as latency_measurement
from autodl.jobs.latency import Check, check_table, load_network, make_plans, measure_table
from autodl.jobs.search.parts import load_search, make_costs
from autodl.jobs.search.tables import check_latency_table
from autodl.networks.onednn import training_kernels
from autodl.objectives.latency.machine import this_machine
from autodl.objectives.latency.table import LatencyTable
from autodl.spaces.cell.space import CellSpace
from autodl.spaces.codec import decode_architecture, save_architecture
from autodl.tasks.load import load_task

TINY = """
Global: {seed: 0, device: cpu}
Space: {name: CellSpace, nodes: 3, operations: [conv_1x1, max_pool_3x3, skip_connect]}
Network: {width: 4, cells_per_stage: 1, stages: 2, bottleneck: 1}
Data: {name: cifar10, image_size: 8, classes: 4}
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("latency") / "tiny.yaml"
    path.write_text(TINY)
    return str(path)


@pytest.fixture(scope="module")
def table(config):
    return measure_table(config, repetitions=2, batch_size=2, networks=4)


def test_a_table_holds_what_it_was_measured_with(table, config) -> None:
    assert table.machine == this_machine()
    assert (table.batch_size, table.repetitions, table.config) == (2, 2, config)
    assert len(table.networks) == 4
    make_plan = make_plans(load_search(config))
    for network in table.networks:
        plan = make_plan(decode_architecture(network.architecture))
        # the sum is kept to five digits
        assert table.predict(plan) == pytest.approx(table.factor * network.sum_ms, rel=1e-4)


def test_every_network_of_the_space_can_be_predicted(table, config) -> None:
    make_plan = make_plans(load_search(config))
    space = CellSpace(3, ("conv_1x1", "max_pool_3x3", "skip_connect"))
    rng = np.random.default_rng(7)
    assert all(table.predict(make_plan(space.sample(rng))) > 0 for _ in range(300))


def test_a_table_survives_its_file(table, tmp_path) -> None:
    table.write(tmp_path / "table.json")
    read = LatencyTable.read(tmp_path / "table.json")
    assert read.model_dump() == table.model_dump()


def test_training_steps_are_a_cost_that_is_known_before_training(config, table, tmp_path) -> None:
    steps = measure_table(
        config, ["Train.batch_size=4"], mode="training", repetitions=2, networks=3
    )
    assert (steps.mode, steps.batch_size) == ("training", 4)
    assert steps.kernels == training_kernels()
    assert steps.records.keys() == table.records.keys()
    assert check_table(steps, config, networks=2).predicted.shape == (2,)
    steps.write(tmp_path / "steps.json")
    table.write(tmp_path / "calls.json")
    own = ["Data={name: cifar10-mini, image_size: 8, classes: 4}", "Search.executor=inline"]
    given = "Objectives={reward: {training_ms: {target: 9.0}}, training_table: %s}"
    searched = load_search(config, [*own, given % (tmp_path / "steps.json")])
    check_latency_table(searched)
    space = CellSpace(3, ("conv_1x1", "max_pool_3x3", "skip_connect"))
    architecture = space.sample(np.random.default_rng(0))
    costs = make_costs(searched, load_task(searched.data))(architecture)
    plan = make_plans(searched)(architecture)
    assert costs["training_ms"] == steps.predict(plan)
    assert costs.keys() == {"parameters", "macs", "training_ms"}
    wrong = load_search(config, [*own, given % (tmp_path / "calls.json")])
    with pytest.raises(
        DataError,
        match=r"training_table .*calls\.json is a table of inference.*"
        r"measure --training",
    ):
        check_latency_table(wrong)
    others = steps.model_copy(update={"kernels": "Paddle in float16"})
    others.write(tmp_path / "others.json")
    foreign = given % (tmp_path / "others.json")
    with pytest.raises(DataError, match="kernels of Paddle in float16, and trainings here"):
        check_latency_table(load_search(config, [*own, foreign]))
    allowed = foreign.replace("reward:", "allow_foreign: true, reward:")
    check_latency_table(load_search(config, [*own, allowed]))
    unknown = steps.model_copy(update={"kernels": None})  # as tables of earlier versions are
    unknown.write(tmp_path / "others.json")
    check_latency_table(load_search(config, [*own, foreign]))
    with pytest.raises(ConfigError, match="--batch-size must be at least 2, got 1"):
        measure_table(config, mode="training", batch_size=1)


def test_a_table_of_an_earlier_version_is_of_calls(table, tmp_path) -> None:
    plain = table.model_dump(mode="json")
    del plain["mode"]
    (tmp_path / "old.json").write_text(json.dumps(plain))
    assert LatencyTable.read(tmp_path / "old.json").mode == "inference"


def test_check_measures_other_networks(table, config, monkeypatch) -> None:
    drawn = []
    original = latency_measurement.distinct_networks

    def spy(space, make_plan, count, rng, known):
        drawn.extend(original(space, make_plan, count, rng, known))
        return drawn

    monkeypatch.setattr(latency_measurement, "distinct_networks", spy)
    result = check_table(table, config, networks=5)
    assert len(result.predicted) == len(result.measured) == 5
    stored = [network.architecture for network in table.networks]
    assert all(architecture.to_json() not in stored for architecture, _ in drawn)
    np.testing.assert_array_equal(result.predicted, [table.predict(plan) for _, plan in drawn])


def test_the_summary_against_numbers_by_hand() -> None:
    check = Check(
        predicted=np.array([1.1, 2.0, 3.0, 4.0, 10.0]),
        measured=np.array([1.0, 2.0, 4.0, 5.0, 8.0]),
        typical=4.0,
        disturbed=0.5,
    )
    summary = check.summary()
    assert summary == {
        "networks": 5,
        "fastest_ms": 1.0,
        "slowest_ms": 8.0,
        "median_error": pytest.approx(0.2),  # of 0.1, 0, 0.25, 0.2, 0.25
        "mean_error": pytest.approx(0.16),
        "error_of_90_percent": pytest.approx(0.25),
        "worst_error": pytest.approx(0.25),
        "bias": pytest.approx(0.0),
        "rank_correlation": pytest.approx(1.0),
        "median_error_of_a_constant": pytest.approx(0.5),  # of 3, 1, 0, 0.2, 0.5
        "disturbed": 0.5,
    }
    assert json.loads(json.dumps(summary)) == summary
    assert "50% of the calls" in latency_measurement.check_lines(check)[-1]


def test_a_config_of_another_network_is_refused_before_measuring(table, config) -> None:
    with pytest.raises(KeyError, match="has no layer 'Conv"):
        check_table(table, config, ["Network.width=8"])


def test_a_foreign_table_cannot_be_checked_here(table, config) -> None:
    foreign = table.model_copy(update={"machine": table.machine.model_copy(update={"threads": 7})})
    with pytest.raises(DataError, match="another number of threads: 7"):
        check_table(foreign, config)


@pytest.mark.parametrize(
    "numbers, message",
    [
        ({"batch_size": 0}, "--batch-size must be at least 1, got 0"),
        ({"repetitions": 1}, "--repetitions must be at least 2, got 1"),
        ({"seed": -1}, "--seed must be at least 0, got -1"),
    ],
)
def test_numbers_out_of_range(config, numbers, message) -> None:
    with pytest.raises(ConfigError, match=message):
        measure_table(config, **numbers)


def test_a_space_of_few_networks_is_measured_and_cannot_be_checked(config) -> None:
    few = ["Space={nodes: 1, operations: [conv_1x1, skip_connect], tied: true}"]
    table = measure_table(config, few, repetitions=2)
    assert len(table.networks) == 2
    with pytest.raises(ConfigError) as caught:
        check_table(table, config, few, networks=5)
    assert str(caught.value) == (
        "the space has only 0 networks of different layers besides those in the table, 5 were asked"
        " for; choose a larger Space"
    )


def test_too_few_networks_to_rank(table, config) -> None:
    with pytest.raises(ConfigError, match="--networks must be at least 2, got 1"):
        check_table(table, config, networks=1)


@pytest.mark.parametrize(
    "overrides, shape, classes",
    [
        ([], (3, 8, 8), 4),
        (["Data.image_size=null"], (3, 32, 32), 4),
        (["Data.classes=null"], (3, 8, 8), 10),
        (["Data.classes=[cat, dog]"], (3, 8, 8), 2),
        (["Data.name=cifar100", "Data.classes=null"], (3, 8, 8), 100),
        (["Data.name=cifar10-mini", "Data.image_size=null"], (3, 32, 32), 4),
    ],
)
def test_pictures_that_are_not_there(config, overrides, shape, classes) -> None:
    """The sizes of known data sets need no Data.path."""
    plan = make_plans(load_search(config, overrides))(CellSpace(2).sample(np.random.default_rng(0)))
    assert plan.input_shape == shape
    assert plan.output_shape == (classes,)


def test_pictures_of_a_file_are_looked_at(config) -> None:
    with pytest.raises(DataError, match=r"Data\.path is missing"):
        make_plans(load_search(config, ["Data.name=npz"]))


def test_options_that_do_not_fit(config, monkeypatch) -> None:
    def fail(architecture):
        raise ValueError("stage3: too small")

    monkeypatch.setattr(latency_measurement, "plan_maker", lambda *_, **__: fail)
    with pytest.raises(ConfigError, match="Network does not fit the architecture: stage3"):
        make_plans(load_search(config))(CellSpace(2).sample(np.random.default_rng(0)))


def test_the_network_of_a_file_or_of_a_run(config, tmp_path) -> None:
    architecture = CellSpace(2).sample(np.random.default_rng(0))
    save_architecture(architecture, tmp_path / "best.json")
    (tmp_path / "config.yaml").write_text(TINY)
    expected = make_plans(load_search(config))(architecture)
    assert load_network(tmp_path / "best.json", config)[1] == expected
    assert load_network(tmp_path, None)[1] == expected
    assert load_network(tmp_path, config, ["Network.width=8"])[1] != expected
    with pytest.raises(ConfigError, match="give -c CONFIG"):
        load_network(tmp_path / "best.json", None)
