"""Every file of every kind of run damaged, then every verb on it: right, or refused in one line.

    python tests/damage/damage.py                  300 at random, some minutes
    python tests/damage/damage.py 50 7             so many, and another seed
    python tests/damage/damage.py --full [KIND ...]    every file, damage and verb, of these kinds

A call counts as right if it says and writes what it does on the whole run (times do not count), as
refused if it ends with exit code 2 and one line, and in both cases only if all intact files are
what they were, beside the record of starts and the log, which grow. Anything else is a fault: its
words are printed, and the exit code is 1. At the end stands a table: kind of damage by verb.
``test_damage.py`` runs a sample.
"""

from __future__ import annotations

import io
import json
import os
import random
import re
import shutil
import sqlite3
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import tiny_runs
from kills import without_times

from autodl.__main__ import main as autodl
from autodl.runs.folder import TRIALS

SAMPLE = 300


def _flip(content: bytes, rng: random.Random) -> bytes:
    flipped = bytearray(content)
    for _ in range(rng.choice((1, 3)) if flipped else 0):
        flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
    return bytes(flipped)


CONTENTS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "empty": lambda content, rng: b"",
    "halved": lambda content, rng: content[: len(content) // 2],
    "last byte cut": lambda content, rng: content[:-1],
    "bits flipped": _flip,
    "zeros": lambda content, rng: bytes(len(content)),
    "noise": lambda content, rng: rng.randbytes(len(content)),
}
DAMAGES = (*CONTENTS, "deleted", "a folder")


def damage(path: Path, kind: str, rng: random.Random) -> None:
    """Damage a file in one of the ways of ``DAMAGES``."""
    content = path.read_bytes()
    path.unlink()
    if kind == "a folder":
        path.mkdir()
    elif kind != "deleted":
        path.write_bytes(CONTENTS[kind](content, rng))


_NEW = "{root}/new"  # what a verb makes besides; gone before the next
_BITS = "compress -c {root}/compression.yaml --model {root}/training/cell"
_TRAIN = "train -c {root}/training.yaml --architecture {root}/cell.json --resume --out {root}"
_OF_TRAINING = {
    "eval": "eval {root}/training/cell --json",
    "export-model": f"export-model {{root}}/training/cell --repetitions 0 --out {_NEW}",
    "release": (
        f"release {{root}}/training/cell --name it --found-by me --repetitions 0 --models {_NEW}"
    ),
    "compress": f"{_BITS} --out {_NEW}",
}
# kind of run, which is also its folder -> verbs
VERBS: dict[str, dict[str, str]] = {
    "search": {
        "report": "report {root}/search --json",
        "--resume": "search -c {root}/search.yaml --resume --out {root}/search",
        "report --salvage": "report {root}/search --salvage",
        "report --csv": f"report {{root}}/search --csv {_NEW}",
        "train --run": f"train -c {{root}}/training.yaml --run {{root}}/search --out {_NEW}",
    },
    "training": {"--resume": f"{_TRAIN}/training", **_OF_TRAINING},
    "compression": {"--resume": f"{_BITS} --resume --out {{root}}/compression"},
    "width": {
        "--resume": "search -c {root}/width.yaml --resume --out {root}/width",
        "train": (
            "train -c {root}/width_training.yaml"
            f" --architecture {{root}}/width/architecture.json --out {_NEW}"
        ),
    },
    "study": {
        "study": "study {root}/study --json",
        "study -c": "study -c {root}/study.yaml --out {root}/study --json",
    },
    "train_study": {
        "study": "study {root}/train_study --json",
        "study -c": "study -c {root}/train_study.yaml --out {root}/train_study --json",
    },
    "cut_training": {
        "--resume": f"{_TRAIN}/cut_training",
        "eval": "eval {root}/cut_training/cell",
    },
    "cut_compression": {"--resume": f"{_BITS} --resume --out {{root}}/cut_compression"},
    "cut_width": {"--resume": "search -c {root}/width.yaml --resume --out {root}/cut_width"},
    "models": {
        "infer": "infer {root}/picture.png --model one --models {root}/models --json",
        "infer --ensemble": "infer {root}/picture.png --ensemble --models {root}/models --json",
        "eval": "eval --model one --models {root}/models --json",
        "eval --ensemble": "eval --ensemble --models {root}/models --json",
        "export-model": (
            f"export-model --model one --models {{root}}/models --repetitions 0 --out {_NEW}"
        ),
        "release --table": "release --table --models {root}/models",
    },
}
_TIMED = re.compile(  # lines of progress, times in results
    r"^\[\d{4}-.*\n|^seconds: .*\n|(?:seconds\": |time\": )\S+|[\d.]+ (?:s|seconds)\b",
    re.MULTILINE,
)
_OPTIONAL = "ensemble.json"  # a folder of models without it is whole, too, and said to be so
_SALVAGE = "report --salvage"
_GROWS = (".lock", "run.json", "vdl")  # the record of starts and the log


