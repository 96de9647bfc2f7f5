"""The layer that mixes operations: whose share each is, the network is told and not the plan."""

from __future__ import annotations

from dataclasses import dataclass

from autodl.plans.layers import Add, Shape


@dataclass(frozen=True, slots=True)
class Mix(Add):
    """Sum of inputs of the same shape, each times a number that the plan does not know.

    The numbers stand in a row of a table that the network is given; ``columns`` has that of each
    input.
    """

    table: str
    row: int
    columns: tuple[int, ...]

    def output_shape(self, *inputs: Shape) -> Shape:
        """The common shape of all inputs."""
        if len(inputs) != len(self.columns):
            raise ValueError(f"{len(self.columns)} columns are mixed, got {len(inputs)} inputs")
        return Add.output_shape(self, *inputs)
