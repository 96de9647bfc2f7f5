"""What a released network's ``metrics.json`` says, checked whenever it is read."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, ValidationError

from autodl.config.sections import Section
from autodl.errors import CheckpointError
from autodl.system.files import write_json

Share = Annotated[float, Field(ge=0, le=1)]
Difference = Annotated[float, Field(ge=-1, le=1)]
Count = Annotated[int, Field(ge=1)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Three = tuple[float, float, float]
_CHECKSUM = "sha256"  # of all the rest
M = TypeVar("M", bound=Section)


class HeldOutScores(Section):
    """On the pictures that were never trained on and choose, weight and calibrate.

    ``calibration_error`` is after calibration, ``loss`` before it for a network and after it for an
    ensemble.
    """

    accuracy: Share
    right: Annotated[int, Field(ge=0)]
    pictures: Count
    loss: float
    calibration_error: Share


class TestScores(Section):
    """On the test set, read once by ``autodl eval``."""

    accuracy: Share
    interval: tuple[Share, Share]
    pictures: Count
    loss: float
    per_class: dict[str, Share | None]
    data: str
    official: bool | None


class TrainingFacts(Section):
    """How the weights came to be; ``checksum`` is that of the whole data set.

    ``core_seconds`` are those of the processor in forward, backward and update, without pauses and
    other work; None where only the clock was read. ``by_hand`` is whether people designed the
    network, and no search found it.
    """

    data: str
    checksum: str
    pictures: Count
    epochs: Count
    seconds: float
    seed: int
    found_by: str
    core_seconds: float | None = None
    by_hand: bool = False

    @property
    def core_hours(self) -> float:
        """Hours of the processor, or of the clock where these are not known."""
        spent = self.seconds if self.core_seconds is None else self.core_seconds
        return spent / 3600


class Latency(Section):
    """Milliseconds for the batch (lower quartile, median, upper quartile), one thread."""

    batch_1: Three
    batch_64: Three
    pictures_per_second: float


class SingleRun(Section):
    """What one run of each picture is worth, as an exported network does it."""

    temperature: Annotated[float, Field(gt=0)]
    held_out: HeldOutScores


class ReleaseMetrics(Section):
    """``metrics.json`` of a released network.

    ``mirrored`` is whether outputs are means over each picture and its mirror image, ``six_views``
    whether they are means over these two and both shifted (``autodl/data/views.py``) in the place
    of that; ``temperature`` divides the logits, ``single`` is of one run of each picture, and
    ``latency`` has a value for each form (Paddle's inference engine, ONNX Runtime, ...), of one
    run, too.
    ``timed_on`` names the processor and the packages. Losses are those of logits that are not
    calibrated. ``average_bits`` is that of the rounded weights, of a network that was compressed;
    ``per_picture`` is whether pictures are standardised each by itself, and not by mean and std.
    """

    format: Literal[1]
    classes: Annotated[tuple[str, ...], Field(min_length=2)]
    image_size: Count
    mean: Three
    std: Three
    mirrored: bool
    temperature: Annotated[float, Field(gt=0)]
    parameters: Count
    macs: Count
    weights_bytes: Count
    weights_sha256: Sha256
    architecture_sha256: Sha256
    config_sha256: Sha256
    held_out: HeldOutScores
    single: SingleRun
    test: TestScores | None
    training: TrainingFacts
    latency: dict[str, Latency] = Field(default_factory=dict)
    timed_on: str = ""
    average_bits: Annotated[float, Field(gt=0)] | None = None
    per_picture: bool = False
    six_views: bool = False

    @property
    def views(self) -> int:
        """How many views of a picture outputs are means over."""
        return 6 if self.six_views else 1 + self.mirrored


class VoteScores(Section):
    """Held-out accuracies on pictures that the votes were not chosen on; see ``choose_votes``."""

    selected: Annotated[float, Field(ge=0, le=1)]
    mean: Annotated[float, Field(ge=0, le=1)]
    interval: tuple[Difference, Difference] | None = None


class GainScores(Section):
    """How many more of the test pictures the ensemble names rightly, as a share; 95 %."""

    than: str
    gain: Difference
    interval: tuple[Difference, Difference]


class EnsembleMetrics(Section):
    """``ensemble.json``: how often each released network counts, and what they are worth.

    ``gains`` are over what costs as much or less: the plain mean of all networks that could be
    chosen, and the member that is best on the held-out pictures. Neither they nor
    ``cross_validated`` are there where votes were chosen before it was measured.
    """

    format: Literal[1]
    members: Annotated[dict[str, Count], Field(min_length=1)]
    temperature: Annotated[float, Field(gt=0)]
    weights_sha256: dict[str, str]
    held_out: HeldOutScores
    test: TestScores | None
    cross_validated: VoteScores | None = None
    gains: tuple[GainScores, ...] = ()


def write_metrics(metrics: Section, path: Path) -> None:
    """A JSON file that knows its own checksum, whole or not at all."""
    plain = metrics.model_dump(mode="json")
    write_json(path, {**plain, _CHECKSUM: _checksum(plain)})


def _checksum(plain: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def read_metrics(model: type[M], path: Path) -> M:
    """A checked JSON file.

    Raises:
        CheckpointError: it is missing, no JSON, was changed since it was written, or lacks or
            misstates something.
    """
    try:
        value: Any = json.loads(path.read_text(encoding="utf-8"))
        known = value.pop(_CHECKSUM, None) if isinstance(value, dict) else None
        read = model.model_validate_json(json.dumps(value))
        if known != _checksum(value):
            raise CheckpointError(
                f"{path} is not what was released: its own checksum differs; install the project"
                " anew"
            )
        return read
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}; install anew") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise CheckpointError(f"{path}: {where}: {first['msg']}; bring back the file") from None
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is no JSON: {error}; bring back the file") from None
