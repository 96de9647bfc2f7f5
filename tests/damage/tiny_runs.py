"""A tiny run of every kind in one folder, made in seconds, to damage or to kill.

Search, training, compression and width search are there finished and, the last three, as
``cut_...`` interrupted after an epoch; studies are of searches and of trainings; ``models`` holds
two released networks and their ensemble.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from autodl.jobs.compress.config import load_compress
from autodl.jobs.compress.run import compress
from autodl.jobs.release.publish import publish
from autodl.jobs.release.publish_ensemble import publish_ensemble
from autodl.jobs.search.parts import load_search
from autodl.jobs.search.run import run_search
from autodl.jobs.train.final_test import measure_once
from autodl.jobs.train.run import retrain
from autodl.jobs.width.config import load_width
from autodl.jobs.width.run import run_width_search
from autodl.recipes.config import load_train
from autodl.spaces.cell.space import CellSpace
from autodl.spaces.codec import load_architecture, save_architecture
from autodl.studies.run import run_study
from autodl.studies.study import Study

_GLOBAL = "Global: {seed: 3, device: cpu}\n"
_DATA = "Data: {name: cifar10-mini, image_size: 8, train: 40, held_out: 40}\n"
_TRAIN = "{epochs: 3, batch_size: 20, learning_rate: 0.05}"
CONFIGS = {
    "search": """
Global: {seed: 3}
Search: {max_trials: 12, executor: inline}
Strategy: {name: RandomSearch}
Space: {name: CellSpace, nodes: 3}
Evaluator: {name: TokenCount}
""",
    "training": f"""{_GLOBAL}{_DATA}
Network: {{width: 4, cells_per_stage: 1, stages: 2, bottleneck: 1}}
Train: {_TRAIN}
""",
    "compression": f"""
Global: {{device: cpu}}
Compression: {{name: UniformBits, bits: 3}}
Train: {_TRAIN}
FineTuning: {_TRAIN}
""",
    "width": f"""{_GLOBAL}{_DATA}
Width:
  {{mode: transition, network: resnet20, candidates: [1, 2, 3],
   budget_macs: 20000, budget_range: [0.8, 1.0]}}
Supernet:
  {{epochs: 3, warmup_epochs: 1, batch_size: 20, learning_rate: 0.05, pad_crop: 1,
   projection_rate: 2.0, noise: 1e-2}}
Controller: {{decode_beams: 2, decode_samples: 2}}
""",
    "study": """
_BASE_: search.yaml
Study:
  {job: search, seeds: [1], control: drawn,
   vary: {drawn: {}, varied: {Strategy: {name: Evolution, population: 4, tournament: 2}}}}
""",
    "train_study": """
_BASE_: training.yaml
Train: {epochs: 1}
Study:
  {job: train, seeds: [1], source: ROOT/cell.json, then: [test],
   vary: {slow: {Train: {learning_rate: 0.01}}, fast: {}}}
""",
    "width_training": f"""
Global: {{device: cpu}}
Network: {{name: WidthNetwork}}
{_DATA}
Train: {{epochs: 1, batch_size: 20, pad_crop: 1}}
""",
}


class Interrupted(Exception):
    """Ends a run from its own progress."""


def write_inputs(root: Path) -> None:
    """The configs, an architecture and a picture, beside which the runs are made."""
    from PIL import Image

    root.mkdir(parents=True, exist_ok=True)
    for name, text in CONFIGS.items():
        (root / f"{name}.yaml").write_text(text.replace("ROOT", str(root)))
    space = CellSpace(nodes=2, operations=("conv_3x3", "max_pool_3x3"))
    save_architecture(space.sample(np.random.default_rng(1)), root / "cell.json")
    noise = np.random.default_rng(0).integers(256, size=(8, 8, 3), dtype=np.uint8)
    Image.fromarray(noise).save(root / "picture.png")


Tell = Callable[[str], None]


def search(root: Path, folder: Path, tell: Tell = str) -> None:
    """Search, or go on with it."""
    run_search(load_search(root / "search.yaml"), folder, resume=True)


def training(root: Path, folder: Path, tell: Tell = str) -> None:
    """Train the cell, or go on with it."""
    cell = load_architecture(root / "cell.json")
    retrain(load_train(root / "training.yaml"), cell, folder, resume=True, progress=tell)


def compression(root: Path, folder: Path, tell: Tell = str) -> None:
    """Compress the finished training, or go on with it."""
    config, model = load_compress(root / "compression.yaml"), str(root / "training" / "cell")
    compress(config, model, folder, resume=True, progress=tell)


def width(root: Path, folder: Path, tell: Tell = str) -> None:
    """Search for widths, or go on with it."""
    run_width_search(load_width(root / "width.yaml"), folder, resume=True, progress=tell)


def release(root: Path, folder: Path, tell: Tell = str) -> None:
    """Release the finished training, unless that is done."""
    if not folder.exists():
        publish(root / "training" / "cell", folder, found_by="By hand.", repetitions=0)


def make_all(root: Path) -> None:
    """Make every run; what they are of is in the files beside them."""
    write_inputs(root)
    search(root, root / "search")
    training(root, root / "training" / "cell")
    measure_once(root / "training" / "cell")
    compression(root, root / "compression")
    width(root, root / "width")
    for name in ("study", "train_study"):
        run_study(Study.load(root / f"{name}.yaml"), root / name)
    _cut(training, root, root / "cut_training" / "cell")
    _cut(compression, root, root / "cut_compression")
    _cut(width, root, root / "cut_width")
    _other_seed(root, root / "other")
    for name, folder in {"one": root / "training" / "cell", "two": root / "other"}.items():
        publish(folder, root / "models" / name, found_by="By hand.", repetitions=0)
    publish_ensemble(["one", "two"], root / "models")


def _cut(job: Callable[[Path, Path, Tell], None], root: Path, folder: Path) -> None:
    """Make a run that was interrupted after an epoch of its training."""

    def tell(line: str) -> None:
        if "[Epoch 1/" in line:
            raise Interrupted

    try:
        job(root, folder, tell)
    except Interrupted:
        return
    raise RuntimeError(f"{folder} came to its end before it was interrupted")


def _other_seed(root: Path, folder: Path) -> None:
    config = load_train(root / "training.yaml", ["Global.seed=4"])
    retrain(config, load_architecture(root / "cell.json"), folder)
    measure_once(folder)


def copy(source: Path, target: Path) -> None:
    """Put a folder or file in the place of another."""
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)