def _varies(name: str) -> bool:
    """Whether a file says when something was done, how long it took, or the how-manieth it is."""
    path = Path(name)
    return path.stem in ("checkpoint", "choice", "test", "inference") or _grows(path)


def _grows(path: Path) -> bool:
    return path.name in _GROWS or _GROWS[2] in path.parts


@dataclass(frozen=True, slots=True)
class Done:
    """How a call ended: exit code, words without times, and the files of the run after it."""

    code: object
    said: str
    error: str
    files: dict[str, object]
    made: dict[str, object]


def call(root: Path, folder: Path, verb: str) -> Done:
    """Type a verb of ``VERBS`` in this process."""
    out, error = io.StringIO(), io.StringIO()
    remove(Path(_NEW.format(root=root)))
    code: object
    with redirect_stdout(out), redirect_stderr(error):
        try:
            code = autodl(verb.format(root=root).split())
        except SystemExit as ended:
            code = ended.code
        except BaseException:
            code = "exception"
            print(traceback.format_exc(limit=-4), file=error)
    said = _TIMED.sub("", out.getvalue())
    made = contents(Path(_NEW.format(root=root)))
    return Done(code, said, error.getvalue(), contents(folder), made)


def contents(folder: Path) -> dict[str, object]:
    """What the files of a folder hold, by name: times left out, and of a store its rows."""
    files = [folder] if folder.is_file() else sorted(folder.rglob("*"))
    return {str(path.relative_to(folder)): _content(path) for path in files if path.is_file()}


def _content(path: Path) -> object:
    content = path.read_bytes()
    if path.suffix == ".sqlite":
        with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as db:
            columns = "id, state, architecture, reward, evaluation, finish_order"
            return db.execute(f"SELECT {columns} FROM trials").fetchall()
    if path.name == "metrics.json":
        with suppress(ValueError):
            return without_times(json.loads(content))
    return content


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


class Damaged:
    """The tiny runs in ``root``, one of which at a time is damaged and then put right again."""

    def __init__(self, root: Path) -> None:
        self.root = root / "runs"
        self._whole = root / "whole"
        tiny_runs.make_all(self.root)
        shutil.copytree(self.root, self._whole)
        self._expected: dict[tuple[str, str], Done] = {}

    def files(self, kind: str) -> list[str]:
        """The files of a kind of run."""
        folder = self._whole / kind
        return [str(p.relative_to(folder)) for p in sorted(folder.rglob("*")) if p.is_file()]

    def cases(self, kinds: Iterable[str]) -> list[tuple[str, str, str, str]]:
        """Kind of run, file, damage and verb."""
        return [
            (kind, file, how, verb)
            for kind in kinds
            for file in self.files(kind)
            for how in (DAMAGES if (self._whole / kind / file).stat().st_size else DAMAGES[-2:])
            for verb in VERBS[kind]
            if how != "deleted" or not file.endswith(_OPTIONAL)
        ]

    def outcome(self, kind: str, file: str, how: str, verb: str, seed: int = 0) -> str:
        """``right``, ``refused``, or what is wrong."""
        whole = self._run(kind, verb)
        self._restore(kind)
        place = self.root / kind
        damage(place / file, how, random.Random(f"{kind} {file} {how} {seed}"))
        before, left = contents(place), _bytes(place / file)
        done = call(self.root, place, VERBS[kind][verb])
        before.pop(file, None)
        if done.code == 2 and whole.code != 2:
            lines = done.error.strip().splitlines()
            if len(lines) != 1 or not lines[0].startswith("error: "):
                return f"more than one line: {done.error!r}"
            return _altered(before, before, done.files) or "refused"
        if done.code != whole.code:
            return f"exit code {done.code}: {done.error[-1500:]}"
        if whole.code == 2:
            return _altered(before, before, done.files) or "refused"
        if verb == _SALVAGE and file == TRIALS:
            wrong = _not_saved(done.files, whole.files, left)
            return wrong or _altered(before, {}, done.files) or "right"
        if done.said != whole.said:
            return f"says {done.said[-400:]!r} where it said {whole.said[-400:]!r}"
        if done.made != whole.made:
            names = {n for n in {*done.made, *whole.made} if done.made.get(n) != whole.made.get(n)}
            if names := {name for name in names if not _varies(name)}:
                return f"makes another {sorted(names)}"
        return _altered(before, whole.files, done.files, also=(file,)) or "right"

    def _run(self, kind: str, verb: str) -> Done:
        """What a verb does on the whole run."""
        if (kind, verb) not in self._expected:
            self._restore(kind)
            done = call(self.root, self.root / kind, VERBS[kind][verb])
            if done.code == "exception":
                raise RuntimeError(f"{verb} of a whole {kind} fails: {done.error}")
            self._expected[kind, verb] = done
        return self._expected[kind, verb]

    def _restore(self, kind: str) -> None:
        remove(self.root / kind)
        shutil.copytree(self._whole / kind, self.root / kind)


