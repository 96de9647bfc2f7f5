"""Whole width searches: modes, results that train, kills, folders, bad input."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from visualdl import LogReader

from autodl.data import load as loading
from autodl.data.load import load
from autodl.errors import CheckpointError, ConfigError, StoreError
from autodl.jobs.train.final_test import measure_once
from autodl.jobs.train.run import retrain
from autodl.jobs.width.config import control_range, load_width
from autodl.jobs.width.run import (
    gradient_cosine,
    preview,
    read_result,
    run_width_search,
    shared_accuracies,
)
from autodl.networks.costs import network_costs
from autodl.recipes.config import load_train
from autodl.spaces.codec import save_architecture
from autodl.spaces.width.architecture import WidthArchitecture
from autodl.trained.network import load_trained_network

CONFIG = """
Global: {seed: 3, device: cpu}
Data: {name: cifar10-mini, image_size: 8, train: 60, held_out: 40}
Width:
  {mode: transition, network: resnet20, candidates: [1, 2, 3],
   budget_macs: 20000, budget_range: [0.8, 1.0]}
Supernet:
  {epochs: 4, warmup_epochs: 1, batch_size: 10, learning_rate: 0.05, pad_crop: 1,
   projection_rate: 2.0, noise: 1e-2}
Controller: {decode_beams: 2, decode_samples: 2}
"""
TRAIN = """
Global: {device: cpu}
Network: {name: WidthNetwork}
Data: {name: cifar10-mini, image_size: 8, train: 60, held_out: 40}
Train: {epochs: 1, batch_size: 20, pad_crop: 1}
"""


@pytest.fixture(scope="session")
def config_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("width") / "tiny.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="session")
def finished(config_file, tmp_path_factory):
    """An unbroken search: copy its folder before changing anything in it."""
    lines = []
    folder = tmp_path_factory.mktemp("search") / "whole"
    run_width_search(load_width(config_file), folder, progress=lines.append)
    return folder, lines


def outcome(folder):
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics.pop("seconds", None)
    for epoch in metrics["curve"]:
        del epoch["seconds"], epoch["compute_seconds"]
    ranking = (folder / "ranking.json").read_text()
    return metrics, ranking, (folder / "architecture.json").read_text()


def test_folder_and_result(finished, config_file):
    folder, lines = finished
    result = read_result(folder)
    metrics, ranking, _ = outcome(folder)
    assert 16_000 <= result.macs <= 20_000
    assert metrics["mode"] == "transition"
    rows = json.loads(ranking)
    assert 2 <= len(rows) <= 4
    assert rows[0]["channels"] == list(result.architecture.channels)
    assert [row["accuracy"] for row in rows] == sorted((r["accuracy"] for r in rows), reverse=True)
    # what the given rate will do is said before anything is trained
    assert lines[1].startswith("projection rate 2: Phi falls below 90 % after")
    assert lines[2].startswith("Phi by update: 0: 100.0 %, ")
    assert lines[3].startswith("Phi will end at ")
    assert "stop here and raise Supernet.projection_rate" in lines[3]
    assert lines[4].startswith("[Supernet][Epoch 1/4]")
    assert "Phi: 100.0 %" in lines[4]
    (file,) = (folder / "vdl").glob("vdlrecords.*")
    written = LogReader(file_path=str(file)).tags()
    tags = {tag.partition(".log/")[2].replace("%", "/") for tag in written}
    for tag in ("phi", "phi_output", "phi_input", "smallest_singular_value"):
        assert f"sharing/{tag}" in tags
    assert {"controller/reward", "controller/entropy", "train/loss"} <= tags
    assert not any("test" in tag for tag in tags)


def test_the_result_is_trained_and_tested_as_a_plain_network(finished, tmp_path):
    """No meta weight is left, and its cost is the predicted one."""
    folder, _ = finished
    result = read_result(folder)
    (tmp_path / "train.yaml").write_text(TRAIN)
    done = retrain(load_train(tmp_path / "train.yaml"), result.architecture, tmp_path / "out")
    assert done.metrics["macs"] == result.macs
    trained = load_trained_network(tmp_path / "out")
    assert network_costs(trained.network, (3, 8, 8)).macs == result.macs
    assert not any("matrix" in name for name in trained.network.state_dict())
    largest = max(result.architecture.channels)
    assert all(max(v.shape[:2]) <= max(largest, 10) for v in trained.network.parameters())
    assert measure_once(tmp_path / "out")["pictures"] > 0


def test_killed_at_any_moment_it_ends_the_same(finished, config_file, tmp_path):
    """SIGKILL during the start, epochs and ranking; the last run is left alone."""
    folder = tmp_path / "killed"
    for epoch in (1, 3):
        child = os.fork()  # all is imported already
        if not child:
            try:
                run_width_search(load_width(config_file), folder, resume=True)
            finally:
                os._exit(1)
        while _epochs(folder) < epoch:
            time.sleep(0.02)
        os.kill(child, signal.SIGKILL)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert not (folder / "metrics.json").exists(), "killed too late to test anything"
    run_width_search(load_width(config_file), folder, resume=True)
    assert outcome(folder) == outcome(finished[0])


def _epochs(folder):
    """How many epochs the checkpoint holds, 0 without one."""
    from autodl.system.state import decode_state

    path = folder / "checkpoint.safetensors"
    return len(decode_state(path.read_bytes())["curve"]) if path.exists() else 0


def test_a_finished_search_is_only_read(finished, config_file, tmp_path):
    folder = Path(shutil.copytree(finished[0], tmp_path / "copy"))
    (folder / "checkpoint.safetensors").unlink()
    result = run_width_search(load_width(config_file), folder, resume=True)
    assert result.architecture == read_result(finished[0]).architecture
    with pytest.raises(StoreError, match=r"holds another run: Width\.mode"):
        run_width_search(load_width(config_file, ["Width.mode=ordinal"]), folder, resume=True)
    with pytest.raises(StoreError, match="is not empty: go on with it by --resume"):
        run_width_search(load_width(config_file), folder)


def test_a_damaged_checkpoint(finished, config_file, tmp_path):
    folder = Path(shutil.copytree(finished[0], tmp_path / "copy"))
    (folder / "metrics.json").unlink()
    with pytest.raises(StoreError, match="no finished width search"):
        read_result(folder)
    (folder / "checkpoint.safetensors").write_bytes(b"no checkpoint")
    with pytest.raises(
        CheckpointError, match="bring it back from a back-up, or begin anew in another"
    ):
        run_width_search(load_width(config_file), folder, resume=True)


@pytest.mark.parametrize("mode", ["ordinal", "independent"])
def test_fixed_modes_stay_as_they_start(mode, config_file, tmp_path):
    config = load_width(config_file, [f"Width.mode={mode}", "Supernet.epochs=2"])
    lines = []
    run_width_search(config, tmp_path / mode, progress=lines.append)
    assert not any("still share" in line for line in lines)  # they are to
    curve = outcome(tmp_path / mode)[0]["curve"]
    expected = 0.0 if mode == "independent" else 8 + 17 * (14 * 14 - 36) + 3 * 8
    assert [epoch["phi"] for epoch in curve] == [expected] * 2
    assert [epoch["smallest_singular_value"] for epoch in curve] == pytest.approx([1.0] * 2)
    assert not (tmp_path / mode / "annealing.json").exists()


def test_random_widths_cost_the_same_and_train_nothing(config_file, tmp_path, monkeypatch):
    found = set()
    for seed in range(3):
        config = load_width(config_file, ["Width.mode=random", f"Global.seed={seed}"])
        result = run_width_search(config, tmp_path / str(seed))
        assert 16_000 <= result.macs <= 20_000
        assert result.accuracy is None
        found.add(result.architecture)
        again = run_width_search(config, tmp_path / f"{seed}-again")
        assert again.architecture == result.architecture
    assert len(found) == 3


def test_random_widths_cost_about_the_budget_in_a_wide_range(config_file, tmp_path):
    """The authors' range begins at 0: half of the budget would be no control."""
    config = load_width(config_file, ["Width.mode=random", "Width.budget_range=[0.0, 1.1]"])
    assert control_range(config) == (19_000, 20_000)
    assert 19_000 <= run_width_search(config, tmp_path / "run").macs <= 20_000
    above = load_width(config_file, ["Width.budget_range=[1.01, 1.1]"])
    assert control_range(above) == pytest.approx((0.95 * 22_000, 22_000))
    narrow = load_width(config_file, ["Width.budget_range=[0.99, 1.0]"])
    assert control_range(narrow) == (19_800, 20_000)


