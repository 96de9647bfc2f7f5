"""Genotypes: cells as DARTS writes them, and those of the literature by name.

A cell's nodes 0 and 1 are the outputs of the two cells before it. Every further node is the sum of
two operations, each applied to an earlier node; the cell's output is some nodes side by side. The
network is stacked in ``plan.py``. (Liu et al., DARTS, ICLR 2019.)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from autodl.errors import EncodingError, did_you_mean, lookup
from autodl.spaces.foreign_json import check_keys, check_version, short

KIND, VERSION = "genotype", 1
SKIP = "skip_connect"
OPERATIONS = (
    SKIP,
    "max_pool_3x3",
    "avg_pool_3x3",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "sep_conv_7x7",
    "dil_conv_3x3",
    "dil_conv_5x5",
    "conv_3x1_1x3",
    "conv_7x1_1x7",
)
Edge: TypeAlias = tuple[str, int]  # an operation, and the node that it reads
_PUBLISHED = Path(__file__).with_name("published_genotypes.json")
_PARTS = ("normal", "normal_concat", "reduce", "reduce_concat")


@dataclass(frozen=True, slots=True)
class GenotypeCell:
    """Two edges for each node from 2 on, in order, and the nodes that are the cell's output.

    Raises:
        EncodingError: an odd number of edges or none, an unknown operation, a node that is read
            before it is there, or one that reaches no output.
    """

    edges: tuple[Edge, ...]
    concat: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.edges or len(self.edges) % 2:
            raise EncodingError(f"a node has two edges each, got {len(self.edges)} for the cell")
        for number, (name, node) in enumerate(self.edges):
            if name not in OPERATIONS:
                raise EncodingError(
                    f"unknown operation {short(name)} of edge {number}."
                    f"{did_you_mean(str(name), OPERATIONS)} Known: {', '.join(OPERATIONS)}."
                )
            if type(node) is not int or not 0 <= node < number // 2 + 2:
                raise EncodingError(
                    f"edge {number} leads to node {number // 2 + 2} and can read nodes 0 to"
                    f" {number // 2 + 1}, got {short(node)}"
                )
        last = self.nodes + 1
        for node in self.concat:
            if type(node) is not int or not 2 <= node <= last:
                raise EncodingError(
                    f"the output is made of nodes 2 to {last}, got {short(node)} in concat"
                )
        if not self.concat or len(set(self.concat)) < len(self.concat):
            raise EncodingError(f"concat names one node or more, each once, got {self.concat}")
        read = {*self.concat, *(node for _, node in self.edges)}
        if idle := [node for node in range(2, last + 1) if node not in read]:
            raise EncodingError(f"nothing reads node {idle[0]}; add it to concat or leave it out")

    @property
    def nodes(self) -> int:
        """Nodes that the cell adds to its two inputs."""
        return len(self.edges) // 2


@dataclass(frozen=True, slots=True)
class Genotype:
    """A cell that keeps the size of the maps, and one that halves it."""

    normal: GenotypeCell
    reduce: GenotypeCell

    def to_json(self) -> dict[str, Any]:
        """A JSON object: ``kind``, ``version``, and the four keys that DARTS uses."""
        return {
            "kind": KIND,
            "version": VERSION,
            "normal": [list(edge) for edge in self.normal.edges],
            "normal_concat": list(self.normal.concat),
            "reduce": [list(edge) for edge in self.reduce.edges],
            "reduce_concat": list(self.reduce.concat),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Genotype:
        """The inverse of ``to_json``.

        Raises:
            EncodingError: another kind or version, a missing or surplus key, or impossible cells.
        """
        if value.get("kind") != KIND:
            raise EncodingError(f"expected kind {KIND!r}, got {short(value.get('kind'))}")
        check_version(value, KIND, VERSION)
        check_keys(value, {"kind", "version", *_PARTS}, "a genotype")
        return cls(_cell(value, "normal"), _cell(value, "reduce"))


def _cell(value: Mapping[str, Any], name: str) -> GenotypeCell:
    edges, concat = value[name], value[f"{name}_concat"]
    if not isinstance(edges, list) or not isinstance(concat, list):
        raise EncodingError(f"{name} and {name}_concat are lists, got {short(edges)}")
    for edge in edges:
        if not isinstance(edge, list) or len(edge) != 2 or not isinstance(edge[0], str):
            raise EncodingError(
                f"an edge of {name} is [operation, node] like ['{SKIP}', 0], got {short(edge)}"
            )
    try:
        return GenotypeCell(tuple((edge[0], edge[1]) for edge in edges), tuple(concat))
    except EncodingError as error:
        raise EncodingError(f"{name}: {error}") from None


@dataclass(frozen=True, slots=True)
class Published:
    """A genotype of the literature and where it is from."""

    genotype: Genotype
    source: str


@cache
def published_genotypes() -> Mapping[str, Published]:
    """Every genotype that ships, by name."""
    table = json.loads(_PUBLISHED.read_text(encoding="utf-8"))
    return {
        name: Published(Genotype(_cell(value, "normal"), _cell(value, "reduce")), value["source"])
        for name, value in table.items()
    }


def published_genotype(name: str) -> Genotype:
    """The genotype of this name.

    Raises:
        UnknownNameError: there is none; the message says which there are.
    """
    return lookup(published_genotypes(), name, "genotype").genotype
