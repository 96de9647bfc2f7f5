"""Which cells with operations on edges are the same network: the published rule.

A node is written as what it is a sum of: an edge with ``skip_connect`` gives the text of the node
that it comes from, one with another operation that text in brackets and the operation's name; an
edge with ``none``, or from a node that is nothing, gives ``#``. Cells of one text compute the same.
The sums are sorted as texts, without opening the sums that a skip connection passes on, and a sum
of several ``#`` is not ``#``; so some cells that compute the same have different texts. That is how
the tables of NAS-Bench-201 count: 6,466 of 15,625.

Source: Dong and Yang, NAS-Bench-201, ICLR 2020 (their ``to_unique_str`` with zeros considered).
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product

from autodl.spaces.edge_cell.architecture import EDGES, NODES, OPERATIONS

_NOTHING = "#"


def expression(operations: tuple[str, ...]) -> str:
    """The text of the output node of a cell, for its six operations."""
    texts = ["0"]
    for node in range(1, NODES):
        first = node * (node - 1) // 2
        into = zip(texts, operations[first : first + node], strict=True)
        texts.append("+".join(sorted(_edge(text, operation) for text, operation in into)))
    return texts[-1]


def _edge(text: str, operation: str) -> str:
    if text == _NOTHING or operation == "none":
        return _NOTHING
    return text if operation == "skip_connect" else f"({text})@{operation}"


@lru_cache(maxsize=8)
def first_of_twins(operations: tuple[str, ...]) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Of every cell over some operations, the first that is the same network.

    The first is that of the lowest row, with codes as in ``OPERATIONS``: operations that come
    earlier there are preferred, whatever the order of the argument.
    """
    ordered = [name for name in OPERATIONS if name in operations]
    first: dict[str, tuple[str, ...]] = {}
    return {
        cell: first.setdefault(expression(cell), cell)
        for cell in product(ordered, repeat=len(EDGES))
    }
