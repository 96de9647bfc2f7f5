"""What verbs of the version before are called now."""

from __future__ import annotations

import pytest

from autodl.system.verbs import moved, present


@pytest.mark.parametrize(
    "given, wanted",
    [
        ("draw best.json --out c.svg", "report best.json --out c.svg"),
        ("table RUN --out c.csv", "report RUN --csv c.csv"),
        ("salvage RUN", "report --salvage RUN"),
        ("import_fluid a.tar --genotype LRC_1", "release --fluid a.tar --genotype LRC_1"),
        ("compare a b --out plot.svg --json", "study a b --plot plot.svg --json"),
        ("compare --simulate x.yaml", "study -c study/table.yaml --out FOLDER"),
        ("compare-bits s0 s1 --out bits.svg", "study s0 s1 --plot bits.svg"),
        ("tune -c x.yaml --grid A.b=1,2", "study -c study/tune-agent.yaml --out FOLDER"),
        ("width anneal -c x.yaml", "search --anneal -c x.yaml"),
        (
            "width study -c x.yaml --part ordinal --seed 2 --out o",
            "study -c x.yaml --only ordinal-2 --out o",
        ),
        ("width summary --out o --plot p.svg", "study o --plot p.svg"),
        ("width alignment --out o -o Data.path=p", "study --then alignment o -o Data.path=p"),
        ("width", "search -c CONFIG --out FOLDER"),
    ],
)
def test_the_line_to_type(given, wanted):
    assert moved(given.split()) == f"autodl {wanted}"


@pytest.mark.parametrize("given", ["search -c x", "report RUN --out a.svg", "study a", "tablet"])
def test_other_verbs_have_not_moved(given):
    assert moved(given.split()) is None


def test_width_search_is_another_name_of_search():
    assert present(["width", "search", "-c", "x", "--out", "o"]) == [
        "search",
        "-c",
        "x",
        "--out",
        "o",
    ]
    assert present(["report", "RUN"]) == ["report", "RUN"]


def test_words_with_spaces_can_be_pasted():
    assert moved(["draw", "a b.json"]) == "autodl report 'a b.json'"
