"""What a test says: figures of every class, what is confused, and the worst mistakes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodl.data.subset import Subset
from autodl.release.calibration import probabilities
from autodl.trained.confusion import (
    ClassFigures,
    balanced_accuracy,
    class_figures,
    confusion_matrix,
    most_confused,
)

WORST, PAIRS = 12, 8
MOST_SHOWN = 40  # classes of a confusion matrix that somebody can read


@dataclass(frozen=True, slots=True, eq=False)
class Mistake:
    """A test picture, uint8 ``[H, W, 3]``, that is called something else with some chance."""

    picture: NDArray[np.uint8]
    file: str
    label: str
    said: str
    chance: float


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """What a network is worth on the test part; the worst mistakes first.

    ``matrix`` is None where there are too many classes to look at it.
    """

    accuracy: float
    balanced: float
    matrix: NDArray[np.int64] | None
    figures: list[ClassFigures]
    confused: list[tuple[str, str, int]]
    worst: list[Mistake]

    def to_plain(self) -> dict[str, Any]:
        """All but the pictures, as JSON has it."""
        return {
            "balanced_accuracy": self.balanced,
            "confusion": None if self.matrix is None else self.matrix.tolist(),
            "figures": [asdict(figures) for figures in self.figures],
            "worst": [
                {"file": m.file, "is": m.label, "said": m.said, "chance": m.chance}
                for m in self.worst
            ],
        }


def judge(logits: NDArray[np.float64], subset: Subset, temperature: float = 1.0) -> Verdict:
    """Compare logits ``[N, classes]`` of the test pictures with what these are.

    Args:
        temperature: divides the logits in what is told of chances; it changes no class.
    """
    test, names = subset.dataset.test, subset.dataset.classes
    said = logits.argmax(axis=1)
    shown = len(names) <= MOST_SHOWN
    chances = probabilities(logits, temperature).max(axis=1)
    wrong = np.flatnonzero(said != test.labels)
    worst = wrong[np.argsort(-chances[wrong], kind="stable")][:WORST]
    files = subset.about.get("files", {}).get("test", [])
    return Verdict(
        accuracy=float((said == test.labels).mean()),
        balanced=balanced_accuracy(test.labels, said, len(names)),
        matrix=confusion_matrix(test.labels, said, len(names)) if shown else None,
        figures=class_figures(test.labels, said, names),
        confused=most_confused(test.labels, said, names, PAIRS),
        worst=[
            Mistake(
                test.images[index],
                files[index] if index < len(files) else "",
                names[test.labels[index]],
                names[said[index]],
                float(chances[index]),
            )
            for index in worst
        ],
    )
