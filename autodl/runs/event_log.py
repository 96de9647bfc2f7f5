"""Numbers, texts and pictures over time: as VisualDL records, or as JSON lines without it.

Nothing that goes wrong here stops a run: a failure is warned of once, and what follows goes to
``events.jsonl``; if that cannot be written either, it is dropped.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import math
import os
import struct
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LINES = "events.jsonl"
_LOGGER = logging.getLogger("autodl")
_LARGEST_WHOLE = 2**53  # beyond it the browser rounds
_HPARAMS_TAG = "hparam"  # VisualDL's own name for the record
_RECORDS = "vdlrecords"  # VisualDL reads every file whose name has this in it
_LENGTH = struct.Struct("<Q")  # stands before every record
_CHUNK = 4096


class _Steps:
    """Which steps a tag has, one bit for each, in any order, and the value of the highest.

    A search has a million of them: a chunk of 4,096 steps takes 600 bytes.
    """

    __slots__ = ("_chunks", "highest", "value")

    def __init__(self) -> None:
        self._chunks: dict[int, int] = {}
        self.highest: int | None = None
        self.value = math.nan

    def __contains__(self, step: int) -> bool:
        chunk, bit = divmod(step, _CHUNK)
        return bool(self._chunks.get(chunk, 0) >> bit & 1)

    def add(self, step: int, value: float) -> None:
        chunk, bit = divmod(step, _CHUNK)
        self._chunks[chunk] = self._chunks.get(chunk, 0) | 1 << bit
        if self.highest is None or step >= self.highest:
            self.highest, self.value = step, value


class EventLog:
    """The records of one folder, which is one "run" in VisualDL, and of its sub-folders.

    Opening a folder again continues it. VisualDL shows only the newest file of a folder, so the
    records are appended to that file, after cutting a half-written one that a kill has left;
    a step that a tag has already is not written a second time.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, _Steps] = defaultdict(_Steps)
        self._writer: Any = None
        self._lost = False
        try:
            self._make_folder()
            self._recall_lines()
            self._writer = self._open(folder)
        except ImportError as error:
            self._degrade(f"VisualDL cannot be imported ({error})")
        except Exception as error:  # whatever it is, the run goes on
            self._degrade(f"VisualDL cannot be used ({_line(error)})")

    def scalar(self, tag: str, value: float, step: int) -> None:
        """Add a number; NaN and infinities are kept."""
        tag, value = _tag(tag), float(value)
        if self._is_new(tag, step, value):
            self._write(
                lambda writer: writer.add_scalar(tag, value, step),
                {"kind": "scalar", "tag": tag, "step": step, "value": _json_number(value)},
            )

    def text(self, tag: str, text: str, step: int) -> None:
        """Add a text."""
        tag = _tag(tag)
        if self._is_new(tag, step):
            self._write(
                lambda writer: writer.add_text(tag, text, step),
                {"kind": "text", "tag": tag, "step": step, "value": text},
            )

    def picture(self, tag: str, pixels: NDArray[np.uint8], step: int) -> None:
        """Add a picture, uint8 ``[H, W, 3]``; JSON lines do without."""
        tag = _tag(tag)
        if self._writer is not None and self._is_new(tag, step):
            self._write(lambda writer: writer.add_image(tag, pixels, step), None)

    def hyper_parameters(self, values: Mapping[str, Any], metrics: Sequence[str]) -> None:
        """Add the settings of the run, once, and name the scalars that are its result."""
        plain = flatten(values)
        if self._is_new(_HPARAMS_TAG, 1):
            self._write(
                lambda writer: writer.add_hparams(plain, list(metrics)),
                {"kind": "hyper_parameters", "values": plain, "metrics": list(metrics)},
            )

    def curve(self, run: str, points: Sequence[Mapping[str, float]], prefix: str) -> None:
        """Write a whole curve, one mapping per step from 1, as a sub-folder of its own.

        The curve is there whole or not at all; nothing happens if it is there already.
        """
        folder = self._folder / run
        if not points or any(folder.glob(f"{_RECORDS}.*")):
            return
        scalars = [
            (_tag(f"{prefix}/{key}"), float(value), step)
            for step, point in enumerate(points, start=1)
            for key, value in point.items()
        ]
        if self._writer is not None:
            try:
                self._write_curve(folder, scalars)
                return
            except Exception as error:  # whatever it is, the run goes on
                self._degrade(f"VisualDL's records cannot be written to {folder} ({_line(error)})")
        for tag, value, step in scalars:
            if self._is_new(f"{run}:{tag}", step, value):
                number = _json_number(value)
                self._append(
                    {"kind": "scalar", "run": run, "tag": tag, "step": step, "value": number}
                )

    def has(self, tag: str, step: int) -> bool:
        """Whether a scalar has this step already, also from earlier starts."""
        steps = self._known.get(tag)
        return steps is not None and step in steps

    def last(self, tag: str) -> float | None:
        """The value of a scalar's highest step, also from earlier starts; None without any."""
        steps = self._known.get(tag)
        return None if steps is None or steps.highest is None else steps.value

    def close(self) -> None:
        """Finish writing. Nothing may be added afterwards."""
        writer, self._writer = self._writer, None
        if writer is not None:
            try:
                writer.close()
            except Exception as error:  # whatever it is, the run goes on
                _LOGGER.warning("VisualDL's log was not closed properly: %s", _line(error))

    def _is_new(self, tag: str, step: int, value: float = math.nan) -> bool:
        steps = self._known[tag]
        if step in steps:
            return False
        steps.add(step, value)
        return True

    def _write(self, write: Callable[[Any], object], line: Mapping[str, Any] | None) -> None:
        if self._writer is not None:
            try:
                write(self._writer)
                return
            except Exception as error:  # whatever it is, the run goes on
                self._degrade(f"VisualDL failed ({_line(error)})")
        if line is not None:
            self._append(line)

    def _degrade(self, why: str) -> None:
        _LOGGER.warning("%s; the run is logged to %s instead", why, self._folder / LINES)
        self.close()

    def _append(self, line: Mapping[str, Any]) -> None:
        if self._lost:
            return
        try:
            with open(self._folder / LINES, "a", encoding="utf-8") as lines:
                lines.write(json.dumps(line) + "\n")
        except OSError as error:
            self._lost = True
            _LOGGER.warning("cannot write %s: %s; curves are lost", self._folder / LINES, error)

    def _write_curve(self, folder: Path, scalars: Sequence[tuple[str, float, int]]) -> None:
        """Write a file of records in one go: a writer of VisualDL's would start a thread."""
        from visualdl.component.base_component import scalar

        now = round(time.time() * 1000)
        packed = (
            scalar(tag=tag, value=value, step=step, walltime=now).SerializeToString()
            for tag, value, step in scalars
        )
        folder.mkdir(parents=True, exist_ok=True)
        aside = folder / ".curve"  # a name that VisualDL does not look at
        aside.write_bytes(b"".join(_LENGTH.pack(len(record)) + record for record in packed))
        os.replace(aside, folder / f"{_RECORDS}.{now // 1000:010d}.log")

    def _make_folder(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)

    def _open(self, folder: Path) -> Any:
        """A writer that continues the folder's newest file, whose steps are then known."""
        from visualdl import LogWriter

        files = sorted(folder.glob(f"{_RECORDS}.*"))
        if not files:
            return LogWriter(logdir=str(folder))
        for tag, step, value in _read_records(files[-1]):
            self._known[tag].add(step, value)
        with contextlib.redirect_stdout(io.StringIO()):  # it prints that the file exists
            return LogWriter(logdir=str(folder), file_name=files[-1].name)

    def _recall_lines(self) -> None:
        path = self._folder / LINES
        if not path.exists():
            return
        for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
            with contextlib.suppress(ValueError, KeyError, TypeError):  # a half-written line
                line = json.loads(text)
                if line["kind"] == "hyper_parameters":
                    self._known[_HPARAMS_TAG].add(1, math.nan)
                    continue
                tag = f"{line['run']}:{line['tag']}" if "run" in line else line["tag"]
                value = float(line["value"]) if line["kind"] == "scalar" else math.nan
                self._known[tag].add(int(line["step"]), value)


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, int | float | str]:
    """Nested settings as ``Section/key``: numbers and texts, which is all that VisualDL takes.

    A dot in a name would make VisualDL's page look for a value inside a value, and show none.
    """
    flat: dict[str, int | float | str] = {}
    for key, value in values.items():
        name = f"{prefix}{key}".replace("%", "_")
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{name}/"))
        else:
            flat[name] = value if _is_plain(value) else json.dumps(value, default=str)
    return flat


def _is_plain(value: object) -> bool:
    """Whether VisualDL takes a setting as it is: a text, or a number that its page shows right."""
    if isinstance(value, int):
        return not isinstance(value, bool) and abs(value) <= _LARGEST_WHOLE
    return isinstance(value, float | str)


def _read_records(path: Path) -> Iterator[tuple[str, int, float]]:
    """Tag, step and number (NaN if none) of every record; cuts a half-written end off the file."""
    from visualdl.proto.record_pb2 import Record

    data = path.read_bytes()
    position = 0
    while position + 8 <= len(data):
        (length,) = _LENGTH.unpack_from(data, position)
        end = position + 8 + length
        if end > len(data):
            break
        record = Record()
        record.ParseFromString(data[position + 8 : end])
        for value in record.values:
            number = value.value if value.WhichOneof("one_value") == "value" else math.nan
            yield value.tag, value.id, number
        position = end
    if position < len(data):
        os.truncate(path, position)


def _tag(tag: str) -> str:
    return tag.replace("%", "_")  # VisualDL refuses it


def _json_number(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)  # JSON has no NaN


def _line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
