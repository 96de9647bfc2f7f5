"""The configuration of a width search: its sections, checked together, and the space they mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from autodl.agents.options import ControllerOptions
from autodl.config.job import Part, Sections
from autodl.config.sections import GlobalOptions
from autodl.data.options import DataOptions
from autodl.errors import ConfigError
from autodl.spaces.width.space import WidthSpace, make_width_space
from autodl.supernets.width.options import SupernetOptions, WidthOptions

_CONTROL = 0.95  # random widths cost at least this share of the budget


@dataclass(frozen=True, slots=True)
class WidthConfig(Sections):
    """A checked configuration of a width search."""

    general: Annotated[GlobalOptions, Part("Global", free=("device",))]
    data: Annotated[DataOptions, Part("Data", free=("path",))]
    width: Annotated[WidthOptions, Part("Width")]
    supernet: Annotated[SupernetOptions, Part("Supernet")]
    controller: Annotated[ControllerOptions, Part("Controller")]


load_width, resolve_width = WidthConfig.load, WidthConfig.resolve


def make_space(config: WidthConfig, *, classes: int, image_size: int) -> WidthSpace:
    """The space that ``Width`` describes, for pictures of a size.

    Raises:
        ConfigError: unusable candidates or cells, or a budget or its range outside of what the
            networks cost.
    """
    width = config.width
    space = make_width_space(
        width.network,
        width.candidates,
        classes=classes,
        image_size=image_size,
        convention=width.convention,
        blockwise=width.blockwise,
        cells=width.read_cells(),
        cells_per_stage=width.cells_per_stage,
        stages=width.stages,
    )
    smallest, largest = space.bounds
    if not smallest <= width.budget_macs <= largest:
        side = "below the smallest" if width.budget_macs < smallest else "above the largest"
        raise ConfigError(
            f"Width.budget_macs {width.budget_macs:,} is {side} network: {width.network} with these"
            f" candidates costs {smallest:,} to {largest:,} MACs ({width.convention})"
        )
    low, high = cost_range(config)
    if high < smallest or low > largest:
        raise ConfigError(
            f"Width.budget_range {list(width.budget_range)} asks for {low:,.0f} to {high:,.0f}"
            f" MACs: {width.network} with these candidates costs {smallest:,} to {largest:,}"
        )
    return space


def cost_range(config: WidthConfig) -> tuple[float, float]:
    """Least and greatest cost of the result."""
    low, high = config.width.budget_range
    return low * config.width.budget_macs, high * config.width.budget_macs


def control_range(config: WidthConfig) -> tuple[float, float]:
    """Least and greatest cost of random widths: close to the budget, however wide the range is.

    The searched widths come close to it too, as their accuracy grows with their cost. Where the
    budget is not in the range, its upper end counts.
    """
    low, high = cost_range(config)
    budget = float(config.width.budget_macs)
    top = budget if low < budget <= high else high
    return max(low, _CONTROL * top), top


def sharing_options(config: WidthConfig) -> SupernetOptions:
    """The supernet's options as the mode has them.

    Ordinal and independent sharing are exact and stay as they are.
    """
    fixed = {"ordinal": 1.0, "independent": 0.0}
    if config.width.mode not in fixed:
        return config.supernet
    change = {"overlap": fixed[config.width.mode], "noise": 0.0}
    return config.supernet.model_copy(update=change)
