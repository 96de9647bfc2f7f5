"""What follows a run of a study: train what it found, test it, hold it against known networks.

A run's folder has what its job leaves there, and ``again`` (its best, each trained with several
seeds) with ``again.json``, ``trained`` (a training of its own), ``shared.json`` (accuracies of
known architectures with a supernet's weights) and ``alignment.json``. The known architectures are
trained in ``standalone`` beside the runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from autodl.data.load import load_split
from autodl.jobs.width.config import WidthConfig
from autodl.jobs.width.run import gradient_cosine, shared_accuracies, space_for
from autodl.recipes.config import TrainConfig
from autodl.runs.folder import ARCHITECTURE, BEST, MANIFEST, METRICS, read_manifest
from autodl.runs.lock import locked
from autodl.runs.lost_trials import check_result
from autodl.spaces.codec import decode_architecture, load_architecture
from autodl.spaces.width.architecture import WidthArchitecture
from autodl.studies.hours import AGAIN_HOURS, TRAINING_HOURS
from autodl.studies.jobs import Tell, check_architecture, check_same, read_json, read_training
from autodl.studies.statistics import rank_correlation
from autodl.studies.study import Planned, Study
from autodl.system.files import write_json
from autodl.trial import Architecture, TrialFailure

TRAINED, STANDALONE = "trained", "standalone"
SHARED, ALIGNMENT = "shared.json", "alignment.json"
AGAIN, CHOSEN = "again", "again.json"
_DRAWN = 6  # the stream of random numbers that the known architectures are from


def follow(study: Study, run: Planned, config: object, out: Path, tell: Tell) -> None:
    """Do the steps of a finished run that are not done yet.

    Raises:
        AutoDLError: something in one of them is unusable.
        TrialFailure: a training loss is not finite.
    """
    for step in study.steps(run.variation):
        STEPS[step](study, run, config, out, tell)


def _again(study: Study, run: Planned, config: object, out: Path, tell: Tell) -> None:
    """Train a search's best with several seeds, and write down which of them is best on average.

    Where the search has gone on and has others at its top, these are trained as well, unless the
    one that was best before has been trained in full.
    """
    from autodl.jobs.train.run import retrain

    folder = out / run.name
    options, trainings = study.again(run)
    best = _best(folder, options.top)
    asked = {"options": options.model_dump(), "candidates": [name for name, _ in best]}
    if (folder / CHOSEN).exists():
        known = read_json(folder / CHOSEN)
        known.setdefault("candidates", list(known["means"]))  # earlier versions have no others
        if {key: known[key] for key in asked} == asked:
            return
        if known["options"] == asked["options"] and (folder / TRAINED).exists():
            tell(
                f"its search has gone on; {TRAINED} stays that of {known['chosen']}, which was best"
                f" before (remove {folder / TRAINED} to choose again)"
            )
            return
    found: dict[str, tuple[float, Architecture]] = {}
    for name, architecture in best:
        rewards = []
        for seed, training in enumerate(trainings):
            into = folder / AGAIN / f"{name}-{seed}"
            try:
                done = retrain(training, architecture, into, resume=True, progress=tell)
            except TrialFailure as failure:
                tell(f"{name} fails with seed {seed} and is out: {failure}")
                break
            rewards.append(done.reward)
        else:
            found[name] = (float(np.mean(rewards)), architecture)
            tell(f"{name}: mean {found[name][0]:.4f} of {len(rewards)} seeds")
    if not found:
        raise TrialFailure(f"none of its best {options.top} could be trained again")
    chosen = max(found, key=lambda name: found[name][0])
    means = {name: mean for name, (mean, _) in found.items()}
    result = {"chosen": chosen, "means": means, "architecture": found[chosen][1].to_json()}
    write_json(folder / CHOSEN, {**asked, **result})


def _best(folder: Path, top: int) -> list[tuple[str, Architecture]]:
    """The best of a search, see ``best_of_run``.

    Raises:
        TrialFailure: none of its trials was completed.
    """
    from autodl.jobs.train.run import best_of_run

    if not (folder / BEST).exists():
        raise TrialFailure(f"no trial of it was completed; `autodl report {folder}` says why")
    return best_of_run(folder, top)


def _train(study: Study, run: Planned, config: object, out: Path, tell: Tell) -> None:
    folder = out / run.name
    if "again" in study.steps(run.variation):
        architecture = decode_architecture(read_json(folder / CHOSEN)["architecture"])
    elif study.options.job == "search":
        architecture = _best_to_train(folder, tell)
    else:
        architecture = load_architecture(folder / ARCHITECTURE)
    _trained(study.training(run), architecture, folder / TRAINED, tell)


def _best_to_train(folder: Path, tell: Tell) -> Architecture:
    """The best of a search, or the one that was best when its training was begun."""
    [(name, best)] = _best(folder, 1)
    if not (folder / TRAINED / MANIFEST).exists():
        return best
    begun = read_manifest(folder / TRAINED).get("identity", {}).get("Architecture")
    if begun is None or begun == best.to_json():
        return best
    tell(
        f"its search has gone on to {name}; {TRAINED} stays that of the best before"
        f" (remove {folder / TRAINED} to train anew)"
    )
    return decode_architecture(begun)


def trained_before(folder: Path) -> bool:
    """Whether a search has found something better since its best was trained.

    Of a choice by ``again`` it is not known.
    """
    files = folder / BEST, folder / TRAINED / ARCHITECTURE
    if (folder / CHOSEN).exists() or not all(file.exists() for file in files):
        return False
    best, trained = map(read_json, files)
    return bool(best != trained)


def _trained(config: TrainConfig, architecture: Architecture, folder: Path, tell: Tell) -> None:
    """Train an architecture in a folder unless that is done."""
    from autodl.jobs.train.run import retrain

    if not (folder / METRICS).exists():
        done = retrain(config, architecture, folder, resume=True, progress=tell)
        tell(f"{folder.name}: held-out {done.metric.name} {done.value:.4f}")
        return
    check_same(config, folder)
    check_architecture(folder, architecture)


def _test(study: Study, run: Planned, config: object, out: Path, tell: Tell) -> None:
    from autodl.jobs.train.final_test import measure_once

    folder = out / run.name
    tested = measure_once(folder if study.options.job == "train" else folder / TRAINED)
    tell("tested" + (", which was on record" if tested["on_record"] else ""))


def _rank(study: Study, run: Planned, config: object, out: Path, tell: Tell) -> None:
    if not isinstance(config, WidthConfig) or config.width.mode == "random":
        return  # which trains nothing
    options, training = study.alone()
    known = known_architectures(config, options.architectures)
    with locked(out / STANDALONE, math.inf):  # runs side by side share them
        for number, widths in enumerate(known):
            _trained(training, widths, out / STANDALONE / f"{number:02d}", tell)
    if not (out / run.name / SHARED).exists():
        found = shared_accuracies(config, out / run.name, known)
        write_json(out / run.name / SHARED, found)


def known_architectures(config: WidthConfig, count: int) -> list[WidthArchitecture]:
    """Architectures to train by themselves: uniform draws, the same for all runs of a space."""
    space = space_for(config, load_split(config.data))
    drawn = space.uniform(np.random.default_rng((0, _DRAWN)), count)
    return [space.decode(row) for row in drawn]


def _align(study: Study, run: Planned, config: object, out: Path, tell: Tell) -> None:
    if isinstance(config, WidthConfig) and config.width.mode != "random":
        align(config, out / run.name, out / run.name, tell)


def align(config: WidthConfig, searched: Path, folder: Path, tell: Tell) -> None:
    """How well the gradients of a supernet's candidates agree, on record in ``folder``."""
    if not (folder / ALIGNMENT).exists():
        cosine = gradient_cosine(config, searched)
        write_json(folder / ALIGNMENT, {"gradient_cosine": cosine})
        tell(f"cosine of gradients {cosine:.3f}")


