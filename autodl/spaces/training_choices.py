"""What an architecture decides about its own training, where its space searches for both.

The section ``Train`` says how all networks of a search are trained; an architecture changes a few
things of that for itself. ``autodl/recipes/chosen.py`` makes the two one, for whoever trains.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from autodl.system.roles import Role


@dataclass(frozen=True, slots=True)
class TrainingChoices:
    """Changes to a ``Train`` section; without arguments there are none.

    Attributes:
        rate: factor of the learning rate, all along its schedule.
        decay: factor of the share of the weights that decays in an update, whatever the rate.
        first_size: side of the pictures at first, which then grow; None leaves that to ``Train``.
        whiten: whether the first layer may be whitened, where ``Train`` does that.
        branches: paths of parts of the network, each with the blocks that its convolutions are
            trained as (``acb``, ``dbb``, ``repvgg``); where there are none, ``Train`` says it.
    """

    rate: float = 1.0
    decay: float = 1.0
    first_size: int | None = None
    whiten: bool = True
    branches: tuple[tuple[str, str], ...] = ()


@runtime_checkable
class ChoosesTraining(Role, Protocol):
    """An architecture that decides about its training, too."""

    def training_choices(self) -> TrainingChoices:
        """What is different for it; the same always."""
        ...
