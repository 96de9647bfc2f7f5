"""Several released networks that vote."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from autodl.errors import CheckpointError, ConfigError, did_you_mean
from autodl.release.calibration import fit_temperature, probabilities
from autodl.release.metrics import EnsembleMetrics, read_metrics
from autodl.release.network import ReleasedNetwork, check_same_classes, load
from autodl.release.pictures import Given, as_pictures
from autodl.release.prediction import Prediction
from autodl.release.voting import Outcome, Vote, choose_votes, hard_vote, soft_vote
from autodl.system.resources import resource

FILE = "ensemble.json"


class Ensemble:
    """Networks that vote on the same classes.

    Args:
        members: names of released networks, or loaded ones (``load``, ``from_training``).
        vote: ``soft``, the mean of the members' calibrated probabilities; ``hard``, one vote each;
            ``weighted``, the mean by ``weights``.
        weights: of the members, for ``weighted`` alone: not negative, with a positive sum. None
            takes those that were selected on the held-out pictures (``ensemble.json``), 0 for who
            was not.
        temperature: calibrates the result: probabilities to the power of its inverse, rescaled.
            None is 1 or, where all that were selected vote by their weights, the one fitted then.

    Raises:
        ConfigError: no member, different classes, an unknown vote or wrong weights.
        UnknownNameError: no released network of a name.
        CheckpointError: files of a member are damaged.
    """

    def __init__(
        self,
        members: Sequence[str | ReleasedNetwork],
        vote: Vote = "soft",
        *,
        weights: Sequence[float] | NDArray[np.float64] | None = None,
        temperature: float | None = None,
    ) -> None:
        if not members or not isinstance(members, list | tuple):
            got = "an empty one" if isinstance(members, list | tuple) else type(members).__name__
            raise ConfigError(f"an ensemble has a list of at least one member, got {got}")
        if strange := [each for each in members if not isinstance(each, str | ReleasedNetwork)]:
            raise ConfigError(
                "members are names of released networks, or loaded ones, got"
                f" {type(strange[0]).__name__}"
            )
        if vote not in get_args(Vote):
            known = get_args(Vote)
            raise ConfigError(
                f"unknown vote {vote!r}.{did_you_mean(str(vote), known)} Known: {', '.join(known)}."
            )
        if temperature is not None and not temperature > 0:
            raise ConfigError(f"a temperature is positive, got {temperature}")
        self.members = [load(each) if isinstance(each, str) else each for each in members]
        if untrained := [each.name for each in self.members if not each.trained]:
            raise ConfigError(f"{untrained[0]} has no trained classifier: it cannot vote")
        self.classes = check_same_classes(self.members)
        self.vote: Vote = vote
        fitted = 1.0
        if vote == "weighted" and weights is None:
            weights, fitted = _as_selected(self.members)
        self.temperature = fitted if temperature is None else temperature
        self.weights = self._weights(weights)

    @classmethod
    def released(cls, models: Path | str | None = None) -> Ensemble:
        """The ensemble that was selected, weighted and calibrated on the held-out pictures.

        Raises:
            CheckpointError: its file, or files of a member, are missing or damaged, or a member is
                not the network that was weighted.
            UnknownNameError: a member is not there.
        """
        root = resource("models") if models is None else Path(models)
        chosen = read_metrics(EnsembleMetrics, root / FILE)
        members = [load(name, models=root) for name in chosen.members]
        _check_members(members, chosen, root)
        weights = [float(count) for count in chosen.members.values()]
        return cls(members, "weighted", weights=weights, temperature=chosen.temperature)

    def predict(self, pictures: Given, *, batch_size: int = 256) -> Prediction:
        """Probabilities, and the share of votes for the likeliest class as ``agreement``.

        Raises:
            DataError: something that is no picture.
        """
        given = list(pictures) if isinstance(pictures, Iterator) else pictures
        sides = {member.image_size for member in self.members}
        images = {side: as_pictures(given, side) for side in sides}  # files are read once
        logits = [
            member.logits(images[member.image_size], batch_size=batch_size)
            for member in self.members
        ]
        return self.predict_from(logits)

    def predict_from(self, logits: Sequence[NDArray[np.float64]]) -> Prediction:
        """The same from the members' logits, each ``[N, classes]``."""
        outcome = self._vote(logits)
        chances = outcome.probabilities
        if self.temperature != 1.0:
            # a class without any vote keeps none; 0 to a positive power is 0
            chances = chances ** (1.0 / self.temperature)
            chances = chances / chances.sum(axis=1, keepdims=True)
        return Prediction(chances, self.classes, outcome.agreement)

    def _vote(self, logits: Sequence[NDArray[np.float64]]) -> Outcome:
        chances = calibrated(self.members, logits)
        return (hard_vote if self.vote == "hard" else soft_vote)(chances, self.weights)

    def _weights(self, given: Sequence[float] | NDArray[np.float64] | None) -> NDArray[np.float64]:
        if self.vote != "weighted":
            if given is not None:
                raise ConfigError(f"weights are for vote='weighted', got vote={self.vote!r}")
            return np.ones(len(self.members))
        try:
            weights = np.asarray(given, np.float64)
        except (TypeError, ValueError):
            weights = np.empty(0)
        if weights.shape != (len(self.members),) or not np.isfinite(weights).all():
            raise ConfigError(
                f"{len(self.members)} members need as many finite weights, got {given!r}"
            )
        if weights.min() < 0 or not weights.sum() > 0:
            raise ConfigError(f"weights are not negative and not all 0, got {given!r}")
        return weights