STEPS: Mapping[str, Callable[[Study, Planned, object, Path, Tell], None]] = {
    "again": _again,
    "train": _train,
    "test": _test,
    "rank": _rank,
    "alignment": _align,
}


def read_steps(folder: Path, out: Path) -> dict[str, float]:
    """The columns that steps bring to a run, of those that are done.

    Raises:
        StoreError: a file is damaged.
    """
    values: dict[str, float] = {}
    if (folder / CHOSEN).exists():
        again = read_json(folder / CHOSEN)
        values["reward_again"] = again["means"][again["chosen"]]
        hours = [
            read_training(file.parent).values.get(TRAINING_HOURS)
            for file in sorted((folder / AGAIN).glob(f"*/{METRICS}"))
        ]
        if hours and None not in hours:
            values[AGAIN_HOURS] = sum(filter(None, hours))
    check_result(folder / TRAINED)
    if (folder / TRAINED / METRICS).exists():
        trained = read_training(folder / TRAINED).values
        wanted = ("held_out_", "test_", TRAINING_HOURS)
        values |= {name: trained[name] for name in trained if name.startswith(wanted)}
    if (folder / ALIGNMENT).exists():
        values |= read_json(folder / ALIGNMENT)
    if (folder / SHARED).exists():
        shared = [float(accuracy) for accuracy in read_json(folder / SHARED)]
        alone = [accuracy for accuracy, _ in read_alone(out)]
        if len(shared) == len(alone) >= 2:
            values["rank_correlation"] = rank_correlation(shared, alone)
    return values


def read_alone(out: Path) -> list[tuple[float, float]]:
    """Accuracy and MACs of the stand-alone trainings, in the order of the draws.

    Raises:
        StoreError: a file is damaged.
    """
    finished = (out / STANDALONE).glob(f"*/{METRICS}")
    # by number: with more than a hundred of them the names' order is another one
    ordered = sorted(finished, key=lambda path: int(path.parent.name))
    found = [read_json(path) for path in ordered]
    return [(one["held_out_accuracy"], one["macs"]) for one in found]
