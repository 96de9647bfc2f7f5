"""Everything that is read from files, damaged at random: what comes of it is right or one line.

    python tests/fuzzing/fuzz.py            100,000 inputs, a few minutes on a core
    python tests/fuzzing/fuzz.py 2000 7     so many of each kind, and another seed

Kinds: configs (shipped ones, mutated, read and resolved), architectures (JSON), metadata of
released networks (JSON that knows its checksum), safetensors (headers and bodies). An input counts
as failed if anything but an ``AutoDLError`` of one line comes out; its kind and number, which with
the seed make it again, are printed. Exit code 1 if there was one. ``test_fuzz.py`` runs a sample.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from autodl.errors import AutoDLError
from autodl.jobs.compress.config import load_compress
from autodl.jobs.width.config import load_width
from autodl.recipes.config import load_train
from autodl.release.metrics import _CHECKSUM, ReleaseMetrics, _checksum, read_metrics
from autodl.search.config import load_search
from autodl.spaces.codec import decode_text, encode_text
from autodl.system.resources import resource
from autodl.system.state import decode_state, encode_state

EACH = 25_000
# what people, editors and other programs put where something else belongs
ODD = (
    *("", "~", "null", "true", "no", "-1", "0", "1e999", ".nan", "1:30", "0200", "0x" + "f" * 2000),
    *("9" * 5000, "1_000", "'", '"', "[", "]", "{", "}", "&a [*a]", "*a", "&a {x: *a}", "!!int x"),
    *(
        "!!timestamp x",
        "!!set {a}",
        "!!binary x",
        "!x",
        "<<: *a",
        "|",
        ">",
        "%",
        "@",
        "`",
        "\t",
        "\0",
    ),
    *(
        "\ufeff",
        "\x07",
        "\u2028",
        "é",
        "\U0001f600",
        '"\\ud800"',
        "a: b: c",
        "[[[[",
        "- 1",
        "? x",
        "#",
    ),
    *(
        "x" * 5000,
        "_BASE_: " + "x" * 5000,
        "_BASE_: .",
        "_BASE_: [a, 1]",
        "~nobody-there/x",
        "12e4",
    ),
    *(
        "2024-13-45",
        "[0, 1]",
        "{a: 1}",
        '"kind"',
        "NaN",
        "Infinity",
        "1e400",
        "[]",
        "{}",
        "-0",
        "1.5",
    ),
)


def mutate(content: bytes, rng: random.Random) -> bytes:
    """Up to four changes: of bits, spans, lines, or of a word into something odd."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        kind, place = rng.randrange(7), rng.randrange(len(content) + 1)
        end = min(len(content), place + rng.randint(1, 20))
        lines = content.split(b"\n")
        if kind == 0 and content:
            flipped = bytearray(content)
            flipped[place - 1] ^= 1 << rng.randrange(8)
            content = bytes(flipped)
        elif kind == 1:
            content = content[:place] + content[end:]
        elif kind == 2:
            content = content[:place] + content[place:end] + content[place:]
        elif kind == 3:
            del lines[rng.randrange(len(lines))]
            content = b"\n".join(lines)
        elif kind == 4:
            lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))
            content = b"\n".join(lines)
        else:
            odd = rng.choice(ODD).encode("utf-8", "surrogatepass")
            if kind == 5 and (words := content.split(b" ")):
                words[rng.randrange(len(words))] = odd
                content = b" ".join(words)
            else:
                content = content[:place] + odd + content[end:]
    return content


VALUES = (
    *(None, True, False, 0, 1, -1, 2, 7, 64, 2**31, 2**63, 10**400, 0.5, -0.0, 1e400, float("nan")),
    *(
        "",
        "x",
        "é",
        "\ud800",
        "\0",
        "conv_3x3",
        "x" * 5000,
        [],
        {},
        [[]],
        [0],
        {"a": 1},
        {"": None},
    ),
)


def mutate_json(content: bytes, rng: random.Random) -> bytes:
    """Up to three values or keys, at any depth, replaced, removed or doubled."""
    whole = {"": json.loads(content)}
    for _ in range(rng.choice((1, 1, 1, 3))):
        at: dict[str, Any] | list[Any] = whole
        key: Any = ""
        while isinstance(at[key], dict | list) and at[key] and rng.random() < 0.95:
            at = at[key]
            key = rng.choice(list(at) if isinstance(at, dict) else range(len(at)))
        kind = rng.randrange(4)
        if kind == 0 and at is not whole:
            del at[key]
        elif kind == 1 and isinstance(at, list):
            at.insert(key, deepcopy(at[key]))
        elif kind == 1 and at is not whole:
            at[str(rng.choice(ODD))[:50]] = deepcopy(at[key])
        elif kind == 2 and isinstance(at, list):
            at[key] = deepcopy(rng.choice(at))  # which may well be right
        elif type(value := at[key]) is int and rng.random() < 0.7:
            at[key] = abs(value + rng.choice((-1, 1)))
        else:
            at[key] = deepcopy(rng.choice(VALUES))
    return json.dumps(whole[""]).encode()


