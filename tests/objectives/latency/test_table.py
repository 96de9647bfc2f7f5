"""Latency tables: keys, predictions, files, and whom they are true for."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from autodl.errors import DataError, UnknownNameError
from autodl.objectives.latency.machine import this_machine
from autodl.objectives.latency.table import LatencyTable, keyed_records, record_key
from autodl.plans.layers import Add, AvgPool, BatchNorm, Concat, Conv, Dropout, Linear, Relu
from autodl.plans.plan import Plan
from autodl.spaces.cell.plan import cell_plan
from autodl.spaces.cell.space import CellSpace
from autodl.spaces.operations import operation_names

SHAPE = (16, 8, 8)


@pytest.mark.parametrize(
    "layer, shapes, key",
    [
        (Relu(), [SHAPE], "Relu <- 16x8x8"),
        (
            Conv(16, 8, (1, 3), (1, 2), (0, 0, 0, 1)),
            [SHAPE],
            "Conv in_channels=16 out_channels=8 kernel=1x3 stride=1x2 padding=0x0x0x1 <- 16x8x8",
        ),
        (
            Conv(16, 16, (3, 3), groups=16, bias=False),
            [SHAPE],
            "Conv in_channels=16 out_channels=16 kernel=3x3 groups=16 bias=0 <- 16x8x8",
        ),
        (BatchNorm(16), [SHAPE], "BatchNorm channels=16 <- 16x8x8"),
        (BatchNorm(16, momentum=0.5), [SHAPE], "BatchNorm channels=16 momentum=0.5 <- 16x8x8"),
        (
            AvgPool((2, 2), (1, 1), count_padding=True),
            [SHAPE],
            "AvgPool kernel=2x2 stride=1x1 count_padding=1 <- 16x8x8",
        ),
        (Add(), [SHAPE, SHAPE], "Add <- 16x8x8, 16x8x8"),
        (Concat(), [SHAPE, (2, 8, 8)], "Concat <- 16x8x8, 2x8x8"),
        (Dropout(0.1), [(16,)], "Dropout rate=0.1 <- 16"),
        (Linear(16, 10), [(16,)], "Linear in_features=16 out_features=10 <- 16"),
    ],
)
def test_keys_are_texts_that_must_never_change(layer, shapes, key) -> None:
    """Files hold them."""
    assert record_key(layer, tuple(shapes)) == key


def test_equal_layers_have_equal_keys() -> None:
    record_key.cache_clear()
    assert record_key(Dropout(0), ((4,),)) == "Dropout rate=0 <- 4"
    record_key.cache_clear()
    assert record_key(Dropout(0.0), ((4,),)) == "Dropout rate=0 <- 4"


@pytest.mark.parametrize(
    "change",
    [
        {"in_channels": 8},
        {"out_channels": 8},
        {"kernel": (3, 1)},
        {"kernel": (1, 3)},
        {"stride": (2, 1)},
        {"padding": (1, 0, 0, 0)},
        {"padding": (0, 1, 0, 0)},
        {"dilation": (2, 2)},
        {"groups": 4},
        {"bias": False},
    ],
    ids=str,
)
def test_every_parameter_is_in_the_key(change) -> None:
    layer = Conv(16, 16, (3, 3))
    assert record_key(layer, (SHAPE,)) != record_key(replace(layer, **change), (SHAPE,))


def test_different_layers_of_all_operations_have_different_keys() -> None:
    space = CellSpace(nodes=5, operations=operation_names())
    rng = np.random.default_rng(0)
    plans = [cell_plan(space.sample(rng), width=8, cells_per_stage=2) for _ in range(50)]
    seen = {
        (record.layer, shapes): key for plan in plans for key, record, shapes in keyed_records(plan)
    }
    assert len(set(seen.values())) == len(seen) > 150


def test_prediction_is_the_sum_times_the_median_factor(path, plan) -> None:
    table = LatencyTable.read(path)
    assert table.factor == 2.0
    assert table.predict(plan) == 2.0 * (1.0 + 0.5 + 0.25)  # exact in binary
    assert table.predict(Plan(plan.records[:2])) == 2.0


def test_a_layer_that_was_not_measured(path, content, plan) -> None:
    del content["records"]["Relu <- 4x8x8"]
    path.write_text(json.dumps(content))
    with pytest.raises(UnknownNameError, match=r"no layer 'Relu <- 4x8x8' \(relu\)") as caught:
        LatencyTable.read(path).predict(plan)
    assert f"autodl latency measure -c CONFIG --out {path}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_written_and_read_again(path, tmp_path, content) -> None:
    other = tmp_path / "new folder" / "copy.json"
    LatencyTable.read(path).write(other)
    assert json.loads(other.read_text()) == content
    assert LatencyTable.read(other).path == str(other)


def _with(*keys, value):
    def change(content):
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    "change, message",
    [
        (_with("format", value="latencies"), "is no latency table"),
        (_with("version", value=2), "has version 2, this program reads version 1"),
        (lambda content: content.pop("version"), "has version None, this program reads"),
        (_with("version", value=True), "has version True, this program reads"),
        (_with("version", value="1"), "damaged: version"),
        (lambda content: content.pop("records"), "damaged: records: Field required"),
        (_with("records", value={}), "damaged: records"),
        (_with("records", value=[1]), "damaged: records"),
        (_with("records", "Relu <- 4x8x8", value=0.5), "damaged: records.Relu <- 4x8x8"),
        (_with("records", "Relu <- 4x8x8", "ms", value=0), "ms: Input should be greater than 0"),
        (_with("records", "Relu <- 4x8x8", "ms", value="0.5"), "should be a valid number"),
        (_with("records", "Relu <- 4x8x8", "ms", value=float("nan")), "damaged: records"),
        (_with("records", "Relu <- 4x8x8", "ms", value=float("inf")), "damaged: records"),
        (_with("records", "Relu <- 4x8x8", "low", value=0.6), "needs low <= ms <= high"),
        (_with("networks", value=[]), "damaged: networks"),
        (_with("networks", 0, "sum_ms", value=-1.0), "damaged: networks.0.sum_ms"),
        (_with("machine", "threads", value=0), "damaged: machine.threads"),
        (_with("machine", "kind", value="tpu"), "damaged: machine.kind"),
        (_with("machine", "paddle", value=3), "damaged: machine.paddle"),
        (_with("batch_size", value=1.5), "damaged: batch_size"),
        (_with("surplus", value=1), "damaged: surplus"),
    ],
)
def test_a_damaged_table(path, content, change, message) -> None:
    change(content)
    path.write_text(json.dumps(content))
    _refuse(path, message)


@pytest.mark.parametrize(
    "raw, message",
    [
        (None, "No such file"),
        (b"", "is damaged"),
        (b"{", "is damaged"),
        (b"\xff\xfe", "is damaged"),
        (b"[" * 100_000, "is damaged"),
        (b"[]", "is no latency table"),
    ],
)
def test_a_file_that_is_no_table(tmp_path, raw, message) -> None:
    path = tmp_path / "table.json"
    if raw is not None:
        path.write_bytes(raw)
    _refuse(path, message)


def test_a_folder(tmp_path) -> None:
    _refuse(tmp_path, "Is a directory")


def _refuse(path, message) -> None:
    with pytest.raises(DataError) as caught:
        LatencyTable.read(path)
    text = str(caught.value)
    assert message in text
    assert str(path) in text
    assert f"autodl latency measure -c CONFIG --out {path}" in text
    assert "\n" not in text


@pytest.mark.parametrize(
    "name, now, words",
    [
        ("device", "Other CPU", "device"),
        ("platform", "Linux x86", "platform"),
        ("threads", 2, "number of threads"),
        ("paddle", "3.4.0", "version of Paddle"),
    ],
)
def test_a_table_of_another_machine_is_refused(path, name, now, words) -> None:
    table = LatencyTable.read(path)
    here = table.machine.model_copy(update={name: now})
    there = getattr(table.machine, name)
    with pytest.raises(DataError) as caught:
        table.check_machine(here=here)
    text = str(caught.value)
    assert f"{path} was measured with another {words}: {there!r}, here it is {now!r}" in text
    assert f"autodl latency measure -c CONFIG --out {path}" in text
    assert "\n" not in text
    assert "foreign" not in text
    with pytest.raises(DataError, match=r"which the networks are for, give --allow-foreign$"):
        table.check_machine(here=here, permit="give --allow-foreign")
    table.check_machine(here=here, allow_foreign=True)


def test_versions_that_latencies_do_not_hang_on(path) -> None:
    table = LatencyTable.read(path)
    here = table.machine.model_copy(update={"numpy": "2.9", "python": "3.12", "autodl": "9"})
    table.check_machine(here=here)


def test_this_machine_is_looked_up(path) -> None:
    table = LatencyTable.read(path)
    table.model_copy(update={"machine": this_machine()}).check_machine()
    with pytest.raises(DataError, match="another device: 'Imagined CPU'"):
        table.check_machine()
