"""A teacher: a released network, the released ensemble or a trained one, and what it has seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodl.data.load import picture_options
from autodl.errors import UnknownNameError
from autodl.release.ensemble import Ensemble
from autodl.release.network import ReleasedNetwork, load, training_config
from autodl.release.prediction import Prediction
from autodl.trained.folder import trained_pictures

ENSEMBLE = "ensemble"  # the name of the released one


@dataclass(frozen=True, slots=True, eq=False)
class Teacher:
    """One network, or several that vote, whose logits are means over two views of each picture.

    The views are the picture and its mirror image, whatever the accuracy on a card is of.
    """

    name: str
    network: ReleasedNetwork | Ensemble

    @property
    def members(self) -> list[ReleasedNetwork]:
        """The networks that are asked."""
        return [self.network] if isinstance(self.network, ReleasedNetwork) else self.network.members

    @property
    def classes(self) -> tuple[str, ...]:
        """What the columns of its logits are called."""
        return self.network.classes

    def identity(self) -> dict[str, Any]:
        """Its name, and the checksum of the weights of each network, by its name; how they vote."""
        weights = {member.name: member.weights_sha256 for member in self.members}
        own = {"name": self.name, "weights_sha256": weights}
        if isinstance(self.network, ReleasedNetwork):
            return own
        votes = dict(zip(weights, self.network.weights.tolist(), strict=True))
        return {**own, "votes": votes, "temperature": self.network.temperature}

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What it says of pictures, uint8 ``[N, H, W, 3]``: float32 ``[N, classes]``.

        Of one network these are its logits, not calibrated. Of the ensemble they are the logarithms
        of the probabilities that ``Ensemble.predict`` gives: with the members' logits ``z_k``,
        calibrating temperatures ``t_k`` and votes ``w_k``, ``log(mean) / t`` less its log-sum-exp,
        where ``mean`` is the mean of ``softmax(z_k / t_k)`` by ``w_k`` and ``t`` the ensemble's own
        temperature. ``softmax(logits / T)`` is that mean to the power of ``1 / (t T)``, rescaled.
        Pictures of another size than the networks' are resized.
        """
        if isinstance(self.network, ReleasedNetwork):
            return self.network.logits(images).astype(np.float32)
        said: Prediction = self.network.predict(images)
        logits: NDArray[np.float64] = np.log(np.maximum(said.probabilities, 1e-300))
        return logits.astype(np.float32)

    def unlike(self, seen: dict[str, Any]) -> str:
        """Why it may have learned from pictures that others hold out; empty if it has not.

        Args:
            seen: the ``identity()`` of their task. With the same data, seed and number of held-out
                pictures the held-out ones are the same, however many are trained on.
        """
        cut = seen.get("split", {})
        own = (seen.get("checksum"), cut.get("seed"), cut.get("held_out"))
        for member in self.members:
            known = _cut(member)
            if known == own:
                continue
            if known[0] != own[0]:
                return f"{member.name} was trained on other data, or nobody knows on which"
            return (
                f"{member.name} was trained beside {known[2]} held-out pictures of the split_seed"
                f" {known[1]}, and here are {own[2]} of {own[1]}"
            )
        return ""


def _cut(member: ReleasedNetwork) -> tuple[object, object, object]:
    """Checksum of the data, seed of the cut and number of held-out pictures, as far as known."""
    if member.metrics is None:
        known = trained_pictures(member.folder)
        cut = known.get("split") or {}
        return known.get("checksum"), cut.get("seed"), cut.get("held_out")
    seed = picture_options(training_config(member.folder).data).split_seed
    return member.metrics.training.checksum, seed, member.metrics.held_out.pictures


def find_teacher(name: str) -> Teacher:
    """A teacher by its name: ``ensemble``, that of a released network, or a trained one's folder.

    Raises:
        UnknownNameError: there is none of this name.
        ConfigError: the folder's network is for something else than pictures.
        CheckpointError, StoreError: files are missing or damaged.
    """
    if name != ENSEMBLE:
        try:
            return Teacher(name, _two_views(load(name)))
        except UnknownNameError as error:
            raise UnknownNameError(
                f"{error} (a teacher may also be '{ENSEMBLE}', or the folder of a training)"
            ) from None
    released = Ensemble.released()
    members = [_two_views(member) for member in released.members]
    weights, temperature = released.weights, released.temperature
    voting = Ensemble(members, "weighted", weights=weights, temperature=temperature)
    return Teacher(name, voting)


def _two_views(network: ReleasedNetwork) -> ReleasedNetwork:
    return replace(network, mirrored=True, six_views=False)
