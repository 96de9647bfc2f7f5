"""What a fit is asked for, as sections."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from autodl.config.job import Part, Sections
from autodl.config.paths import AbsolutePath
from autodl.config.reading import RawConfig
from autodl.config.sections import GlobalOptions, Section

Side = Annotated[int, Field(strict=True, ge=16, le=224)]


class FitOptions(Section):
    """``Fit`` section: the pictures, the time, and what may be tried on them."""

    pictures: AbsolutePath = Field(description="folder with a sub-folder for each class")
    minutes: float = Field(30.0, gt=0, allow_inf_nan=False, description="for all of it")
    image_size: Side | None = Field(None, description="side of the pictures; null: it is chosen")
    mirror: bool = Field(True, description="a picture's mirror image shows the same")
    released: bool = Field(True, description="released networks may be trained on")


@dataclass(frozen=True, slots=True)
class FitConfig(Sections):
    """A checked configuration of a fit."""

    general: Annotated[GlobalOptions, Part("Global", free=("device",))]
    fit: Annotated[FitOptions, Part("Fit", free=("minutes", "pictures"))]


def fit_config(pictures: Path, *, seed: int, device: str, **asked: Any) -> FitConfig:
    """What a command line says.

    Args:
        asked: options of ``FitOptions``; None leaves one at its default.

    Raises:
        ConfigError: a value is out of its range.
    """
    given = {name: value for name, value in asked.items() if value is not None}
    return FitConfig.resolve(
        RawConfig(
            {
                "Global": {"seed": seed, "device": device},
                "Fit": {"pictures": str(pictures), **given},
            }
        )
    )