def changed(content: bytes, rng: random.Random) -> bytes:
    """JSON with other values, or with other letters."""
    return mutate_json(content, rng) if rng.random() < 0.6 else mutate(content, rng)


@cache
def shipped() -> tuple[tuple[Callable[..., object], bytes], ...]:
    """Every shipped config with the function that reads and resolves it."""
    readers: dict[str, Callable[..., object]] = {
        "search": load_search,
        "train": load_train,
        "supernet": load_width,
        "compress": load_compress,
    }
    return tuple(
        (read, path.read_bytes())
        for folder, read in readers.items()
        for path in sorted(resource("configs", folder).glob("*.yaml"))
    )


def config(rng: random.Random, folder: Path) -> None:
    """Read and resolve a shipped config that was mutated, perhaps with an override that is odd."""
    read, content = rng.choice(shipped())
    path = folder / "own.yaml"
    path.write_bytes(mutate(content, rng) if rng.random() < 0.9 else content)
    keys = ("Data.path", "Data.classes", "Train.epochs", "Global.plugins", "Strategy", "Data.x.y")
    overrides = [f"{rng.choice(keys)}={rng.choice(ODD)}" for _ in range(rng.randrange(3))]
    read(path, overrides)


@cache
def architectures() -> tuple[bytes, ...]:
    """One architecture of every kind that is among the released networks and the stored runs."""
    files = [*resource("models").glob("*/architecture.json")]
    files += Path(__file__).parents[1].glob("old_runs/**/architecture.json")
    return tuple(path.read_bytes() for path in sorted(files))


def architecture(rng: random.Random, folder: Path) -> None:
    """Decode an architecture that was mutated; what is accepted survives encoding."""
    text = changed(rng.choice(architectures()), rng).decode("utf-8", "replace")
    found = decode_text(text)
    if encode_text(decode_text(encode_text(found))) != encode_text(found):
        raise AssertionError("an accepted architecture changes when it is written")


@cache
def metadata() -> tuple[bytes, ...]:
    """The metadata of the released networks."""
    return tuple(path.read_bytes() for path in sorted(resource("models").glob("*/metrics.json")))


def released(rng: random.Random, folder: Path) -> None:
    """Read metadata that were mutated; half of them know their new checksum."""
    content = changed(rng.choice(metadata()), rng)
    if rng.random() < 0.5:
        try:
            value = json.loads(content)
            value[_CHECKSUM] = _checksum({k: v for k, v in value.items() if k != _CHECKSUM})
            content = json.dumps(value).encode()
        except (ValueError, RecursionError, AttributeError, TypeError):
            pass  # it stays as it is
    path = folder / "metrics.json"
    path.write_bytes(content)
    read_metrics(ReleaseMetrics, path)


@cache
def state() -> bytes:
    """A state with numbers, texts and arrays."""
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.zeros((), np.int64)}
    return encode_state({"arrays": arrays, "list": [1, None, "x"], "deep": {"c": np.ones(3, bool)}})


def safetensors(rng: random.Random, folder: Path) -> None:
    """Decode a state whose header was mutated (its length is put right), or its bytes anywhere."""
    content = state()
    size = int.from_bytes(content[:8], "little")
    if rng.random() < 0.7:
        header = changed(content[8 : 8 + size], rng)
        content = len(header).to_bytes(8, "little") + header + content[8 + size :]
    else:
        content = mutate(content, rng)
    decode_state(content)


KINDS: dict[str, Callable[[random.Random, Path], None]] = {
    "config": config,
    "architecture": architecture,
    "metadata": released,
    "safetensors": safetensors,
}


def outcome(kind: str, seed: int, number: int, folder: Path) -> str:
    """``accepted``, ``refused``, or what else came out, for input ``number`` of a kind."""
    try:
        KINDS[kind](random.Random(f"{kind} {seed} {number}"), folder)
    except AutoDLError as error:
        return "refused" if "\n" not in str(error) else f"more than one line: {str(error)!r}"
    except Exception:
        return traceback.format_exc(limit=-3)
    return "accepted"


def main(each: int = EACH, seed: int = 0) -> int:
    """Run all kinds and print a line for each, and for every failed input."""
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            begun, counts = time.monotonic(), Counter[str]()
            for number in range(each):
                found = outcome(kind, seed, number, Path(folder))
                if found not in ("accepted", "refused"):
                    print(f"{kind} {number}: {found}", flush=True)
                    found = "failed"
                counts[found] += 1
            failed += counts["failed"]
            told = ", ".join(f"{counts[name]:,} {name}" for name in sorted(counts))
            print(f"{kind}: {told}, {time.monotonic() - begun:.0f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
