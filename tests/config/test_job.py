"""A job's configuration: read, written and told apart by the sections that it states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pytest
import yaml

from autodl.config.components import Component
from autodl.config.job import Part, Sections
from autodl.config.reading import RawConfig
from autodl.config.sections import GlobalOptions, Section
from autodl.errors import ConfigError
from autodl.jobs.compress.config import CompressConfig
from autodl.jobs.width.config import WidthConfig
from autodl.recipes.config import TrainConfig
from autodl.recipes.options import TrainOptions
from autodl.search.config import SearchConfig
from autodl.spaces.cell.options import CellNetworkOptions
from autodl.supernets.single_path.config import SupernetConfig


class Kept(Section):
    ADDED = ("later", "several")
    first: int = 1
    later: int = 2
    several: tuple[int, ...] = (3, 4)
    place: str = "here"


class Wanted(Section):
    most: int = 5
    hint: str = ""


class Budget(Section):
    hours: float = 1.0


@dataclass(frozen=True, slots=True)
class OwnConfig(Sections):
    general: Annotated[GlobalOptions, Part("Global", free=("device",))]
    kept: Annotated[Kept, Part("Kept", free=("place",))]
    budget: Annotated[Budget, Part("Budget", identifies=False)]
    wanted: Annotated[Wanted, Part("Wanted", free=("hint",), optional=True)]
    fidelity: Annotated[Component | None, Part("Fidelity", optional=True)]

    def check(self, raw):
        if self.budget.hours > self.kept.first:
            raise ConfigError(
                f"{raw.origin(('Budget', 'hours'))}: Budget.hours is above Kept.first"
            )


def own(**sections):
    return OwnConfig.resolve(RawConfig({"Global": None, **sections}))


def test_fields_are_read_from_their_sections():
    config = own(Kept={"first": 7}, Fidelity={"name": "MedianRule", "interval": 3})
    assert (config.kept.first, config.kept.several, config.budget.hours) == (7, (3, 4), 1.0)
    assert (config.fidelity.name, config.fidelity.options.interval) == ("MedianRule", 3)
    assert OwnConfig.names() == ("Global", "Kept", "Budget", "Wanted", "Fidelity")
    assert own().fidelity is None


def test_what_is_written_reads_as_the_same_and_leaves_out_what_says_nothing():
    assert set(own().to_plain()) == {"Global", "Kept", "Budget"}
    for sections in ({}, {"Wanted": {"hint": "x"}}, {"Fidelity": {}, "Kept": {"several": [1]}}):
        config = own(**sections)
        plain = config.to_plain()
        assert set(sections) <= set(plain)
        assert OwnConfig.resolve(RawConfig(yaml.safe_load(yaml.safe_dump(plain)))) == config


def test_identity_is_what_may_not_change():
    kept = {"first": 1}
    assert own().identity() == {"Global": {"seed": 0, "plugins": []}, "Kept": kept}
    same = own(Kept={"place": "there"}, Budget={"hours": 0.5}, Wanted={"hint": "x"})
    assert same.identity() == own().identity()
    assert own(Wanted={"most": 6, "hint": "x"}).identity()["Wanted"] == {"most": 6}
    assert own(Kept={"several": [3]}).identity()["Kept"] == {**kept, "several": [3]}


def test_an_identity_on_record_with_added_options_is_the_one_without_them():
    """A list of defaults is equal to the tuple that the model has."""
    config = own()
    recorded = {**config.identity(), "Kept": {"first": 1, "later": 2, "several": [3, 4]}, "More": 1}
    assert config.reduced(recorded) == {**config.identity(), "More": 1}
    recorded["Kept"]["later"] = 9
    assert config.reduced(recorded)["Kept"] == {"first": 1, "later": 9}


def test_sections_are_checked_together_and_unknown_ones_refused(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("Budget: {hours: 3}\n")
    with pytest.raises(ConfigError, match=r"own\.yaml:1: Budget\.hours is above Kept\.first"):
        OwnConfig.load(path)
    assert OwnConfig.load(path, ["Kept.first=3"]).budget.hours == 3
    with pytest.raises(ConfigError, match=r"unknown section Bugdet\. Did you mean"):
        own(Bugdet={})


def test_a_plugin_that_moves_is_the_same_plugin(tmp_path):
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text("x = 1\n")
    first, second = (
        own(Global={"plugins": [str(tmp_path / name)]}).identity() for name in ("one.py", "two.py")
    )
    assert first == second
    assert first["Global"]["plugins"][0].startswith("sha256:")


JOBS = {
    SearchConfig: ("search/cell-demo.yaml", ("Train", "Network")),
    TrainConfig: ("train/cell-demo.yaml", ("Train", "Network")),
    WidthConfig: ("supernet/width-demo.yaml", ()),
    SupernetConfig: ("supernet/edge-demo.yaml", ("Train",)),
    CompressConfig: ("compress/uniform.yaml", ("Train", "FineTuning")),
}


@pytest.mark.parametrize("job", JOBS)
def test_every_job_leaves_out_added_options_in_every_section(job):
    name, sections = JOBS[job]
    config = job.load(name)
    identity, plain = config.identity(), config.to_plain()
    for section in sections:
        added = CellNetworkOptions.ADDED if section == "Network" else TrainOptions.ADDED
        assert set(added) <= set(plain[section])
        assert not {"stem", "entry", "branches", "inherit", "resize_kernels"} & set(
            identity[section]
        )
    before = {section: plain[section] for section in sections}
    assert config.reduced(before) == {section: identity[section] for section in sections}
