"""One form for all cells that are the same graph with its nodes renamed.

Renaming nodes changes nothing that a cell computes but the order in which its loose ends are
concatenated, and the 1x1 convolution after them is drawn and learnt without regard to that order.
Two cells are the same graph exactly when their canonical forms are equal.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from autodl.spaces.cell.architecture import Cell, CellPair


def canonical_pair(pair: CellPair) -> CellPair:
    """Both cells in canonical form."""
    return CellPair(canonical_cell(pair.normal), canonical_cell(pair.reduction))


def canonical_cell(cell: Cell) -> Cell:
    """The cell with its nodes in canonical order; a fixed point of itself.

    Nodes are told apart by colour refinement (operation, colours of parents and of children,
    until nothing splits); where that leaves ties, each choice is followed and the smallest
    encoding wins, twins (equal operation, parents and children) counting as one choice.
    Source: McKay, Practical graph isomorphism, 1981.
    """
    parents = [cell.parents(node) for node in range(cell.nodes)]
    children: list[tuple[int, ...]] = [()] * cell.nodes
    for node, read in enumerate(parents):
        for parent in read:
            children[parent] += (node,)
    # the depth comes first, so that every order by colour is an order of computation
    depths: list[int] = []
    for node in range(cell.nodes):
        depths.append(1 + max((depths[parent] for parent in parents[node]), default=-1))
    start = _ranks([(depths[node], cell.op_ids[node]) for node in range(cell.nodes)])
    op_ids, edges = _smallest(cell, parents, children, start)
    return Cell(op_ids, edges)


def renamed_cell(cell: Cell, rng: np.random.Generator) -> Cell:
    """The same graph with its nodes in another order in which each comes after what it reads.

    Every such order can be drawn; they are not equally likely.
    """
    parents = [cell.parents(node) for node in range(cell.nodes)]
    places: dict[int, int] = {}
    while len(places) < cell.nodes:
        ready = [
            node
            for node in range(cell.nodes)
            if node not in places and all(parent in places for parent in parents[node])
        ]
        places[ready[rng.integers(len(ready))]] = len(places)
    return Cell(*_encoding(cell, parents, [places[node] for node in range(cell.nodes)]))


def _ranks(keys: list[tuple[object, ...]]) -> list[int]:
    """Equal keys get equal numbers, in the order of the keys."""
    number = {key: rank for rank, key in enumerate(sorted(set(keys)))}
    return [number[key] for key in keys]


def _refined(
    colours: list[int], parents: list[tuple[int, ...]], children: list[tuple[int, ...]]
) -> list[int]:
    while max(colours) < len(colours) - 1:
        sizes = Counter(colours)
        keys: list[tuple[object, ...]] = []
        for node, colour in enumerate(colours):
            if sizes[colour] == 1:  # it cannot split, and its place is that of its colour
                keys.append((colour,))
                continue
            read = sorted([colours[other] for other in parents[node]])
            readers = sorted([colours[other] for other in children[node]])
            keys.append((colour, tuple(read), tuple(readers)))
        finer = _ranks(keys)
        if finer == colours:
            break
        colours = finer
    return colours


def _smallest(
    cell: Cell,
    parents: list[tuple[int, ...]],
    children: list[tuple[int, ...]],
    colours: list[int],
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The smallest encoding over all ways to break the ties that refinement leaves."""
    colours = _refined(colours, parents, children)
    if max(colours) == cell.nodes - 1:
        return _encoding(cell, parents, colours)
    tied = min(c for c in set(colours) if colours.count(c) > 1)
    found: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
    tried: set[tuple[tuple[int, ...], tuple[int, ...]]] = set()
    for node in range(cell.nodes):
        twins = (parents[node], children[node])
        if colours[node] != tied or twins in tried:
            continue
        tried.add(twins)
        # the chosen node comes before those it was tied with
        split = [2 * c + (c == tied and other != node) for other, c in enumerate(colours)]
        found.append(_smallest(cell, parents, children, _ranks([(c,) for c in split])))
    return min(found)


def _encoding(
    cell: Cell, parents: list[tuple[int, ...]], places: list[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Operation ids and edge bits when every node stands at its place."""
    op_ids, edges = [0] * cell.nodes, [0] * len(cell.edges)
    for node, place in enumerate(places):
        op_ids[place] = cell.op_ids[node]
        first = place * (place - 1) // 2
        for parent in parents[node]:
            edges[first + places[parent]] = 1
    return tuple(op_ids), tuple(edges)
