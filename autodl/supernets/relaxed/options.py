"""How the weights on operations are learned."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from autodl.config.sections import Section
from autodl.errors import ConfigError
from autodl.recipes.parts import SGDOptions


class RelaxedOptions(Section):
    """``Supernet.path`` of the name ``Relaxed``; the defaults are DARTS'."""

    order: Literal[1, 2] = Field(
        2, description="2: of the held-out loss behind a step of the weights; 1: as they are"
    )
    learning_rate: float = Field(3e-4, gt=0, description="Adam's, of the logits")
    beta1: float = Field(0.5, ge=0, lt=1)
    beta2: float = Field(0.999, ge=0, lt=1)
    weight_decay: float = Field(1e-3, ge=0, description="L2 of the logits")

    def check_optimiser(self, options: Section) -> SGDOptions | None:
        """The options of the weights' optimiser, if its step is looked behind; else None.

        Raises:
            ConfigError: it is, and is not a step of plain SGD.
        """
        if self.order == 1:
            return None
        if not isinstance(options, SGDOptions) or options.nesterov or options.shift_rate != 1.0:
            raise ConfigError(
                "Supernet.path.order 2 looks behind a step of plain SGD: set Train.nesterov: false"
                " (or Train.optimiser: {name: SGD, nesterov: false}), or Supernet.path.order: 1"
            )
        return options
