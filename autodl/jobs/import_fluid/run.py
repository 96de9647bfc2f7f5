"""Brings the LRC models that the original released into this project's networks.

The folder that is written is like one of ``autodl train``, with what is known: weights,
architecture, network, normalisation. There are no held-out pictures, for the original trained on
all 50,000; the test set is that of the official CIFAR-10 archive, and no other data are accepted.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autodl.config.reading import RawConfig
from autodl.data.sample import load_sample
from autodl.errors import CheckpointError
from autodl.jobs.import_fluid.archive import Variables, read_fluid_archive
from autodl.plans.signature import picture_signature
from autodl.recipes.config import resolve_train
from autodl.runs.folder import ARCHITECTURE, CONFIG, MANIFEST, METRICS, WEIGHTS, versions
from autodl.spaces.codec import save_architecture
from autodl.spaces.fixed import FixedArchitecture
from autodl.spaces.genotype.names import darts_names, from_darts
from autodl.spaces.plan_maker import plan_maker
from autodl.system.files import check_free, checksum, folder_aside, write_json, write_text
from autodl.system.yaml_text import dump

if TYPE_CHECKING:
    from autodl.networks.network import PlanNetwork

_IMAGE_SIZE = 32
# of the original's reader
_MEAN = (0.49139968, 0.48215827, 0.44653124)
_STD = (0.24703233, 0.24348505, 0.26158768)
_VELOCITY = re.compile(r"(?:(.+)_)?velocity_\d+")  # without a name before Fluid 1.4
_COUNTER = re.compile(r"learning_rate(_\d+)?|@LR_DECAY_COUNTER@")


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did: how many variables it took, and which it left out."""

    folder: Path
    variables: int
    left_out: tuple[str, ...]
    parameters: int


def import_fluid(
    archive: Path, out: Path, *, genotype: str, channels: int = 36, layers: int = 20
) -> Imported:
    """Read a saved model and write the folder of a finished training.

    Variables of the auxiliary classifier and of the optimiser, which only training needs, are left
    out. Nothing is written unless all others fit.

    Args:
        archive: see ``read_fluid_archive``.
        out: made if missing; must be empty.
        genotype, channels, layers: of the network that the archive holds.

    Raises:
        ConfigError: no such genotype or size of network.
        CheckpointError: the archive is unusable or of another network.
        StoreError: ``out`` is not empty or cannot be written.
    """
    check_free(out)
    network = {"name": "GenotypeNetwork", "genotype": genotype}
    sections: dict[str, Any] = {
        "Network": {**network, "channels": channels, "layers": layers},
        "Data": {"name": "cifar10"},
    }
    config = resolve_train(RawConfig(sections))
    variables = read_fluid_archive(archive)
    classes = load_sample().classes
    make_plan = plan_maker(config.network, picture_signature(len(classes), _IMAGE_SIZE))
    plan = make_plan(FixedArchitecture())

    from autodl.networks.network import PlanNetwork
    from autodl.training.weights import save_weights

    built = PlanNetwork(plan)
    left_out = _fill(built, variables, archive)
    source = {"archive": archive.name, "sha256": checksum(archive), "left_out": list(left_out)}
    manifest = {"identity": {"Pictures": {"official": True}}, "starts": [], "versions": versions()}
    metrics = {
        "held_out_accuracy": None,
        "held_out_pictures": 0,
        "parameters": plan.parameters,
        "macs": plan.macs,
        "classes": list(classes),
        "image_size": _IMAGE_SIZE,
        "mean": list(_MEAN),
        "std": list(_STD),
        "imported": source,
    }
    with folder_aside(out) as aside:
        save_architecture(FixedArchitecture(), aside / ARCHITECTURE)
        save_weights(built, aside / WEIGHTS)
        write_text(aside / CONFIG, dump(sections))
        write_json(aside / MANIFEST, {**manifest, "imported": source})
        write_json(aside / METRICS, metrics)
    return Imported(out, len(variables) - len(left_out), left_out, plan.parameters)


def _fill(network: PlanNetwork, variables: Variables, archive: Path) -> tuple[str, ...]:
    """Give the network its weights; the names of the variables that it has no need of."""
    from autodl.training.weights import load_arrays

    head = set(darts_names(network.plan, auxiliary=True).values())
    known = head | set(darts_names(network.plan).values())
    left_out = {name for name in variables if name in head or _of_optimiser(name, known)}
    taken = {name: array for name, array in variables.items() if name not in left_out}
    if bad := sorted(name for name, array in taken.items() if not np.isfinite(array).all()):
        raise CheckpointError(f"{archive}: {bad[0]!r} holds numbers that are not finite")
    try:
        load_arrays(network, from_darts(network.plan, taken))
    except CheckpointError as error:
        raise CheckpointError(
            f"{archive} does not fit: {error}; is it of another genotype, or of other channels or"
            " layers?"
        ) from None
    return tuple(sorted(left_out))


def _of_optimiser(name: str, parameters: Collection[str]) -> bool:
    velocity = _VELOCITY.fullmatch(name)
    if velocity is not None:
        return velocity[1] is None or velocity[1] in parameters
    return bool(_COUNTER.fullmatch(name))