def _altered(
    before: dict[str, object],
    expected: dict[str, object],
    after: dict[str, object],
    also: tuple[str, ...] = (),
) -> str:
    """Which intact files are not what they were, or as they are expected; empty without any.

    What a run goes on from holds times, and differs where it is written.
    """
    wrong = [
        name
        for name in before
        if name not in also
        and not _grows(Path(name))
        and after.get(name) not in (before[name], expected.get(name))
        and not (also and _varies(name))
    ]
    return f"alters {wrong}" if wrong else ""


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def _not_saved(after: dict[str, object], whole: dict[str, object], damaged: bytes) -> str:
    """What a salvage has got wrong; empty if every trial is what it was, or to be run again."""
    if after.get(f"{TRIALS}.damaged") != damaged:
        return f"loses the damaged {TRIALS}"
    rows, known = after.get(TRIALS), whole[TRIALS]
    if not isinstance(rows, list) or not isinstance(known, list):
        return f"leaves no store in the place of {TRIALS}"
    again = "PROPOSED"  # which may have another's architecture, if its own cannot be read
    wrong = [row for row in rows if row[1] != again and row[:5] not in [k[:5] for k in known]]
    return f"makes up {wrong}" if wrong else ""


def table(counts: Counter[tuple[str, str, str]]) -> str:
    """Kind of damage by verb, each as right/refused/faults, for all kinds of runs together."""
    verbs = sorted({verb for verb, _, _ in counts})
    width = max(map(len, DAMAGES))
    lines = [f"{'':{width}}  " + "  ".join(f"{verb:>16}" for verb in verbs)]
    for how in DAMAGES:
        cells = (
            "/".join(str(counts[verb, how, name]) for name in ("right", "refused", "fault"))
            for verb in verbs
        )
        lines.append(f"{how:{width}}  " + "  ".join(f"{cell:>16}" for cell in cells))
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Run a sample or everything, print every fault, and the table."""
    full = arguments[:1] == ["--full"]
    numbers = [] if full else list(map(int, arguments))
    count, seed = [*numbers, *(SAMPLE, 0)[len(numbers) :]][:2]
    counts, begun = Counter[tuple[str, str, str]](), time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["TMPDIR"] = scratch
        damaged = Damaged(Path(scratch))
        cases = damaged.cases((full and arguments[1:]) or VERBS)
        if not full:
            cases = random.Random(seed).sample(cases, min(count, len(cases)))
        for kind, file, how, verb in cases:
            found = damaged.outcome(kind, file, how, verb, seed)
            if found not in ("right", "refused"):
                print(f"{kind}/{file} {how}, {verb}: {found}\n", flush=True)
                found = "fault"
            counts[verb, how, found] += 1
    print(table(counts))
    faults = sum(number for (_, _, found), number in counts.items() if found == "fault")
    print(f"{len(cases)} cases, {faults} faults, {time.monotonic() - begun:.0f} s")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