class _Unread:
    """Stands for the test part: whoever looks at it is found out."""

    def __getattr__(self, name):
        raise AssertionError(f"the test part was read: {name}")


def test_no_test_picture_is_read(config_file, tmp_path, monkeypatch):
    """The loader reads, resizes and sums up the files; from then on the test part is poison."""
    select = loading._select

    def poisoned(dataset, options):
        found = select(dataset, options)
        assert found is not dataset
        assert len(found.checksum) == 64  # kept from now on
        object.__setattr__(found, "test", _Unread())
        return found

    monkeypatch.setattr(loading, "_select", poisoned)
    config = load_width(config_file, ["Supernet.epochs=2"])
    with pytest.raises(AssertionError, match="was read: labels"):
        load(config.data).test.labels.sum()
    assert preview(config).updates == 6
    result = run_width_search(config, tmp_path / "run")
    assert result.accuracy is not None
    assert shared_accuracies(config, tmp_path / "run", [result.architecture]) == [result.accuracy]
    assert np.isfinite(gradient_cosine(config, tmp_path / "run"))


def test_a_transition_that_does_not_end_is_said(config_file, tmp_path):
    slow = load_width(config_file, ["Supernet.projection_rate=1e-6", "Supernet.epochs=2"])
    lines = []
    run_width_search(slow, tmp_path / "slow", progress=lines.append)
    assert any("of its start: candidates still share" in line for line in lines)
    said = next(i for i, line in enumerate(lines) if "candidates will still share" in line)
    assert said < next(i for i, line in enumerate(lines) if "[Supernet][Epoch 1/" in line)
    assert lines[said - 1].startswith("Phi by update: 0: 100.0 %")  # the curve of the config


