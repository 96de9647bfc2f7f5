"""Which searches are alike."""

from __future__ import annotations

import pytest

from autodl.search.likeness import differences, known_plugins, setting_part, work_part

SPACE, STRATEGY, OTHER = "sha256:aa", "sha256:bb", "package.module"
KNOWN = {
    SPACE: ["Evaluator Bench", "Space Bits", "architecture bits"],
    STRATEGY: ["Strategy Mine", "drawing bits"],
}


def identity(plugins, **sections):
    return {
        "Global": {"seed": 3, "plugins": list(plugins)},
        "Strategy": {"name": "Mine"},
        "Space": {"name": "Bits"},
        "Evaluator": {"name": "Bench"},
        "Train": {"epochs": 2, "inherit": False},
        **sections,
    }


@pytest.mark.parametrize("part", [work_part, setting_part])
@pytest.mark.parametrize(
    "plugins, kept",
    [
        ([], []),
        ([STRATEGY], []),
        ([SPACE, STRATEGY], [SPACE]),
        ([OTHER], [OTHER]),  # nothing is known of it
        (["sha256:old"], ["sha256:old"]),
    ],
)
def test_only_plugins_that_add_what_matters_count(part, plugins, kept):
    assert part(identity(plugins), KNOWN)["Global"] == {"plugins": kept}


def test_a_plugin_that_adds_nothing_counts():
    assert work_part(identity([OTHER]), {OTHER: []})["Global"]["plugins"] == [OTHER]


def test_components_that_nobody_named_do_not_matter():
    other = identity([SPACE], Evaluator={"name": "TokenCount"}, Space={"name": "CellSpace"})
    assert work_part(other, {SPACE: ["Evaluator Bench", "Space Bits"]})["Global"]["plugins"] == []


@pytest.mark.parametrize("part", [work_part, setting_part])
@pytest.mark.parametrize("added", ["Term Mine", "Hook Mine", "Optimiser Mine", "Data Mine"])
def test_what_trainings_are_made_of_matters(part, added):
    """A recipe names it inside of ``Train``: its code counts, not only its name."""
    one = identity([OTHER], Train={"epochs": 2, "terms": [{"name": "Mine"}]})
    assert part(one, {OTHER: [added, "Strategy Mine"]})["Global"]["plugins"] == [OTHER]


def test_a_result_depends_on_no_strategy_space_or_seed_and_a_comparison_on_the_space():
    one = identity([SPACE])
    two = identity([SPACE, STRATEGY], Strategy={"name": "RandomSearch"}, Source={"kind": "x"})
    two["Global"]["seed"] = 4
    assert work_part(one, KNOWN) == work_part(two, KNOWN)
    assert setting_part(one, KNOWN) == setting_part(two, KNOWN)
    two["Space"] = {"name": "CellSpace"}
    assert work_part(one, KNOWN) == work_part(two, KNOWN)
    assert setting_part(one, KNOWN) != setting_part(two, KNOWN)


def test_whether_children_inherit_is_the_strategys():
    one, two = (identity([], Train={"epochs": 2, "inherit": value}) for value in (True, False))
    assert setting_part(one, {}) == setting_part(two, {})
    assert work_part(one, {}) != work_part(two, {})


def test_what_is_known_of_plugins_comes_from_the_manifest():
    manifest = {"identity": identity([SPACE]), "plugins": {SPACE: ["Space Bits"]}}
    assert known_plugins(manifest) == {SPACE: ["Space Bits"]}
    assert known_plugins({"identity": identity([SPACE])}) == {}


def test_differences_are_named_with_both_values():
    there = identity(["sha256:0123456789abcdef"], Objectives={"minimise": ["macs"]})
    here = identity([])
    assert list(differences(there, here)) == [
        "Global.plugins ([sha256:01234567...] there, [] here)",
        "Objectives.minimise (['macs'] there, none here)",
    ]
    assert list(differences(here, here)) == []
