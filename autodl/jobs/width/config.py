"""The configuration of a width search: its sections, checked together, and the space they mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autodl.agents.options import ControllerOptions
from autodl.config.components import read_general
from autodl.config.plugins import plugin_identity
from autodl.config.reading import RawConfig, load_config
from autodl.config.sections import GlobalOptions, check_sections, read_section
from autodl.data.options import DataOptions
from autodl.errors import ConfigError
from autodl.spaces.cell.architecture import CellPair
from autodl.spaces.codec import load_architecture
from autodl.spaces.width.space import WidthSpace, make_width_space
from autodl.supernets.width.options import SupernetOptions, WidthOptions

WIDTH_SECTIONS = ("Global", "Data", "Width", "Supernet", "Controller")
_CONTROL = 0.95  # random widths cost at least this share of the budget


@dataclass(frozen=True, slots=True)
class WidthConfig:
    """A checked configuration of a width search."""

    general: GlobalOptions
    data: DataOptions
    width: WidthOptions
    supernet: SupernetOptions
    controller: ControllerOptions

    def to_plain(self) -> dict[str, Any]:
        """Every key with its value, as a config file would give it."""
        return {
            "Global": self.general.model_dump(mode="json"),
            "Data": self.data.model_dump(mode="json"),
            "Width": self.width.model_dump(mode="json"),
            "Supernet": self.supernet.model_dump(mode="json"),
            "Controller": self.controller.model_dump(mode="json"),
        }

    def identity(self) -> dict[str, Any]:
        """What must not change when a search is resumed: all but device and place of data."""
        plain = self.to_plain()
        del plain["Global"]["device"], plain["Data"]["path"]
        pair = _cells(self.width)  # wherever its file is
        plain["Width"]["cells"] = None if pair is None else pair.to_json()
        plain["Global"]["plugins"] = plugin_identity(self.general.plugins)
        return plain


def load_width(path: Path | str, overrides: Sequence[str] = ()) -> WidthConfig:
    """Read the configuration of a width search.

    Raises:
        ConfigError: the file or an override is unusable.
    """
    return resolve_width(load_config(Path(path), overrides))


def resolve_width(raw: RawConfig) -> WidthConfig:
    """Check the values of a width search's configuration, section by section."""
    check_sections(raw, WIDTH_SECTIONS)
    return WidthConfig(
        general=read_general(raw),
        data=read_section(DataOptions, raw, "Data"),
        width=read_section(WidthOptions, raw, "Width"),
        supernet=read_section(SupernetOptions, raw, "Supernet"),
        controller=read_section(ControllerOptions, raw, "Controller"),
    )


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
        cells=_cells(width),
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


def _cells(width: WidthOptions) -> CellPair | None:
    if width.cells is None:
        return None
    found = load_architecture(width.cells)
    if not isinstance(found, CellPair):
        raise ConfigError(f"Width.cells {width.cells} holds no cell pair; give one of a search")
    return found


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