@pytest.mark.parametrize("mode", ["ordinal", "independent", "random"])
def test_other_modes_have_nothing_to_preview(mode, config_file):
    with pytest.raises(ConfigError, match=f"mode {mode} anneals nothing"):
        preview(load_width(config_file, [f"Width.mode={mode}"]))


def test_the_rate_is_chosen_once(config_file, tmp_path):
    overrides = ["Supernet.projection_rate=null", "Supernet.epochs=6", "Supernet.batch_size=6"]
    config = load_width(config_file, overrides)
    foreseen = preview(config)
    assert foreseen.low <= foreseen.updates == 50
    lines = []
    run_width_search(config, tmp_path / "run", progress=lines.append)
    assert lines[1] == str(foreseen)
    stored = json.loads((tmp_path / "run" / "annealing.json").read_text())
    assert stored["rate"] == foreseen.rate
    curve = outcome(tmp_path / "run")[0]["curve"]
    assert curve[-1]["phi"] < 0.2 * curve[0]["phi"]


def test_accuracies_with_shared_weights(finished, config_file):
    folder, _ = finished
    best = read_result(folder)
    other = WidthArchitecture("resnet20", (1,) * 18 + (3,))
    found = shared_accuracies(load_width(config_file), folder, [best.architecture, other])
    assert found[0] == best.accuracy
    with pytest.raises(ConfigError, match="layer 0 has 9 channels"):
        shared_accuracies(
            load_width(config_file), folder, [WidthArchitecture("resnet20", (9,) * 19)]
        )


@pytest.mark.parametrize(
    "override, wanted",
    [
        ("Width.budget_macs=1000", "1,000 is below the smallest network: resnet20"),
        ("Width.budget_macs=900000", "900,000 is above the largest network"),
        ("Width.budget_macs=0", "greater than 0"),
        ("Width.candidates=[1, 2, 2]", "candidate width 2 is there twice"),
        ("Width.candidates=[3, 2]", "candidate widths ascend"),
        ("Width.candidates=[]", "at least one candidate width"),
        ("Supernet.meta_width=2", "meta_width 2 is below the candidate 3"),
        ("Supernet.overlap=2", "less than or equal to 1"),
        ("Width.budget_range=[1.0, 0.9]", "0 <= low < high"),
        ("Width.budget_range=[9.0, 10.0]", "asks for 180,000 to 200,000 MACs: resnet20 with"),
        ("Width.network=resnet21", "Input should be|input should be"),
        ("Width.network=cells", "Width.cells is given exactly"),
        ("Width.mode=shared", "input should be 'transition'"),
        ("Supernet.warmup_epochs=4", "leave none of 4 epochs"),
        ("Supernet.epoch=4", "Did you mean 'epochs'"),
        ("Controller={decode_beams: 0, decode_samples: 0}", "nothing to rank"),
    ],
)
def test_bad_input_is_told_before_anything_is_written(config_file, tmp_path, override, wanted):
    with pytest.raises(ConfigError, match=wanted) as caught:
        run_width_search(load_width(config_file, [override]), tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_independent_candidates_need_the_sum_of_widths(config_file, tmp_path):
    overrides = ["Width.mode=independent", "Supernet.meta_width=5"]
    with pytest.raises(ConfigError, match="overlap 0 need 6; raise"):
        run_width_search(load_width(config_file, overrides), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_cell_search_takes_the_file_of_a_cell(tmp_path, config_file):
    from autodl.spaces.cell.space import CellSpace

    pair = CellSpace(nodes=2, operations=("conv_3x3", "sep_conv_3x3")).sample(
        np.random.default_rng(0)
    )
    save_architecture(pair, tmp_path / "cell.json")
    overrides = [
        f"Width.cells={tmp_path / 'cell.json'}",
        "Width={network: cells, candidates: [4, 8], cells_per_stage: 1, stages: 2,"
        f" budget_macs: 20000, budget_range: [0.5, 1.2], cells: {tmp_path / 'cell.json'}}}",
        "Supernet.epochs=2",
    ]
    result = run_width_search(load_width(config_file, overrides[1:]), tmp_path / "out")
    assert result.architecture.cells == pair
    assert 10_000 <= result.macs <= 24_000
    save_architecture(result.architecture, tmp_path / "cell.json")
    with pytest.raises(ConfigError, match="holds no cell pair"):
        run_width_search(load_width(config_file, overrides[1:]), tmp_path / "two")