def _as_selected(members: Sequence[ReleasedNetwork]) -> tuple[list[float], float]:
    """The members' weights in the released ensemble, and its temperature if all of it is here."""
    root = resource("models")
    chosen = read_metrics(EnsembleMetrics, root / FILE)
    _check_members(members, chosen, root)
    names = [member.name for member in members]
    weights = [float(chosen.members.get(name, 0)) for name in names]
    if not any(weights):
        raise ConfigError(
            f"no weight is known of {', '.join(names)}:"
            f" {FILE} weights {', '.join(chosen.members)} alone; give weights=[...]"
        )
    return weights, chosen.temperature if set(chosen.members) <= set(names) else 1.0


def _check_members(members: Sequence[ReleasedNetwork], chosen: EnsembleMetrics, root: Path) -> None:
    for member in members:
        known = chosen.weights_sha256.get(member.name)
        own = None if member.metrics is None else member.metrics.weights_sha256
        if known not in (None, own):
            raise CheckpointError(
                f"{root / FILE} was made with another {member.name}; make it anew by autodl release"
            )


def calibrated(
    members: Sequence[ReleasedNetwork], logits: Sequence[NDArray[np.float64]]
) -> NDArray[np.float64]:
    """The members' probabilities, each with its own temperature: ``[members, N, classes]``."""
    return np.stack(
        [
            probabilities(each, member.temperature)
            for member, each in zip(members, logits, strict=True)
        ]
    )


def select(
    members: Sequence[ReleasedNetwork],
    logits: Sequence[NDArray[np.float64]],
    labels: NDArray[np.int64],
    counts: NDArray[np.int64] | None = None,
) -> Ensemble:
    """The weighted ensemble of votes that are chosen on held-out pictures, calibrated.

    Args:
        logits: of the members on these pictures, each ``[N, classes]``.
        labels: ``[N]``.
        counts: the members' votes; None for those of ``choose_votes``.

    Returns:
        The members with a positive count, in the order given.

    Raises:
        ConfigError: no member, or different classes.
    """
    everyone = Ensemble(members)
    if counts is None:
        counts = choose_votes(calibrated(everyone.members, logits), labels).counts
    kept = [
        (member, each, count)
        for member, each, count in zip(members, logits, counts, strict=True)
        if count
    ]
    weights = np.array([count for _, _, count in kept], np.float64)
    mean = soft_vote(calibrated([m for m, _, _ in kept], [each for _, each, _ in kept]), weights)
    temperature = fit_temperature(np.log(np.maximum(mean.probabilities, 1e-300)), labels)
    return Ensemble(
        [member for member, _, _ in kept],
        "weighted",
        weights=weights,
        temperature=temperature,
    )
