"""What is left to do behind the last training, and how many seconds that takes."""

from __future__ import annotations

from dataclasses import dataclass

# processor seconds: the pictures are read and cut again, probabilities calibrated, the card and
# the page written; about 1.2 as measured
REST = 2.0
# looks at thousands of pictures take longer, each, than the few that are timed for a plan: in one
# fit 1.2 times as long (docs/fit.md); a little less is allowed, since that was one run
SLOWER = 1.15
MARGIN = 0.01  # share of all the time, by which measurements of a second may be wrong


@dataclass(frozen=True, slots=True)
class Finishing:
    """``looks`` forward passes of one picture, ``look`` seconds each, and all ``beside`` them.

    ``beside`` are seconds of the clock, see ``seconds_beside``.
    """

    looks: int
    look: float
    beside: float

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.looks * self.look + self.beside


def look_count(held_out: int, test: int, views: int) -> int:
    """Forward passes of one picture from the end of a training on.

    Held-out pictures are looked at by the training itself, by the comparison and by the
    calibration, which looks at each picture without its mirror image as well; test pictures once.

    Args:
        views: 2 where mirror images show the same, else 1.
    """
    return held_out * (3 * views + (views > 1)) + test * views


def seconds_beside(seconds: float, exporting: float, burden: float) -> float:
    """Seconds of the clock for all but the forward passes.

    Args:
        seconds: that are left for everything.
        exporting: those of exporting such a network, measured.
        burden: seconds for a processor second.
    """
    return exporting + REST * burden + MARGIN * seconds
