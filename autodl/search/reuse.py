"""No work twice: identical architectures share a result, within a run and between runs.

Two proposals are the same work if their architectures are, up to the names of nodes, and if all
that a result depends on is equal: data and split, network, training, evaluator, and the trial that
weights are inherited from. Seeds of a run are not part of it: a result is reused with its noise.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from autodl.errors import ConfigError
from autodl.runs.folder import MANIFEST, TRIALS, read_manifest
from autodl.runs.store import Proposal, TrialStore
from autodl.search.likeness import differences, known_plugins, work_part
from autodl.search.parent_weights import ParentWeights
from autodl.spaces.codec import Architecture, encode_text
from autodl.trial import Trial

_MOST_NAMED = 4  # keys in which runs differ


class WorkKeys:
    """Names the work that evaluating an architecture is.

    Args:
        context: all that results depend on besides the architecture; plain values.
        canonical: gives architectures that differ in names only the same form.
    """

    def __init__(
        self,
        context: Mapping[str, Any],
        canonical: Callable[[Any], Architecture] = lambda architecture: architecture,
    ) -> None:
        self.work = context
        self.context = _digest(json.dumps(context, sort_keys=True))
        self._canonical = canonical

    def key(self, architecture: Architecture, parent: str = "") -> str:
        """The key; ``parent`` is that of the trial whose weights are inherited, if any are."""
        text = encode_text(self._canonical(architecture))
        return f"{self.context}-{_digest(text + parent)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


class Reuse:
    """Finds the result that a proposal can have for nothing.

    A proposal has the result of the lowest trial of the same key that did not fail, for which it
    waits if need be; so which trial is evaluated does not depend on the number of workers.

    Args:
        weights: where results come with weights that children inherit; then a result is reused
            only together with them, and the key of a child depends on that of its parent.
    """

    def __init__(
        self,
        store: TrialStore,
        keys: WorkKeys,
        earlier: Sequence[EarlierRun] = (),
        weights: ParentWeights | None = None,
    ) -> None:
        self._store = store
        self._keys = keys
        self._earlier = earlier
        self._weights = weights

    def key(self, architecture: Architecture, parent: int | None = None) -> str:
        """The key to propose an architecture with that descends from a trial, or from none."""
        if self._weights is None or parent is None:
            return self._keys.key(architecture)
        of_parent = self._store.key(parent)
        # without a key its parent is like no other trial, and neither is it
        return self._keys.key(architecture, of_parent) if of_parent else ""

    def find(self, proposal: Proposal) -> Trial | None:
        """The finished trial with the result, the unfinished one to wait for, or None.

        Returns:
            A trial with the proposal's id once there is a result.
        """
        if not proposal.key:
            return None
        twin = self._store.first_of_key(proposal.key, before=proposal.id)
        if twin is not None and not twin.state.finished:
            return twin
        if twin is not None and (
            self._weights is None or self._weights.share(twin, heir_id=proposal.id)
        ):
            return _copy(twin, proposal, f"trial {twin.id}")
        for run in self._earlier:
            if (trial := run.find(proposal.key)) is not None:
                return _copy(trial, proposal, f"trial {trial.id} of {run.folder}")
        return None


def _copy(trial: Trial, proposal: Proposal, source: str) -> Trial:
    reason = trial.reason or f"result of {source}"
    return replace(
        trial, id=proposal.id, architecture=proposal.architecture, reason=reason, seconds=0.0
    )


def _obstacles(folder: Path, work: Mapping[str, Any]) -> str:
    """In what a run evaluates architectures otherwise than ``work``, as far as it can be told."""
    manifest = read_manifest(folder) if (folder / MANIFEST).exists() else {}
    identity, found = manifest.get("identity"), list[str]()
    if identity:
        known = work_part(identity, known_plugins(manifest))
        found = list(differences(known, json.loads(json.dumps(work))))
    if not found:
        return "it was made with Search.reuse=false, by an older release, or nothing is finished"
    more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    text = f"it differs in {', '.join(found[:_MOST_NAMED])}{more}"
    if any(name.startswith("Global.plugins") for name in found):
        text += "; a plugin that adds nothing but strategies would not matter"
    return text


class EarlierRun:
    """A finished or interrupted run whose complete trials can be reused.

    Raises:
        StoreError: there is no run in ``folder``.
        ConfigError: nothing in it was trained in this way.
    """

    def __init__(self, folder: Path, keys: WorkKeys) -> None:
        self.folder = folder
        self._store = TrialStore(folder / TRIALS, read_only=True)
        if not self._store.has_keys(keys.context):
            self.close()
            raise ConfigError(
                f"Search.cache: nothing in {folder} can be reused: {_obstacles(folder, keys.work)};"
                " leave it out"
            )

    def find(self, key: str) -> Trial | None:
        """The lowest complete trial of this key."""
        return self._store.first_complete(key)

    def close(self) -> None:
        """Close its store."""
        self._store.close()
