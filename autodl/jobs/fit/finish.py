"""From the best training to what a person gets: tested once, calibrated, exported, described."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodl.data.subset import Subset
from autodl.errors import StoreError
from autodl.jobs.export import export_network
from autodl.jobs.fit.candidates import PICTURES, data_overrides
from autodl.jobs.fit.contest import Entrant, Round, read_plan
from autodl.jobs.fit.verdict import Verdict, judge
from autodl.jobs.release.publish import publish
from autodl.jobs.train.final_test import measure_once
from autodl.release.card import card_text
from autodl.release.metrics import ReleaseMetrics, read_metrics
from autodl.release.network import CARD, NETWORK, load, training_config
from autodl.runs.folder import METRICS, TEST
from autodl.system.files import replacing, replacing_content, write_text

DEPLOYED, REPORT, SCRIPT = "deployed", "report.html", "predict.py"
TESTED = "test_logits.npy"


def finish(
    folder: Path,
    best: Entrant,
    subset: Subset,
    this: Round,
    tried: Sequence[Entrant],
    pictures: Path,
    tell: Callable[[str], None],
) -> dict[str, Any]:
    """Write everything that a fit comes to, and give its metrics.

    What an earlier round has come to is replaced when all of it is there, and stays whole before;
    a network that was tested is not tested again.

    Args:
        best: what is released, tested and exported.
        this: the round that has ended, and the trainings ``tried`` in it; the best may be of an
            earlier one, and the plan on record is that of its own.
        pictures: the folder that all began with, for what is to be typed next.

    Raises:
        StoreError: the disk is full, or the folder cannot be written; the trainings stay.
        AutoDLError: the network cannot be exported.
    """
    from autodl.jobs.fit.page import fit_page

    plan = read_plan(best.round_folder).to_plain()  # before anything is done that it would end
    tell(f"testing {best.about}, once")
    here = data_overrides(folder / PICTURES)
    test = measure_once(best.folder, here, seen=lambda logits, labels: _keep(best.folder, logits))
    with replacing_content(folder) as aside:
        publish(
            best.folder,
            aside / NETWORK,
            found_by=f"{best.about}; chosen by autodl fit on held-out pictures",
            overrides=here,
            repetitions=0,
            largest=None,
        )
        network = load(str(aside / NETWORK))
        verdict = judge(_tested(best.folder), subset, network.temperature)
        tell(f"test accuracy {verdict.accuracy:.4f}, balanced {verdict.balanced:.4f}; exporting")
        exported = export_network(network, aside / DEPLOYED)
        metrics = {
            "chosen": best.to_plain(folder),
            "tried": [entrant.to_plain(folder) for entrant in tried],
            "round": this.number,
            "plan": plan,
            "plan_round": best.round_folder.name,
            "classes": list(subset.dataset.classes),
            "left_out": {name: dict(counts) for name, counts in subset.dataset.left_out.items()},
            "test": {**test, **verdict.to_plain()},
            "exported": {"files": dict(exported.files), "without_onnx": exported.without_onnx},
        }
        write_text(aside / CARD, fit_card(aside / NETWORK, folder / NETWORK, metrics, verdict))
        write_text(aside / SCRIPT, script(folder))
        page = fit_page(folder.name, metrics, verdict, next_lines(folder, pictures))
        write_text(aside / REPORT, page)
    return metrics


def next_lines(folder: Path, pictures: Path) -> list[str]:
    """What to type next, for a shell."""
    network, own, given = (shlex.quote(str(path)) for path in (folder / NETWORK, folder, pictures))
    return [
        f"autodl infer PICTURE.jpg --model {network}",
        f"python {shlex.quote(str(folder / SCRIPT))} PICTURE.jpg",
        f"autodl fit {given} --out {own} --resume --minutes MORE",
    ]


def script(folder: Path) -> str:
    """Ten lines of Python that say what is on pictures."""
    return f'''"""Say what is on pictures: python {SCRIPT} PICTURE ..."""

import sys
from pathlib import Path

from autodl.release import load

network = load(str(Path(__file__).resolve().parent / "{NETWORK}"))
files = sys.argv[1:]
for file, top in zip(files, network.predict(files).top(2), strict=True):
    print(file, ", ".join(f"{{name}} {{chance:.1%}}" for name, chance in top))
'''


def fit_card(release: Path, place: Path, metrics: dict[str, Any], verdict: Verdict) -> str:
    """The released network's card, and figures of every class behind it.

    Args:
        release: where the network is now.
        place: where it will be.
    """
    known = read_metrics(ReleaseMetrics, release / METRICS)
    text = card_text(NETWORK, known, training_config(release))
    text = text.replace(f'load("{NETWORK}")', f"load({str(place)!r})")
    rows = ["| class | precision | recall | F1 | pictures |", "|---|---|---|---|---|"]
    for figures in verdict.figures:
        shares = (figures.precision, figures.recall, figures.f1)
        cells = " | ".join("none" if share is None else f"{share:.3f}" for share in shares)
        rows.append(f"| {figures.name} | {cells} | {figures.support} |")
    confused = ", ".join(f"{a} taken for {b} ({n})" for a, b, n in verdict.confused) or "none"
    left = {name: counts for name, counts in metrics["left_out"].items() if counts}
    more = [
        "## Classes, on the test part",
        f"Balanced accuracy {verdict.balanced:.4f} (the mean recall), accuracy"
        f" {verdict.accuracy:.4f}.",
        "\n".join(rows),
        f"Confused most often: {confused}.",
        f"## What was decided for {metrics['plan_round']}, and why",
        "\n".join(f"- {name}: {reason}" for name, reason in metrics["plan"]["reasons"].items()),
    ]
    if left:
        told = "; ".join(
            f"{name}: {', '.join(f'{count} {reason}' for reason, count in counts.items())}"
            for name, counts in left.items()
        )
        more += ["## What was left out", told]
    return text + "\n" + "\n\n".join(more) + "\n"


def _keep(training: Path, logits: NDArray[np.float64]) -> None:
    with replacing(training / TESTED) as aside:
        np.save(aside, logits, allow_pickle=False)


def _tested(training: Path) -> NDArray[np.float64]:
    """Logits of the test pictures, as they were measured.

    Raises:
        StoreError: they are gone.
    """
    path = training / TESTED
    if not path.exists():
        raise StoreError(
            f"{path} is missing: the network was tested by autodl eval, and not by the fit; remove"
            f" {training / TEST} to have the fit look at the same pictures with the same weights"
        )
    try:
        found: NDArray[np.float64] = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise StoreError(f"cannot read {path}: {error}; bring it back from a back-up") from None
    return found
