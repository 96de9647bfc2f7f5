"""The section Study."""

from __future__ import annotations

import pytest

from autodl.config.reading import RawConfig
from autodl.config.sections import read_section
from autodl.errors import ConfigError
from autodl.studies.options import StudyOptions


def options(**values):
    return read_section(StudyOptions, RawConfig({"Study": values}), "Study")


def test_a_number_of_seeds_and_a_list_of_steps_are_short_forms():
    assert options(seeds=3).seeds == (0, 1, 2)
    assert options(seeds=[4, 2]).seeds == (4, 2)
    assert options(then=["train", "test"]).then == {"train": {}, "test": {}}
    assert options().names == ("run",)
    tuned = options(job="simulate", tune={"Strategy.batch_size": [1, 2]}, vary={"random": {}})
    assert tuned.names == ("tuned", "random")


@pytest.mark.parametrize(
    "values, said",
    [
        ({"seeds": []}, "seeds names at least one"),
        ({"seeds": [1, 1]}, "each once"),
        ({"seeds": 0}, "seeds names at least one"),
        ({"seeds": "0-9"}, r"Study\.seeds"),
        ({"vary": {}}, "vary names at least one variation"),
        ({"vary": {"a/b": {}}}, r"Study\.vary"),
        ({"vary": {"agent": {}}, "control": "agnt"}, "Did you mean 'agent'"),
        ({"then": ["tain"]}, r"Study\.then"),
        ({"job": "serch"}, "Study.job"),
        ({"tune": {"Strategy.batch_size": [1, 2]}}, "tune is for job: simulate"),
        ({"front": {"reward": 80}}, "front names the reward and one cost or two"),
        ({"front": {"reward": 80, "macs": 0}}, r"front\.macs is above 0, got 0"),
        ({"front": {"accuracy": 0.5, "macs": 1}, "job": "train"}, "front is of searches"),
        ({"plot": {"lines": {"all": ["rum"]}}}, "'rum' is no variation. Did you mean 'run'"),
        ({"sed": 1}, "Did you mean 'seeds'"),
    ],
)
def test_mistakes(values, said):
    with pytest.raises(ConfigError, match=said):
        options(**values)
