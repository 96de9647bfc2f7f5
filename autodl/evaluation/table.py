"""A table of finished trainings: a small space in which a search takes a second.

One row per architecture: its cells in canonical form, its reward, and what training it cost. Such a
CSV file is made from a run that trained a whole space (``ExhaustiveSearch``); those of published
benchmarks are arrays, see ``array_table.py``.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from autodl.errors import ConfigError, DataError, EncodingError
from autodl.evaluation.array_table import read_arrays
from autodl.spaces.cell.architecture import Cell, CellPair
from autodl.spaces.cell.canonical import canonical_pair
from autodl.spaces.codec import Architecture
from autodl.system.files import write_text
from autodl.system.resources import resource
from autodl.trial import Evaluation, Trial, TrialFailure, TrialState

_CELLS = ("normal_operations", "normal_edges", "reduction_operations", "reduction_edges")
_REWARD = "reward"
_NUMBERS = (_REWARD, "parameters", "macs", "seconds", "train_loss", "held_out_loss")


def write_table(trials: Iterable[Trial], path: Path) -> int:
    """Write complete trials of cell pairs as CSV, in the order of their ids; return the count.

    What a pruned or paused trial had reached is left out, and so is a result that was taken over.

    Raises:
        DataError: an architecture is no cell pair, or one was evaluated twice.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_CELLS, *_NUMBERS])
    seen: set[CellPair] = set()
    for trial in trials:
        if trial.evaluation is None or trial.state is not TrialState.COMPLETE:
            continue
        if not isinstance(trial.architecture, CellPair):
            raise DataError(f"a table holds cell pairs; trial {trial.id} is none")
        pair = canonical_pair(trial.architecture)
        if pair in seen and trial.reused:
            continue
        if pair in seen:
            raise DataError(f"trial {trial.id} is an architecture that is in the table already")
        seen.add(pair)
        metrics = {"seconds": trial.seconds, **trial.evaluation.metrics, "reward": trial.reward}
        numbers = [f"{metrics[name]:.6g}" if name in metrics else "" for name in _NUMBERS]
        cells = [*_cell_text(pair.normal), *_cell_text(pair.reduction)]
        writer.writerow([*cells, *numbers])
    write_text(path, text.getvalue())
    return len(seen)


def _cell_text(cell: Cell) -> tuple[str, str]:
    return " ".join(cell.operations), "".join(map(str, cell.edges))


def read_table(path: Path) -> dict[CellPair, Evaluation]:
    """Read what ``write_table`` wrote; the evaluations are those of the trainings.

    Raises:
        DataError: the file is missing or is no table; the line is named.
    """
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read the table {path}: {error}") from None
    table: dict[CellPair, Evaluation] = {}
    for line, row in enumerate(rows, start=2):
        try:
            pair = CellPair(
                _cell(row["normal_operations"], row["normal_edges"]),
                _cell(row["reduction_operations"], row["reduction_edges"]),
            )
            numbers = {name: float(row[name]) for name in _NUMBERS if row[name]}
            table[pair] = Evaluation(numbers.pop("reward"), numbers)
        except (KeyError, TypeError, ValueError, EncodingError) as error:
            raise DataError(f"{path}:{line}: not a row of a table: {error}") from None
    if not table:
        raise DataError(f"the table {path} has no rows; make one by `autodl report RUN --csv FILE`")
    return table


def _cell(operations: str, edges: str) -> Cell:
    return Cell.from_names(operations.split(), tuple(int(bit) for bit in edges))


class Table(Protocol):
    """The numbers of finished trainings, by architecture."""

    @property
    def kind(self) -> str:
        """The kind of its architectures."""
        ...

    @property
    def columns(self) -> Sequence[str]:
        """What is known of them."""
        ...

    def numbers(self, architecture: Architecture) -> Mapping[str, float] | None:
        """What is known of an architecture; None if the table does not have it."""
        ...


class CellTable:
    """A CSV file's cell pairs; one is found however its nodes are named."""

    kind = "cell_pair"
    columns = _NUMBERS

    def __init__(self, path: Path) -> None:
        """Read it.

        Raises:
            DataError: see ``read_table``.
        """
        self._rows = read_table(path)

    def numbers(self, architecture: Architecture) -> Mapping[str, float] | None:
        """The stored result of the same graph."""
        if not isinstance(architecture, CellPair):
            return None
        found = self._rows.get(canonical_pair(architecture))
        return None if found is None else {_REWARD: found.reward, **found.metrics}


class TableEvaluator:
    """Looks an architecture up in a table instead of training it."""

    def __init__(self, path: str, reward: str | None = None) -> None:
        """Read the table.

        Args:
            path: a file, or the name of one that ships in ``configs/tables``; ``.npz`` is one of
                arrays, any other a CSV file of cell pairs.
            reward: the column that is the reward; None is ``reward``. All others are metrics.

        Raises:
            DataError: the table is unusable.
            ConfigError: it has no such column.
        """
        found = Path(path)
        if not found.is_file() and found.suffix != ".npz":
            found = resource("configs", "tables", path)
        self._table: Table = read_arrays(found) if found.suffix == ".npz" else CellTable(found)
        self._reward = reward or _REWARD
        if self._reward not in self._table.columns:
            said = "is missing" if reward is None else f"names {reward!r}"
            raise ConfigError(
                f"Evaluator.reward {said}: the columns of {path} are"
                f" {', '.join(self._table.columns)}"
            )

    @property
    def kind(self) -> str:
        """The kind of architectures that it knows."""
        return self._table.kind

    def __call__(self, architecture: Architecture, rng: np.random.Generator) -> Evaluation:
        """The stored result.

        Raises:
            TrialFailure: the table does not have the architecture, or no reward for it.
        """
        numbers = self._table.numbers(architecture)
        if numbers is None:
            raise TrialFailure("the table does not have this architecture")
        if self._reward not in numbers:
            raise TrialFailure(f"the table has no {self._reward} of this architecture")
        others = {name: value for name, value in numbers.items() if name != self._reward}
        return Evaluation(numbers[self._reward], others)

    def costs(self, architecture: Architecture) -> dict[str, float]:
        """Its parameters and MACs; NaN if the table does not have them."""
        numbers = self._table.numbers(architecture) or {}
        return {name: numbers.get(name, math.nan) for name in ("parameters", "macs")}
