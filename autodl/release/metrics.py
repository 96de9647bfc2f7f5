"""What a released network's ``metrics.json`` says, checked whenever it is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, ValidationError

from autodl.config import Section
from autodl.errors import CheckpointError

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Three = tuple[float, float, float]
M = TypeVar("M", bound=Section)


class HeldOutScores(Section):
    """On the pictures that were never trained on and choose, weight and calibrate.

    ``calibration_error`` is after calibration, ``loss`` before.
    """

    accuracy: Share
    right: Annotated[int, Field(ge=0)]
    pictures: Count
    loss: float
    calibration_error: Share


class TestScores(Section):
    """On the test set, read once by ``tools/eval.py``."""

    accuracy: Share
    interval: tuple[Share, Share]
    pictures: Count
    loss: float
    per_class: dict[str, Share | None]
    data: str
    official: bool | None


class TrainingFacts(Section):
    """How the weights came to be; ``checksum`` is that of the whole data set."""

    data: str
    checksum: str
    pictures: Count
    epochs: Count
    seconds: float
    seed: int
    found_by: str


class Latency(Section):
    """Milliseconds for the batch (lower quartile, median, upper quartile), one thread."""

    batch_1: Three
    batch_64: Three
    pictures_per_second: float


class ReleaseMetrics(Section):
    """``metrics.json`` of a released network.

    ``mirrored`` is whether outputs are means over each picture and its mirror image,
    ``temperature`` divides the logits, ``latency`` has a value for each form (Paddle's inference
    engine, ONNX Runtime, ...) of one run of the network, without mirror images.
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
    weights_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    held_out: HeldOutScores
    test: TestScores | None
    training: TrainingFacts
    latency: dict[str, Latency] = Field(default_factory=dict)


class EnsembleMetrics(Section):
    """``ensemble.json``: how often each released network counts, and what they are worth."""

    format: Literal[1]
    members: Annotated[dict[str, Count], Field(min_length=1)]
    temperature: Annotated[float, Field(gt=0)]
    weights_sha256: dict[str, str]
    held_out: HeldOutScores
    test: TestScores | None


def read_metrics(model: type[M], path: Path) -> M:
    """A checked JSON file.

    Raises:
        CheckpointError: it is missing, no JSON, or lacks or misstates something.
    """
    try:
        value: Any = json.loads(path.read_text(encoding="utf-8"))
        return model.model_validate_json(json.dumps(value))
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}; install anew") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise CheckpointError(f"{path}: {where}: {first['msg']}; bring back the file") from None
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is no JSON: {error}; bring back the file") from None
