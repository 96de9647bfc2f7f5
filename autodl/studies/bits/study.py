"""Bits by one training against bits by a search and bits that are the same everywhere.

Everything else is shared: the trained network, the pictures, the code that fine-tunes, packs and
measures. The search may spend as much average as the mixtures took, and is given multiples of their
seconds. As the mixtures train while they infer, the others fine-tune for as many epochs as both
of their trainings have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autodl.compression.bits.options import BitSearchOptions
from autodl.config.components import read_component
from autodl.config.reading import RawConfig
from autodl.errors import StoreError
from autodl.jobs.compress.config import CompressConfig
from autodl.jobs.compress.run import compress
from autodl.studies.bits.table import STUDY
from autodl.system.files import write_json

if TYPE_CHECKING:
    from autodl.compression.choice import Method

_FIRST = "bayesian"  # the folder inside a study's that is made first


def study(
    config: CompressConfig,
    model: str,
    out: Path,
    *,
    resume: bool = False,
    progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Compress in all ways, each in a folder inside ``out``, and compare.

    With ``resume``, what is finished is read and what is not goes on.

    Returns:
        As in ``study.json``: ``rows``, one for each way.

    Raises:
        AutoDLError: see ``compress``; ``out`` holds something else.
    """

    _check_folder(out, resume)

    def done(name: str, own: CompressConfig, method: Method | None = None) -> dict[str, Any]:
        def tell(line: str) -> None:
            progress(f"{name} {line}")

        goes_on = resume and (out / name).exists()
        return compress(own, model, out / name, resume=goes_on, progress=tell, method=method)

    bayesian = done(_FIRST, config)
    rows = [_row("BayesianBits", bayesian)]
    longer = replace(
        config,
        fine_tuning=config.fine_tuning.model_copy(
            update={"epochs": config.train.epochs + config.fine_tuning.epochs}
        ),
    )
    for bits in config.study.uniform:
        own = _with_method(longer, {"name": "UniformBits", "bits": bits})
        rows.append(_row(f"uniform {bits}", done(f"uniform-{bits}", own)))
    rows += _search_rows(longer, bayesian, done)
    result = {"model": model, "seed": config.general.seed, "rows": rows}
    write_json(out / STUDY, result)
    return result


def _check_folder(out: Path, resume: bool) -> None:
    if not out.is_dir() or not any(out.iterdir()):
        return
    if not (out / _FIRST).is_dir():
        raise StoreError(
            f"{out} is not empty and holds no study; choose another --out folder for it"
        )
    if not resume:
        raise StoreError(
            f"{out} is not empty: go on with it by --resume, or choose another --out folder"
        )


def _search_rows(
    config: CompressConfig,
    bayesian: Mapping[str, Any],
    done: Callable[..., dict[str, Any]],
) -> list[dict[str, Any]]:
    """One search for the longest time; the shorter ones are its beginnings.

    Where the mixtures took fewer bits on average than the search has to give each layer, it may
    give a layer as few as that average, rounded down; ``least_bits`` of a row says how few.
    """
    from autodl.compression.bits.bit_search import best_within
    from autodl.compression.bits.uniform_bits import GivenBits

    multiples = sorted(config.study.multiples)
    if not multiples:
        return []
    seconds = float(bayesian["search_seconds"])
    average = float(bayesian["average_bits"])
    asked = config.study.search.get("least_bits", BitSearchOptions().least_bits)
    least = int(min(asked, average))
    own = _with_method(
        config,
        {
            "rollouts": 1_000_000,
            **config.study.search,
            "name": "BitSearch",
            "average_bits": average,
            "least_bits": least,
            "seconds": seconds * multiples[-1],
        },
    )
    longest = done(f"search-{multiples[-1]:g}", own)
    rows = []
    for multiple in multiples[:-1]:
        best = best_within(longest["details"]["rollouts"], seconds * multiple)
        spent = min(seconds * multiple, float(longest["search_seconds"]))
        method = GivenBits(best["bits"], spent)
        rows.append(_row(f"search {multiple:g}x", done(f"search-{multiple:g}", own, method)))
    rows.append(_row(f"search {multiples[-1]:g}x", longest))
    return [{**row, "least_bits": least} for row in rows]


def _with_method(config: CompressConfig, values: dict[str, Any]) -> CompressConfig:
    component = read_component(RawConfig({"Compression": values}), "Compression")
    return replace(config, compression=component)


def _row(name: str, metrics: Mapping[str, Any]) -> dict[str, Any]:
    kept = (
        *("average_bits", "search_seconds", "fine_tuning_seconds", "accuracy_before"),
        *("accuracy_rounded", "accuracy_after", "packed_bytes", "ratio"),
    )
    return {"name": name, **{key: metrics[key] for key in kept}}


def study_lines(result: Mapping[str, Any]) -> list[str]:
    """The comparison as a table, for people."""
    lines = [
        f"held-out accuracy before: {result['rows'][0]['accuracy_before']:.4f} (seed"
        f" {result['seed']})",
        f"{'method':<14} {'bits':>6} {'search s':>9} {'tuning s':>9} {'rounded':>8} {'after':>8}",
    ]
    lines += [
        f"{row['name']:<14} {row['average_bits']:>6.3f} {row['search_seconds']:>9.1f}"
        f" {row['fine_tuning_seconds']:>9.1f} {row['accuracy_rounded']:>8.4f}"
        f" {row['accuracy_after']:>8.4f}"
        for row in result["rows"]
    ]
    return lines
