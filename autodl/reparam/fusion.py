"""From the form that is trained to the form that is deployed."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import paddle
from paddle import nn

from autodl.errors import CheckpointError
from autodl.networks.network import PlanNetwork
from autodl.plans import layers as kinds
from autodl.plans.plan import Plan, PlanBuilder
from autodl.reparam.block import MultiBranchConv2D
from autodl.reparam.branches import batch_norm_terms, full
from autodl.reparam.comparison import Change, require_equal_outputs
from autodl.reparam.errors import ReparameterisationError
from autodl.reparam.functional import fuse_batch_norm
from autodl.reparam.pairs import NORMS, Place, conv_norm_pairs, places
from autodl.training.weights import load_arrays


def fuse(model: nn.Layer, example: paddle.Tensor | None = None) -> nn.Layer:
    """A deployed copy of a model, in evaluation mode; the model itself is not touched.

    Every branched block becomes a ``paddle.nn.Conv2D`` at its path, and so does every plain
    convolution together with the batch-norm that alone reads it, which leaves an ``Identity``.
    In evaluation mode the outputs are the model's up to rounding. A plan network's copy has the
    plan of its new layers, so ``PlanNetwork(copy.plan)`` takes its weights. Fusing a fused model
    gives an equal copy.

    Args:
        example: an input of the model, needed to find the plain convolutions with batch-norm in
            models that are neither plan networks nor ``Sequential`` all the way down; see
            ``conv_norm_pairs``. The outputs of both forms on it are compared. What the model
            computes on other inputs only, as a branch of its code that reads a convolution's
            output a second time, cannot be found: let the example be a typical input.

    Raises:
        ReparameterisationError: a branch holds what cannot be folded, there is nothing to fuse,
            or the outputs on the example differ by more than rounding; the message names the
            layers by their paths in the model.
    """
    copied = copy.deepcopy(model)
    if isinstance(copied, MultiBranchConv2D):
        copied.eval()
        return copied.as_convolution()
    fuse_in_place(copied, example)
    return copied


def fuse_in_place(model: nn.Layer, example: paddle.Tensor | None = None) -> None:
    """Do to the model itself what ``fuse`` does to a copy; training it further is lost.

    A model that is a branched block itself becomes deployed, but cannot become a ``Conv2D``.

    Raises:
        ReparameterisationError: as in ``fuse``; the model is as it was.
    """
    if isinstance(model, MultiBranchConv2D):
        model.re_parameterize()
        model.eval()
        return
    standing = places(model)
    made = _as_convolutions(standing)
    changes: dict[str, Change] = {
        place.path: [(place, made[id(place.layer)])]
        for place in standing
        if id(place.layer) in made
    }
    at = {place.path: place for place in standing}
    for path, norm in conv_norm_pairs(model, example).items():
        absorbed = _absorbed(at[path].layer, at[norm].layer)
        changes[path] = [(at[path], absorbed), (at[norm], nn.Identity())]
    if not changes:
        _require_fused(standing, example)
    if example is not None:
        require_equal_outputs(model, example, changes)
    for change in changes.values():
        for place, layer in change:
            place.put(layer)
    for layer in model.sublayers(include_self=True):
        if isinstance(layer, PlanNetwork):
            layer.drop_auxiliary()
            layer.plan = _plan_as_it_stands(layer)
    model.eval()


def load_fused(network: nn.Layer, state: Mapping[str, Any]) -> None:
    """Give a fused network the ``state_dict()`` of another one, as tensors or NumPy arrays.

    Nothing is changed unless all of it fits. (``set_state_dict`` never raises.)

    Raises:
        CheckpointError: a missing or surplus name, another shape or type of number.
    """
    arrays = {
        name: value.numpy() if isinstance(value, paddle.Tensor) else np.asarray(value)
        for name, value in state.items()
    }
    try:
        load_arrays(network, arrays)
    except CheckpointError as error:
        hint = "a fused network takes the weights of a fused one"
        raise CheckpointError(f"{error}; {hint}") from None


def with_batch_norm(
    convolution: nn.Conv2D, mean: paddle.Tensor, variance: paddle.Tensor, epsilon: float = 1e-5
) -> nn.Sequential:
    """The convolution without bias, then a batch-norm that changes nothing in evaluation mode.

    Fine-tuning or quantisation-aware training of a deployed network needs batch-norms again
    (RepVGG's recipe): scale ``sqrt(variance + epsilon)``, shift ``bias + mean``.

    Args:
        convolution: stays as it is.
        mean, variance: ``[O]``, measured on its output before the bias.
    """
    bare = copy.deepcopy(convolution)
    bare.bias = None
    bare.is_repped = False
    norm = nn.BatchNorm2D(
        convolution._out_channels, epsilon=epsilon, data_format=convolution._data_format
    )
    norm.to(dtype=convolution.weight.dtype)
    norm._mean.set_value(mean)
    norm._variance.set_value(variance)
    _, _, mean, variance, epsilon = batch_norm_terms(norm)
    norm.weight.set_value(paddle.sqrt(variance + epsilon))
    norm.bias.set_value(mean if convolution.bias is None else convolution.bias.detach() + mean)
    return nn.Sequential(bare, norm)


def _as_convolutions(standing: list[Place]) -> dict[int, nn.Conv2D]:
    """The convolution of every block, by the block's id."""
    made: dict[int, nn.Conv2D] = {}
    for place in standing:
        if isinstance(place.layer, MultiBranchConv2D) and id(place.layer) not in made:
            try:
                made[id(place.layer)] = place.layer.as_convolution()
            except ReparameterisationError as error:
                raise error.inside(place.path) from None
    return made


def _require_fused(standing: list[Place], example: paddle.Tensor | None) -> None:
    """Check that a model with nothing left to fuse has been fused before."""
    if any(getattr(place.layer, "is_repped", False) for place in standing):
        return
    norms = [place.path for place in standing if type(place.layer) in NORMS]
    seen = f"; {norms[0]!r} is the first of {len(norms)} batch-norms" if norms else ""
    mend = "; give fuse an example input to find more" if norms and example is None else ""
    raise ReparameterisationError(
        "nothing to fuse: the model has no branched block and no convolution that is read by a"
        f" batch-norm alone{seen}{mend}"
    )


def _absorbed(plain: Any, norm: Any) -> nn.Conv2D:
    """A convolution like this one with the scale and shift of its batch-norm."""
    convolution = copy.deepcopy(plain)
    bias = None if plain.bias is None else full(plain.bias)
    with paddle.no_grad():
        terms = batch_norm_terms(norm)
        weight = full(plain.weight).astype(terms[0].dtype)
        kernel, shift = fuse_batch_norm(weight, bias, *terms)
    dtype, frozen = plain.weight.dtype, plain.weight.stop_gradient
    if plain.bias is None:
        convolution.bias = convolution.create_parameter(
            [plain._out_channels], dtype=dtype, is_bias=True
        )
        convolution.bias.stop_gradient = frozen
        convolution.to(device=plain.weight.place)
    convolution.weight.set_value(kernel.astype(dtype))
    convolution.bias.set_value(shift.astype(dtype))
    convolution.is_repped = True
    return convolution


def _plan_as_it_stands(network: PlanNetwork) -> Plan:
    """A plan network's plan without the batch-norms that were absorbed, with the biases they left.

    Read from the layers, so it is also right where a block had absorbed the batch-norm.
    """
    builder = PlanBuilder(network.plan.input_shape)
    position = {0: 0}
    for old, record in enumerate(network.plan.records[1:], start=1):
        kind, layer = record.layer, network.layer(record.name)
        inputs = [position[i] for i in record.inputs]
        if isinstance(kind, kinds.BatchNorm) and isinstance(layer, nn.Identity):
            position[old] = inputs[0]
            continue
        if isinstance(kind, kinds.Conv) and isinstance(layer, nn.Conv2D):
            kind = replace(kind, bias=layer.bias is not None)
        position[old] = builder.add(record.name, kind, *inputs)
    return builder.finish()
