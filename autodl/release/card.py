"""The card of a released network, made from its metrics so that the two cannot differ."""

from __future__ import annotations

from autodl.recipes.config import TrainConfig
from autodl.recipes.recipe import form_of
from autodl.release.metrics import HeldOutScores, ReleaseMetrics, TestScores, TrainingFacts
from autodl.runs.folder import ARCHITECTURE, PACKED, WEIGHTS
from autodl.spaces.training_choices import TrainingChoices

_FORMS = {
    "trained": "as trained, Paddle layer by layer",
    "fused": "fused, Paddle layer by layer",
    "inference": "fused, Paddle's inference engine (oneDNN)",
    "onnxruntime": "fused, ONNX Runtime",
}


def card_text(
    name: str,
    metrics: ReleaseMetrics,
    config: TrainConfig,
    choices: TrainingChoices | None = None,
) -> str:
    """Markdown for people: what it is, how found and trained, what it is worth and costs.

    Args:
        config: how it was trained, with what its architecture decides about that.
        choices: these decisions; None for none.
    """
    training, train = metrics.training, config.train
    form, decided = form_of(train).name, _decided(choices or TrainingChoices())
    branched = form != "none"
    branches = f", with {form.replace('branches', 'several')} branches" if branched else ""
    fused = ", once its branches are fused" if branched else ""
    bits = metrics.average_bits
    packed = "" if bits is None else f", packed: {bits:.2f} bits for a weight of a rounded layer"
    parts = [
        f"# {name}",
        f"Classifies pictures of {metrics.image_size}x{metrics.image_size} into"
        f" {len(metrics.classes)} classes ({', '.join(metrics.classes)}).",
        "```python\nfrom autodl.release import load\n\n"
        f'print(load("{name}").predict("picture.png").top(3))\n```',
        f"{_origin(training)}\n\n{training.found_by}",
        "## How it was trained\n\n"
        f"On {training.pictures:,} pictures of {training.data}, {training.epochs} epochs, batches"
        f" of {train.batch_size}, seed {training.seed}{branches}, in"
        f" {_hours(training)}; everything else stands in `train.yaml`{decided}."
        f" {metrics.held_out.pictures:,} more pictures were held out: nothing was trained on them.",
        "## What it is worth\n\n" + "\n".join(_worth(metrics)),
        f"## What it costs\n\n{metrics.parameters:,} parameters and {metrics.macs:,}"
        f" multiply-accumulates for a picture{fused}; weights of"
        f" {metrics.weights_bytes / 1e6:.{1 if bits is None else 3}f} MB{packed}.",
        *_latency(metrics),
        f"## Limits\n\nIt knows nothing but its classes, and calls any picture one of them. It saw"
        f" {_seen(training.data)}; probabilities are calibrated for such pictures alone.",
        f"## Licence\n\nApache-2.0. SHA-256 of `{WEIGHTS if bits is None else PACKED}`:"
        f" `{metrics.weights_sha256}`",
    ]
    return "\n\n".join(parts) + "\n"


def _origin(training: TrainingFacts) -> str:
    if training.by_hand:
        return "## Who designed it\n\nPeople: no search found it."
    return "## How it was found"


def _hours(training: TrainingFacts) -> str:
    if training.core_seconds is None:
        return f"{training.core_hours:.2f} hours of one core"
    return f"{training.core_hours:.2f} core-hours ({training.seconds / 3600:.2f} by the clock)"


def _decided(choices: TrainingChoices) -> str:
    """What the architecture decides about its training, as the end of a sentence."""
    changes = [
        f"{what} times {factor:g}"
        for what, factor in (("the rate", choices.rate), ("the decay", choices.decay))
        if factor != 1
    ]
    if choices.first_size is not None:
        changes.append(f"pictures that grow from {choices.first_size} on")
    changes += [f"{blocks} branches in {part}" for part, blocks in choices.branches]
    if not changes:
        return ""
    return f", but for what the network decides itself (`{ARCHITECTURE}`): {', '.join(changes)}"


def _seen(data: str) -> str:
    if data.startswith("CIFAR"):
        return "small pictures of everyday things, most of them with the thing in the middle"
    return f"pictures of {data} alone, of which nobody here knows what else they have in common"


def _worth(metrics: ReleaseMetrics) -> list[str]:
    rows = ["| pictures | accuracy | loss, not calibrated |", "|---|---|---|"]
    rows.append(held_out_row(metrics.held_out))
    if metrics.test is not None:
        rows.append(test_row(metrics.test))
    if metrics.mirrored:
        single = metrics.single
        rows += [
            "",
            f"Outputs are means over {_views(metrics)}. Of one run of each picture,"
            f" as an exported network does it, {single.held_out.accuracy:.4f} of the held-out ones"
            f" are right; the temperature below is then {single.temperature:.3f}, the calibration"
            f" error {100 * single.held_out.calibration_error:.1f} points.",
        ]
    rows += [
        "",
        f"Probabilities are calibrated by the temperature {metrics.temperature:.3f}, fitted on the"
        f" held-out pictures; expected calibration error there"
        f" {100 * metrics.held_out.calibration_error:.1f} points (15 bins).",
    ]
    if metrics.test is not None:
        known = {k: v for k, v in metrics.test.per_class.items() if v is not None}
        words = ", ".join(f"{label} {value:.3f}" for label, value in known.items())
        rows += ["", f"Test accuracy of each class: {words}"]
    return rows


def _views(metrics: ReleaseMetrics) -> str:
    if metrics.six_views:
        return (
            "six views of each picture: itself and its mirror image, which count a quarter each,"
            " and both shifted by a pixel up and left, and down and right, an eighth each"
        )
    return "each picture and its mirror image"


def held_out_row(scores: HeldOutScores) -> str:
    """A row of the table of accuracies."""
    return f"| held out, {scores.pictures:,} | {scores.accuracy:.4f} | {scores.loss:.4f} |"


def test_row(scores: TestScores) -> str:
    """A row of the table of accuracies; the interval is Wilson's."""
    low, high = scores.interval
    files = " (not the official files)" if scores.official is False else ""
    return (
        f"| test set of {scores.data}{files}, read once, {scores.pictures:,} |"
        f" {scores.accuracy:.4f} (95 %: {low:.4f} to {high:.4f}) | {scores.loss:.4f} |"
    )


def _latency(metrics: ReleaseMetrics) -> list[str]:
    if not metrics.latency:
        return []
    rows = [
        "| form | batch 1, ms | pictures per second | batch 64, ms | pictures per second |",
        "|---|---|---|---|---|",
        *(
            f"| {_FORMS.get(form, form)} | {row.batch_1[1]:.2f} ({row.batch_1[0]:.2f} to"
            f" {row.batch_1[2]:.2f}) | {1000 / row.batch_1[1]:,.0f} | {row.batch_64[1]:.1f}"
            f" ({row.batch_64[0]:.1f} to {row.batch_64[2]:.1f}) | {row.pictures_per_second:,.0f} |"
            for form, row in metrics.latency.items()
        ),
    ]
    return [
        f"Median (quartiles) on {metrics.timed_on}, "
        + ("of one view" if metrics.six_views else "without mirror images")
        + ":",
        "\n".join(rows),
    ]
