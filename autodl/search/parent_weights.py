"""Weights that children inherit: those of complete trials, kept while a child may want them.

A trial's weights are written before its result is stored, and a proposal is stored with its parent
before it is evaluated. Weights are removed once the strategy can breed from the trial no more and
no proposal that is not finished descends from it; so whenever a search is killed, what is needed
to go on is there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from autodl.errors import StoreError
from autodl.runs.store import Proposal, TrialStore
from autodl.strategies.strategy import Breeder
from autodl.system.files import write_bytes
from autodl.system.state import decode_state
from autodl.trial import Stage, Trial, TrialFailure, TrialState


class ParentWeights:
    """The checkpoints of trials that are, or may become, parents, each in a file of a folder.

    Args:
        strategy: knows which trials may have children yet.
        folder: made when it is needed.
        epochs: of a whole training.
    """

    def __init__(self, strategy: Breeder, store: TrialStore, folder: Path, epochs: int) -> None:
        self._strategy = strategy
        self._store = store
        self._folder = folder
        self._epochs = epochs
        self._parent: dict[int, int] = {}  # of proposals that are not finished
        self._there: set[int] = set()
        self._unfinished: set[int] = set()  # of those that are there

    def recover(self, untold: Collection[int] = ()) -> None:
        """Find out what is there, and remove what a kill has left over.

        Once, when the strategy has been told of what is finished, but for the ``untold``.

        Raises:
            StoreError: the weights of the whole population are gone, so no child would have any.
        """
        unfinished = self._store.unfinished()
        self._parent = {i: parent for i, parent in unfinished.items() if parent is not None}
        for path in self._folder.glob(".trial-*.safetensors"):
            with suppress(OSError):  # a kill came while it was written aside
                path.unlink()
        for path in self._folder.glob("trial-*.safetensors"):
            with suppress(ValueError):  # a file of somebody else's
                self._there.add(int(path.stem.removeprefix("trial-")))
        self._unfinished = self._there & unfinished.keys()
        if (parents := self._strategy.parents) and parents.isdisjoint(self._there):
            raise StoreError(
                f"{self._folder} has lost the weights of all {len(parents)} trials that children"
                " would inherit from; restore it, or begin a new run"
            )
        self.remove_unneeded(untold)

    def proposed(self, proposals: Iterable[Proposal]) -> None:
        """Keep the parents of these proposals, until they are finished."""
        self._parent.update((p.id, p.parent) for p in proposals if p.parent is not None)

    def finished(self, trial: Trial, untold: Collection[int] = ()) -> None:
        """Let go of the parent of a trial that the strategy was told of, if nobody else needs it.

        Args:
            untold: finished trials that the strategy was not told of yet.
        """
        self._parent.pop(trial.id, None)
        self._unfinished.discard(trial.id)
        self.remove_unneeded(untold)

    def remove_unneeded(self, untold: Collection[int] = ()) -> None:
        """Remove the weights that no child can want any more."""
        needed = self._strategy.parents.union(self._parent.values(), self._unfinished, untold)
        for trial_id in self._there - needed:
            with suppress(OSError):
                self._path(trial_id).unlink()
            self._there.discard(trial_id)

    def begin(self, proposal: Proposal, stage: Stage | None) -> Stage:
        """The stage, by default the whole training, with the parent's weights for a fresh start.

        Raises:
            TrialFailure: they are missing or damaged.
        """
        stage = stage or Stage(self._epochs)
        parent = self._parent.get(proposal.id)
        if parent is None or stage.checkpoint:
            return stage
        try:
            weights = self._path(parent).read_bytes()
            decode_state(weights)
        except (OSError, StoreError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise TrialFailure(
                f"the weights of trial {parent}, which it inherits, cannot be read from"
                f" {self._path(parent)}: {reason}"
            ) from None
        return replace(stage, parent=weights)

    def keep(self, trial: Trial) -> Trial:
        """Write the weights of a trial that was trained to the end; the trial without them."""
        evaluation = trial.evaluation
        if evaluation is None or evaluation.fidelity < 1.0 or not evaluation.checkpoint:
            return trial
        self._write(trial.id, evaluation.checkpoint)
        return replace(trial, evaluation=replace(evaluation, checkpoint=b""))

    def share(self, owner: Trial, heir_id: int) -> bool:
        """Give another trial, which takes over the owner's result, its weights as well.

        Returns:
            Whether they were there; if not, the result cannot be taken over.
        """
        if owner.state is not TrialState.COMPLETE:  # it will be nobody's parent
            return True
        if owner.id not in self._there:
            return False
        try:
            weights = self._path(owner.id).read_bytes()
        except OSError:
            return False
        self._write(heir_id, weights)
        return True

    def _write(self, trial_id: int, weights: bytes) -> None:
        write_bytes(self._path(trial_id), weights)
        self._there.add(trial_id)
        self._unfinished.add(trial_id)

    def _path(self, trial_id: int) -> Path:
        return self._folder / f"trial-{trial_id:06d}.safetensors"
