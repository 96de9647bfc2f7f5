"""A study of modes: parts that resume, the same known architectures, tables."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autodl.errors import ConfigError, StoreError
from autodl.studies.widths.study import known_architectures, load_study, run_part
from autodl.studies.widths.table import align, read_study, study_text

CONFIG = """
Global: {seed: 0, device: cpu}
Data: {name: cifar10-mini, image_size: 8, train: 60, held_out: 40}
Width: {network: resnet20, candidates: [1, 2, 3], budget_macs: 20000, budget_range: [0.8, 1.0]}
Supernet: {epochs: 2, warmup_epochs: 1, batch_size: 20, pad_crop: 1, projection_rate: 2.0}
Controller: {decode_beams: 2, decode_samples: 2}
Network: {name: WidthNetwork}
Train: {epochs: 2, batch_size: 20, pad_crop: 1}
Study: {standalone: 3, standalone_epochs: 1, train: 80, held_out: 30}
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    (folder / "study.yaml").write_text(CONFIG)
    return load_study(folder / "study.yaml"), folder / "out"


def test_parts_and_tables(study):
    config, folder = study
    with pytest.raises(StoreError, match="holds nothing finished"):
        read_study(folder)
    lines = []
    for part, seed in (("standalone", 0), ("transition", 0), ("transition", 1), ("random", 0)):
        run_part(config, part, seed, folder, progress=lines.append)
    assert sum(line.startswith("stand-alone") for line in lines) == 3
    table = study_text(read_study(folder))
    rows = {row.split("|")[1].strip(): row for row in table.splitlines() if row.startswith("| ")}
    assert rows["transition"].split("|")[2].strip() == "2"
    assert rows["random"].split("|")[6].strip() == "-"
    assert "±" in rows["transition"]
    assert "3 stand-alone trainings" in table
    assert "transition-0: 100 " in table
    assert "random-0" not in table
    again = []
    for part in ("standalone", "transition"):
        run_part(config, part, 0, folder, progress=again.append)  # all of it is there
    assert [line for line in again if "Epoch" in line] == []
    assert study_text(read_study(folder)) == table
    (row,) = [row for row in align(folder).splitlines() if row.startswith("| transition")]
    assert [cell.strip() for cell in row.split("|")[2:3]] == ["2"]
    assert "±" in row.split("|")[4]
    # what is finished is not taken for something else
    other = replace(config, study=config.study.model_copy(update={"standalone_epochs": 2}))
    with pytest.raises(StoreError, match="standalone/00 holds another training: its Train differs"):
        run_part(other, "standalone", 0, folder)
    with pytest.raises(StoreError, match="holds another training: its Global differs"):
        run_part(config, "standalone", 1, folder)


def test_gradients_are_compared_where_candidates_share(study, tmp_path):
    config, _ = study
    with pytest.raises(StoreError, match="no finished search with shared weights"):
        align(tmp_path)
    run_part(config, "random", 0, tmp_path)
    run_part(config, "independent", 0, tmp_path)
    (row,) = align(tmp_path).splitlines()[2:]
    assert row == "| independent | 1 | 0 | 0.000 |"


def test_the_known_architectures_are_the_same_for_all(study):
    config, _ = study
    known = known_architectures(config)
    assert len(set(known)) == 3
    assert known == known_architectures(config)


def test_bad_parts_and_configs(study, tmp_path):
    config, folder = study
    with pytest.raises(ConfigError, match="a part is transition, ordinal"):
        run_part(config, "transiton", 0, folder)
    (tmp_path / "study.yaml").write_text(CONFIG)
    with pytest.raises(ConfigError, match="study is WidthNetwork, got CifarQuick"):
        load_study(tmp_path / "study.yaml", ["Network.name=CifarQuick"])
    with pytest.raises(ConfigError, match="unknown section Studie"):
        load_study(tmp_path / "study.yaml", ["Studie.standalone=3"])
