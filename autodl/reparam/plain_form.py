"""The form of a network that is compressed: the plan's own layers, whatever it was trained with.

What serves the training alone is gone, as in the deployed form: the auxiliary classifier, and the
branches, each of which became one convolution. Unlike there every convolution still has its
batch-norm, which fine-tuning needs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import paddle
from numpy.typing import NDArray
from paddle import nn

from autodl.networks.network import PlanNetwork
from autodl.plans import layers as kinds
from autodl.plans.plan import Plan, PlanBuilder
from autodl.reparam.block import MultiBranchConv2D
from autodl.reparam.fusion import with_batch_norm
from autodl.reparam.pairs import conv_norm_pairs
from autodl.training.weights import load_arrays


def is_plain(network: PlanNetwork) -> bool:
    """Whether a network has neither branches nor an auxiliary classifier."""
    return network.auxiliary is None and not _blocks(network)


def plain_network(network: PlanNetwork) -> PlanNetwork:
    """A new network of the plain form, in evaluation mode, with weights of its own.

    It depends on the plan and on where blocks stand, not on the weights. A convolution whose block
    took over no batch-norm gets a bias, which holds the shifts of the block's batch-norms.
    """
    plain = PlanNetwork(_plain_plan(network))
    plain.eval()
    return plain


@paddle.no_grad()  # type: ignore[untyped-decorator]
def plain_form(network: PlanNetwork, batches: Iterable[paddle.Tensor]) -> PlanNetwork:
    """The plain form of a trained network: in evaluation mode of the same outputs up to rounding.

    Batch-norms that blocks had absorbed are put back with the statistics of their input over the
    batches, as if the convolution had been trained with them (see ``with_batch_norm``).

    Args:
        network: stays as it is, but for its mode, which is that of evaluation afterwards.
        batches: normalised pictures ``[B, C, H, W]``; without blocks they are not read.

    Raises:
        ReparameterisationError: a branch holds what cannot be folded.
    """
    network.eval()
    plain, blocks = plain_network(network), _blocks(network)
    folded = {name: block.as_convolution() for name, block in blocks.items()}
    moments = _output_moments(blocks, network, batches) if blocks else {}
    norms = conv_norm_pairs(plain)
    arrays = _arrays(plain)
    arrays |= {name: value for name, value in _arrays(network).items() if name in arrays}
    for name, convolution in folded.items():
        if name not in norms:
            arrays |= _arrays(convolution, f"{name}.")
            continue
        norm: Any = plain.layer(norms[name])
        mean, variance = moments[name]
        bare, back = with_batch_norm(
            convolution, mean - convolution.bias, variance, epsilon=norm._epsilon
        )
        arrays |= _arrays(bare, f"{name}.") | _arrays(back, f"{norms[name]}.")
        if f"{name}.bias" in arrays:  # the batch-norm's shift holds it already
            arrays[f"{name}.bias"] = np.zeros_like(arrays[f"{name}.bias"])
    load_arrays(plain, arrays)
    return plain


def _blocks(network: PlanNetwork) -> dict[str, MultiBranchConv2D]:
    """Blocks in the place of convolutions, by the name of the record."""
    layers = {record.name: network.layer(record.name) for record in network.plan.records[1:]}
    return {name: own for name, own in layers.items() if isinstance(own, MultiBranchConv2D)}


def _plain_plan(network: PlanNetwork) -> Plan:
    blocks, records = _blocks(network), network.plan.records
    normed = {
        record.inputs[0]
        for record in records[1:]
        if isinstance(record.layer, kinds.BatchNorm)
        and isinstance(network.layer(record.name), nn.Identity)
    }
    builder = PlanBuilder(network.plan.input_shape)
    for position, record in enumerate(records[1:], start=1):
        kind = record.layer
        if record.name in blocks and isinstance(kind, kinds.Conv) and position not in normed:
            kind = replace(kind, bias=True)
        builder.add(record.name, kind, *record.inputs)
    return builder.finish()


def _output_moments(
    blocks: dict[str, MultiBranchConv2D], network: PlanNetwork, batches: Iterable[paddle.Tensor]
) -> dict[str, tuple[paddle.Tensor, paddle.Tensor]]:
    """Mean and variance of every channel of the blocks' outputs, ``[O]`` each, over all batches."""
    sums: dict[str, list[paddle.Tensor]] = {}
    counts = dict.fromkeys(blocks, 0)

    def note(name: str, outputs: paddle.Tensor) -> None:
        maps = outputs.astype("float64")  # sums of squares cancel
        counts[name] += outputs.size // outputs.shape[1]
        own = [maps.sum([0, 2, 3]), (maps * maps).sum([0, 2, 3])]
        sums[name] = [a + b for a, b in zip(sums[name], own, strict=True)] if name in sums else own

    handles = [
        block.register_forward_post_hook(
            lambda layer, inputs, outputs, name=name: note(name, outputs)
        )
        for name, block in blocks.items()
    ]
    try:
        for images in batches:
            network(images)
    finally:
        for handle in handles:
            handle.remove()
    found = {}
    for name, (first, second) in sums.items():
        mean = first / counts[name]
        variance = (second / counts[name] - mean * mean).clip(min=0)
        found[name] = (mean.astype("float32"), variance.astype("float32"))
    return found


def _arrays(layer: nn.Layer, prefix: str = "") -> dict[str, NDArray[Any]]:
    return {f"{prefix}{name}": value.numpy() for name, value in layer.state_dict().items()}
