"""Verbs of the version before, for one release: what to type in place of each."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

# the words that a command began with: what they are now, and how its options are called now; an
# option without a name leaves its value alone
_MOVED: Mapping[tuple[str, ...], tuple[str, Mapping[str, str]]] = {
    ("draw",): ("report", {}),
    ("table",): ("report", {"--out": "--csv"}),
    ("salvage",): ("report --salvage", {}),
    ("import-fluid",): ("release --fluid", {}),
    ("compare",): ("study", {"--out": "--plot"}),
    ("compare-bits",): ("study", {"--out": "--plot"}),
    ("width", "anneal"): ("search --anneal", {}),
    ("width", "study"): ("study", {"--part": "--only"}),
    ("width", "summary"): ("study", {"--out": ""}),
    ("width", "alignment"): ("study --then alignment", {"--out": ""}),
}
# what has become a config, of which the line can but name one to begin with
_CONFIGS = {
    "tune": "study -c study/tune-agent.yaml --out FOLDER",
    "compare --simulate": "study -c study/table.yaml --out FOLDER",
}
_ALIASES: Mapping[tuple[str, ...], str] = {("width", "search"): "search"}


def present(arguments: Sequence[str]) -> list[str]:
    """The same command with an alias replaced by the verb that it stands for."""
    verb = _ALIASES.get(tuple(arguments[:2]))
    return list(arguments) if verb is None else [verb, *arguments[2:]]


def moved(arguments: Sequence[str]) -> str | None:
    """What to type in place of a command of the version before; None for any other.

    >>> moved(["table", "runs/table", "--out", "cells.csv"])
    'autodl report runs/table --csv cells.csv'
    """
    first = arguments[0].replace("_", "-")
    if first == "tune" or (first == "compare" and "--simulate" in arguments):
        return f"autodl {_CONFIGS['tune' if first == 'tune' else 'compare --simulate']}"
    for length in (1, 2):
        if (known := _MOVED.get((first, *arguments[1:length]))) is not None:
            verb, options = known
            words = [options.get(word, word) for word in arguments[length:]]
            if "--only" in words:
                words = _named_run(words)
            return " ".join(["autodl", verb, shlex.join(filter(None, words))]).rstrip()
    return "autodl search -c CONFIG --out FOLDER" if first == "width" else None


def _named_run(words: Sequence[str]) -> list[str]:
    """``--only PART --seed N`` as ``--only PART-N``."""
    kept, seed = list(words), "0"
    if "--seed" in kept[:-1]:
        place = kept.index("--seed")
        seed = kept[place + 1]
        del kept[place : place + 2]
    part = kept.index("--only") + 1
    if part < len(kept):
        kept[part] = f"{kept[part]}-{seed}"
    return kept
