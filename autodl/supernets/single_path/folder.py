"""The folder of a trained supernet of paths, read by those who search in it."""

from __future__ import annotations

from pathlib import Path

from autodl.config.reading import load_config
from autodl.errors import ConfigError, DataError, StoreError
from autodl.plans.signature import Signature
from autodl.runs.folder import (
    CONFIG,
    FIRST_WEIGHTS,
    METRICS,
    WEIGHTS,
    check_seals,
    import_run_plugins,
    read_manifest,
)
from autodl.runs.supernet_folder import is_relaxed, supernet_advice
from autodl.spaces.plan_maker import plan_maker
from autodl.spaces.rows import as_coded
from autodl.supernets.single_path.blocks import MakePlan
from autodl.supernets.single_path.config import SupernetConfig
from autodl.supernets.single_path.network import SinglePathNetwork
from autodl.supernets.single_path.space_left import load_left
from autodl.tasks.task import Task
from autodl.training.weights import load_weights


def make_supernet(config: SupernetConfig, signature: Signature) -> SinglePathNetwork:
    """The untrained supernet that a configuration describes.

    Raises:
        ConfigError: space, network and examples do not fit each other, or the space's networks are
            not made of a block for each value of each decision.
    """
    space = as_coded(config.space.factory()(**config.space.arguments()), "a supernet")
    make_plan = plan_maker(config.network, signature)
    return SinglePathNetwork(space, make_plan, config.general.seed)


def load_supernet(
    folder: Path, task: Task, make_plan: MakePlan, *, first: bool = False
) -> SinglePathNetwork:
    """The supernet of a finished run, in evaluation mode, for a search on the same examples.

    Args:
        task: of the search.
        make_plan: of the search.
        first: with the weights that it had before its training.

    Raises:
        StoreError: no finished run of a supernet of paths.
        DataError: it was trained on other examples, which may hold those that a search measures on.
        ConfigError: its networks are not those of the search.
        CheckpointError: the weights are unusable.
    """
    weights = FIRST_WEIGHTS if first else WEIGHTS
    manifest = read_manifest(folder)
    if is_relaxed(folder):
        raise StoreError(supernet_advice(folder))
    if not (folder / FIRST_WEIGHTS).exists() or not (folder / METRICS).exists():
        raise StoreError(
            f"{folder} holds no finished supernet; make one by autodl train -c"
            f" supernet/edge-demo.yaml --out {folder}"
        )
    check_seals(folder, (CONFIG, weights))
    import_run_plugins(folder)
    config = SupernetConfig.resolve(load_config(folder / CONFIG, ()))
    identity = manifest.get("identity", {})
    if identity.get(task.examples.capitalize()) != task.identity():
        raise DataError(
            f"{folder} was trained on other {task.examples}, or on another cut of them, than this"
            " search has; give both the same section Data"
        )
    network = make_supernet(config, task.signature)
    _check_plans(network, make_plan, folder)
    network.left = load_left(folder, network.space)
    load_weights(network, folder / weights)
    network.eval()
    return network


def _check_plans(network: SinglePathNetwork, make_plan: MakePlan, folder: Path) -> None:
    """Raise ConfigError unless the search spells an architecture out as the supernet does."""
    architecture = network.space.decode(network.first_row())
    try:
        same = make_plan(architecture) == network.make_plan(architecture)
    except ConfigError as error:
        raise ConfigError(f"{folder} is a supernet of another space: {error}") from None
    if not same:
        raise ConfigError(
            f"{folder} is a supernet of other networks than those of this search; give both the"
            " same section Network"
        )
