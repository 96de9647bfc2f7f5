"""One way to build any trained network: in the form its weights are of, from either kind of file.

Weights are float32 numbers (``weights.safetensors``, of the form that was trained), or packed ones
(``packed.safetensors``, of the plain form, see ``autodl.reparam.plain_form``), which are decoded.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from autodl.plans.signature import Signature
from autodl.recipes.chosen import training_of
from autodl.recipes.config import TrainConfig
from autodl.runs.folder import PACKED, WEIGHTS
from autodl.spaces.plan_maker import plan_maker
from autodl.trial import Architecture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from autodl.networks.network import PlanNetwork


def weights_file(folder: Path) -> Path:
    """Where a folder has the weights of its network, or should have them."""
    packed = folder / PACKED
    return packed if packed.exists() else folder / WEIGHTS


def is_packed(weights: Path) -> bool:
    """Whether a file of weights is a packed one, by its name."""
    return weights.name == PACKED


def build_model(
    config: TrainConfig, architecture: Architecture, signature: Signature, *, packed: bool
) -> PlanNetwork:
    """A network without its weights, in evaluation mode.

    Args:
        config: of its training, which says what is built and in which form it was trained.
        signature: what goes in and comes out.
        packed: in the plain form, that of packed weights.
    """
    from autodl.reparam.plain_form import is_plain, plain_network
    from autodl.reparam.training_form import training_network

    make_plan = plan_maker(config.network, signature)
    train = training_of(config.train, architecture)
    network = training_network(make_plan(architecture), train)
    if packed and not is_plain(network):
        network = plain_network(network)
    network.eval()
    return network


def read_arrays(network: PlanNetwork, weights: Path) -> dict[str, NDArray[Any]]:
    """The numbers in a file of weights by name, decoded if they are packed.

    Args:
        network: that they are of; only its names and shapes are read.

    Raises:
        CheckpointError: the file is missing, damaged, or of another network.
    """
    from autodl.compression.bits.packed_network import read_packed_weights
    from autodl.training.weights import read_weights

    return read_packed_weights(network, weights) if is_packed(weights) else read_weights(weights)


def give_weights(network: PlanNetwork, weights: Path) -> None:
    """Load a file of weights, all of it or nothing.

    Raises:
        CheckpointError: the file is missing, damaged, or of another network.
    """
    from autodl.compression.bits.packed_network import load_packed_weights
    from autodl.training.weights import load_weights

    load = load_packed_weights if is_packed(weights) else load_weights
    load(network, weights)
