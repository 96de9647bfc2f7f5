"""Options that no population can have are refused in one line."""

from __future__ import annotations

import pytest

from autodl.errors import ConfigError
from autodl.jobs.search.parts import load_search


@pytest.mark.parametrize("name", ["Evolution", "ElasticTransfer"])
@pytest.mark.parametrize(
    "options, message",
    [
        ("population: 8, tournament: 9", "tournament 9 is larger than population 8"),
        ("tournament: 1", "Strategy.tournament"),
        ("population: 1, tournament: 1", "Strategy.population"),
        ("retire: best", "Strategy.retire"),
        ("std_exponents: [-1, 0.5]", "std_exponents must not be above 0"),
        ("target_std: 0", "Strategy.target_std"),
        ("patience: 0", "Strategy.patience"),
        ("tournamnet: 4", "Did you mean 'tournament'?"),
    ],
)
def test_mistakes_are_named(name, options, message):
    with pytest.raises(ConfigError) as caught:
        load_search("search/cell-agent-tokens.yaml", [f"Strategy={{name: {name}, {options}}}"])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_defaults_fit():
    for name in ("Evolution", "ElasticTransfer"):
        load_search("search/cell-agent-tokens.yaml", [f"Strategy={{name: {name}}}"])
    with pytest.raises(ConfigError, match=r"Strategy\.mutation"):
        load_search(
            "search/cell-agent-tokens.yaml", ["Strategy={name: ElasticTransfer, mutation: all}"]
        )


def test_a_hypervolume_of_one_goal_is_refused():
    with pytest.raises(ConfigError, match="ehvi is for fronts; name costs in pareto"):
        load_search(
            "search/cell-agent-tokens.yaml", ["Strategy={name: Surrogate, acquisition: ehvi}"]
        )
