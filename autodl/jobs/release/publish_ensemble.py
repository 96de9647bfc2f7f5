"""Choose, weight and calibrate the released ensemble on the held-out pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from autodl.data.dataset import Dataset
from autodl.data.load import SearchData, load, load_split, public_name
from autodl.errors import ConfigError, DataError, StoreError
from autodl.jobs.release.publish import check_overrides
from autodl.recipes.config import TrainConfig
from autodl.release.calibration import calibration_error, log_loss
from autodl.release.ensemble import FILE, Ensemble, calibrated, select
from autodl.release.evaluation import check_classes, measured
from autodl.release.metrics import (
    EnsembleMetrics,
    GainScores,
    HeldOutScores,
    ReleaseMetrics,
    TestScores,
    VoteScores,
    read_metrics,
    write_metrics,
)
from autodl.release.network import ReleasedNetwork, find, training_config
from autodl.release.network import load as load_network
from autodl.release.voting import choose_votes
from autodl.runs.folder import METRICS
from autodl.system.files import check_writable
from autodl.trained.test_result import gain_interval


def publish_ensemble(
    names: Sequence[str], models: Path, *, overrides: Sequence[str] = ()
) -> EnsembleMetrics:
    """Write ``models/ensemble.json``; the test set is read once, when all is chosen.

    Args:
        names: of released networks, which saw the same data and were cut alike.
        overrides: ``Data.path=...``, where the data are now.

    Raises:
        StoreError: there is one already: choosing again would read the test set again.
        ConfigError: no name or one twice, members that know other classes or were cut in another
            way, or an override of something else.
        DataError: other data than those of the trainings.
    """
    if not names:
        raise ConfigError("an ensemble is chosen from at least one released network, got none")
    check_overrides(overrides)
    check_writable(models / FILE, "the ensemble and its one test go there")
    if repeated := [name for name in names if list(names).count(name) > 1]:
        raise ConfigError(f"{repeated[0]} is named twice; its weight is chosen here")
    members = [load_network(name, models=models) for name in names]
    configs = [training_config(find(name, models), overrides) for name in names]
    data = _same_data(names, configs)
    facts = {name: read_metrics(ReleaseMetrics, find(name, models) / METRICS) for name in names}
    for name in names:
        if facts[name].training.checksum != data.checksum:
            raise DataError(
                f"{data.name} is not what {name} was trained on; give Data.path of that"
            )
    if (models / FILE).exists():
        raise StoreError(f"{models / FILE} is there already; remove it first to choose anew")
    pictures, labels = data.held_out.images, data.held_out.labels
    logits = [member.logits(pictures) for member in members]
    choice = choose_votes(calibrated(members, logits), labels)
    chosen = select(members, logits, labels, choice.counts)
    kept = [member.name for member in chosen.members]
    outcome = chosen.predict_from([logits[list(names).index(name)] for name in kept])
    chances = outcome.probabilities
    right = int((outcome.labels == labels).sum())
    best = members[max(range(len(names)), key=lambda i: facts[names[i]].held_out.accuracy)]
    test, gains = _test(chosen, members, best, load(configs[0].data))
    made = EnsembleMetrics(
        format=1,
        members={
            name: round(weight) for name, weight in zip(kept, chosen.weights.tolist(), strict=True)
        },
        temperature=chosen.temperature,
        weights_sha256={name: facts[name].weights_sha256 for name in kept},
        held_out=HeldOutScores(
            accuracy=right / len(labels),
            right=right,
            pictures=len(labels),
            loss=log_loss(np.log(np.maximum(chances, 1e-300)), labels),
            calibration_error=calibration_error(chances, labels),
        ),
        test=test,
        cross_validated=VoteScores(
            selected=choice.selected, mean=choice.mean, interval=choice.interval
        ),
        gains=gains,
    )
    write_metrics(made, models / FILE)
    return made


def _test(
    chosen: Ensemble, members: Sequence[ReleasedNetwork], best: ReleasedNetwork, dataset: Dataset
) -> tuple[TestScores, tuple[GainScores, ...]]:
    """The ensemble on the test pictures, which every network looks at once, and its gains.

    Args:
        chosen: some of the members.
        members: all that could be chosen; their plain mean is the first control.
        best: one of them, the second control.
    """
    check_classes(chosen, dataset)
    labels = dataset.test.labels
    logits = {member.name: member.logits(dataset.test.images) for member in members}
    outcome = chosen.predict_from([logits[member.name] for member in chosen.members])
    tested = measured(np.log(np.maximum(outcome.probabilities, 1e-300)), dataset)
    tested["data"] = public_name(tested["data"], tested["checksum"])
    mean = calibrated(members, list(logits.values())).mean(axis=0)
    controls = {
        f"the plain mean of the {len(members)} networks": mean.argmax(axis=1) == labels,
        best.name: logits[best.name].argmax(axis=1) == labels,
    }
    right = outcome.labels == labels
    gains = tuple(
        GainScores(
            than=name,
            gain=float(right.mean() - other.mean()),
            interval=gain_interval(right, other),
        )
        for name, other in controls.items()
    )
    return TestScores(**{name: tested[name] for name in TestScores.model_fields}), gains


def _same_data(names: Sequence[str], configs: Sequence[TrainConfig]) -> SearchData:
    """The pictures of all members: one held-out part that none of them trained on.

    Raises:
        ConfigError: they were cut in different ways.
    """
    first, *others = configs
    data = load_split(first.data)
    for name, config in zip(names[1:], others, strict=True):
        if config.data == first.data:
            continue
        held_out = load_split(config.data).held_out  # numbers that are left out may be written out
        if not np.array_equal(held_out.images, data.held_out.images):
            raise ConfigError(
                f"{names[0]} and {name} have other Data sections: the held-out pictures of one may"
                " be training pictures of the other"
            )
    return data
