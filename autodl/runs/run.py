"""A run in its folder: one way to begin or go on, to keep what was reached, and to finish."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, Self

from autodl.config.job import Sections
from autodl.errors import AutoDLError, CheckpointError, StoreError
from autodl.runs.event_log import EventLog
from autodl.runs.folder import (
    CHECKPOINT,
    LOG,
    MANIFEST,
    METRICS,
    SEALS,
    broken_seal,
    check_content,
    check_identity,
    read_manifest,
    run_folder,
    update_manifest,
)
from autodl.system.files import checksum, json_text, write_bytes, write_text
from autodl.system.state import decode_state, encode_state

Numbers = Mapping[str, float]
_KEPT = "kept"  # key of the manifest: names of states that were saved, so that a lost one is missed


class Fit(Protocol):
    """What is trained by epochs and can go on from its state; ``curve`` has a row for each."""

    @property
    def curve(self) -> Sequence[Numbers]: ...

    def state(self) -> Mapping[str, Any]: ...

    def restore(self, state: dict[str, Any]) -> None: ...


class Run:
    """A job's folder, from the first look at it to the metrics that say it is finished.

    ``Run(...)`` refuses a folder that this run may not have, and writes nothing: what else may be
    unusable is found out between it and ``open``, which makes the folder. All that a run keeps is
    there whole or not at all, so it can be killed at any moment and gone on with.

    Args:
        folder: made by ``open`` if missing.
        config: of the job.
        resume: go on with what is there.
        accept_changed_plugins: even if the plugins are not what they were, see ``check_identity``.
        found_later: sections of the identity that ``open`` may not be given, see there, too.
        tell: called with a line for people, now and then.

    Raises:
        StoreError: there is a run and it is not resumed, or something else is there.
    """

    def __init__(
        self,
        folder: Path,
        config: Sections,
        *,
        resume: bool = False,
        accept_changed_plugins: bool = False,
        found_later: Collection[str] = (),
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        if folder.is_dir():
            check_content(folder, resume)
        self.folder = folder
        self.tell = tell
        self._config = config
        self._resume = resume
        self._accept = accept_changed_plugins
        self._found_later = found_later
        self._log: EventLog | None = None

    @contextmanager
    def open(self, identity: Mapping[str, Any], **start: Any) -> Iterator[Self]:
        """Write to the folder, alone, until the block ends; see ``run_folder``.

        Args:
            identity: of the config and of what it was found to mean (its pictures, ...); a run
                that is resumed has the same.
            start: what may differ from start to start: device, workers, where the data are.

        Raises:
            StoreError: in use, of another run, damaged, or not writable.
        """
        plain = {key: str(v) if isinstance(v, Path) else v for key, v in start.items()}
        with run_folder(
            self.folder,
            self._config.to_plain(),
            identity,
            plain,
            resume=self._resume,
            accept_changed_plugins=self._accept,
            reduced=self._config.reduced,
            found_later=self._found_later,
        ):
            try:
                yield self
            finally:
                if self._log is not None:
                    self._log.close()

    def finished(
        self,
        identity: Mapping[str, Any],
        files: Sequence[str] = (),
        found_later: Collection[str] = (),
    ) -> dict[str, Any] | None:
        """The metrics of a run that is finished already; None if there is something left to do.

        Where what it has come to was damaged since, that is done again from the checkpoint, which
        is told. Nothing is written here.

        Args:
            identity: what is known of it before its parts are made.
            files: what ``finish`` was given; runs of earlier releases have no checksums of them.
            found_later: sections of the identity that its parts find when it begins, and that are
                not needed where nothing is left to do.

        Raises:
            StoreError: it is another run; or what it has come to was damaged, and there is no
                checkpoint: all would begin anew, over what is whole.
        """
        if not (self.folder / MANIFEST).exists():
            return None
        manifest = check_identity(
            *(self.folder, identity, self._config.reduced),
            accept_changed_plugins=self._accept,
            found_later=found_later,
        )
        known, states = (manifest.get(key) or () for key in (SEALS, _KEPT))
        if not (self.folder / METRICS).exists() and METRICS not in known:
            return None
        found, damage = self._result(files)
        if not damage:
            self.tell("finished already: nothing is left to do")
            return found
        kept = CHECKPOINT in states or METRICS not in known
        if kept and not (self.folder / CHECKPOINT).exists():
            raise StoreError(
                f"{damage}, and there is no {CHECKPOINT} to come to it again; bring one of them"
                " back from a back-up, or choose another folder to begin anew"
            )
        self.tell(f"{damage}: it is made again")
        return None

    def _result(self, files: Sequence[str]) -> tuple[dict[str, Any], str]:
        """The metrics, and which file of the result is damaged and how; empty if none is."""
        try:
            found = json.loads((self.folder / METRICS).read_text(encoding="utf-8"))
            if not isinstance(found, dict):
                raise ValueError("it holds no metrics")
            damage = broken_seal(self.folder)
        except (OSError, ValueError) as error:
            return {}, f"cannot read {self.folder / METRICS}: {error}"
        except StoreError as error:
            return {}, str(error)
        missing = [name for name in files if not (self.folder / name).is_file()]
        return found, damage or (f"{self.folder / missing[0]} is missing" if missing else "")

    def save(self, state: Mapping[str, Any], name: str = CHECKPOINT) -> None:
        """Keep a state to go on from, in place of the one before."""
        write_bytes(self.folder / name, encode_state(state))
        known = read_manifest(self.folder).get(_KEPT, [])
        if name not in known:
            update_manifest(self.folder, **{_KEPT: [*known, name]})

    def restored(self, name: str = CHECKPOINT) -> dict[str, Any] | None:
        """What was saved last, if anything was; that it was, and is gone, is told.

        Raises:
            CheckpointError: it is damaged; the file is named.
        """
        path = self.folder / name
        if not path.exists():
            if (self.folder / MANIFEST).exists() and name in read_manifest(self.folder).get(
                _KEPT, []
            ):
                self.tell(f"{name} is gone: what it held is done anew")
            return None
        with self._naming(path):
            return decode_state(path.read_bytes())

    def restore(self, fit: Fit) -> bool:
        """Let a fit go on from its checkpoint; whether there was one.

        Raises:
            CheckpointError: it is damaged or of another network; the file is named.
        """
        if (state := self.restored()) is None:
            return False
        with self._naming(self.folder / CHECKPOINT):
            fit.restore(state)
        return True

    def resume_fit(self, fit: Fit, tags: Callable[[Numbers], Numbers]) -> None:
        """Go on from the checkpoint, if there is one, and complete the log up to there.

        Args:
            tags: an epoch's row of the curve -> what is logged of it.

        Raises:
            CheckpointError: see ``restore``.
        """
        if self.restore(fit):
            self.tell(f"resumed after epoch {len(fit.curve)}")
            for number, epoch in enumerate(fit.curve, start=1):
                self.log(tags(epoch), number)  # a kill may have come between the two

    def keep_epoch(self, fit: Fit, tags: Callable[[Numbers], Numbers]) -> None:
        """Write the checkpoint after an epoch, and log it."""
        self.save(fit.state())
        self.log(tags(fit.curve[-1]), len(fit.curve))

    def log(self, numbers: Numbers, step: int) -> None:
        """Log numbers by their tags; those that the log has already are not repeated."""
        if self._log is None:
            self._log = EventLog(self.folder / LOG)
        for tag, value in numbers.items():
            self._log.scalar(tag, value, step)

    def finish(
        self,
        metrics: Mapping[str, Any] | None = None,
        *,
        ended: str = "complete",
        files: Sequence[str] = (),
        **facts: Any,
    ) -> None:
        """Record how the run ended.

        Args:
            metrics: written last: that they are there says that all is.
            files: what the run has come to besides; damage to it or to the metrics is seen when
                they are read, see ``check_seals``.
            facts: for the manifest.
        """
        if metrics is None:
            update_manifest(self.folder, ended=ended, **facts)
            return
        text = json_text(metrics)
        seals = read_manifest(self.folder).get(SEALS, {})
        seals |= {name: checksum(self.folder / name) for name in files}
        # as it is written: names of files may be no text
        written = text.encode("utf-8", "backslashreplace")
        seals[METRICS] = hashlib.sha256(written).hexdigest()
        update_manifest(self.folder, ended=ended, **{SEALS: seals}, **facts)
        write_text(self.folder / METRICS, text)

    @contextmanager
    def _naming(self, checkpoint: Path) -> Iterator[None]:
        """Turn what a bad checkpoint raises into one error that names it."""
        try:
            yield
        except (AutoDLError, OSError, KeyError, TypeError, ValueError) as error:
            way_out = "delete it to train anew"
            if METRICS in read_manifest(self.folder).get(SEALS, {}):
                way_out = "bring it back from a back-up, or begin anew in another folder"
            raise CheckpointError(f"cannot go on from {checkpoint}: {error}; {way_out}") from error
