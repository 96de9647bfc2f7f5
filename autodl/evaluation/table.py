"""A table of finished trainings: a small space in which a search takes a second.

One row per architecture: its cells in canonical form, its reward, and what training it cost. A
table is made from a run that trained a whole space (``ExhaustiveSearch``).
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from autodl.errors import DataError, EncodingError
from autodl.spaces.cell.architecture import Cell, CellPair
from autodl.spaces.cell.canonical import canonical_pair
from autodl.spaces.codec import Architecture
from autodl.system.files import write_text
from autodl.system.resources import resource
from autodl.trial import Evaluation, Trial, TrialFailure

_CELLS = ("normal_operations", "normal_edges", "reduction_operations", "reduction_edges")
_NUMBERS = ("reward", "parameters", "macs", "seconds", "train_loss", "held_out_loss")


def write_table(trials: Iterable[Trial], path: Path) -> int:
    """Write complete trials of cell pairs as CSV, in the order of their ids; return the count.

    Raises:
        DataError: an architecture is no cell pair, or one stands there twice.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_CELLS, *_NUMBERS])
    seen: set[CellPair] = set()
    for trial in trials:
        if trial.evaluation is None:
            continue
        if not isinstance(trial.architecture, CellPair):
            raise DataError(f"a table holds cell pairs; trial {trial.id} is none")
        pair = canonical_pair(trial.architecture)
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


class TableEvaluator:
    """Looks an architecture up in a table instead of training it.

    ``path`` is a file, or the name of one that ships in ``configs/tables``.
    """

    def __init__(self, path: str) -> None:
        found = Path(path)
        self._table = read_table(found if found.is_file() else resource("configs", "tables", path))

    def __call__(self, architecture: Architecture, rng: np.random.Generator) -> Evaluation:
        """The stored result of the same graph, however its nodes are named.

        Raises:
            TrialFailure: the table does not have it.
        """
        if not isinstance(architecture, CellPair):
            raise TrialFailure("the table holds cell pairs")
        found = self._table.get(canonical_pair(architecture))
        if found is None:
            raise TrialFailure("the table does not have this architecture")
        return found

    def costs(self, architecture: Architecture) -> dict[str, float]:
        """Its parameters and MACs; NaN if the table does not have the architecture."""
        found = None
        if isinstance(architecture, CellPair):
            found = self._table.get(canonical_pair(architecture))
        return {
            name: found.metrics[name] if found is not None else math.nan
            for name in ("parameters", "macs")
        }
