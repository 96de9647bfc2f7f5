"""Which batch-norm reads which convolution, and nobody else does."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import paddle
from paddle import nn

from autodl.networks.layers import is_convolution
from autodl.networks.network import PlanNetwork
from autodl.plans.plan import Plan
from autodl.reparam.block import MultiBranchConv2D
from autodl.reparam.branches import keeps_to_batches
from autodl.reparam.errors import ReparameterisationError

NORMS = (nn.BatchNorm2D, nn.SyncBatchNorm)  # these exactly: a subclass may compute otherwise


@dataclass(frozen=True, slots=True)
class Place:
    """Where a layer stands in a model: ``parent`` holds it as ``name``, the model at ``path``."""

    path: str
    parent: nn.Layer
    name: str
    layer: nn.Layer

    def put(self, layer: nn.Layer) -> None:
        """Put another layer there."""
        self.parent._sub_layers[self.name] = layer  # not setattr: a plan may say 'training'


def places(model: nn.Layer) -> list[Place]:
    """Every layer below the model, several times if it stands there several times.

    The layers inside a branched block are not listed.
    """
    return list(_below(model, ""))


def _below(parent: nn.Layer, prefix: str) -> Iterator[Place]:
    for name, layer in parent._sub_layers.items():
        if layer is not None:
            path = f"{prefix}{name}"
            yield Place(path, parent, name, layer)
            if not isinstance(layer, MultiBranchConv2D):
                yield from _below(layer, f"{path}.")


def peculiar(standing: list[Place]) -> dict[str, str]:
    """Why a plain convolution or batch-norm must stay as it is, by path."""
    layers = Counter(id(place.layer) for place in standing)
    tensors = Counter(
        id(tensor)
        for layer in {id(place.layer): place.layer for place in standing}.values()
        for tensor in layer._parameters.values()
        if tensor is not None
    )
    found = {}
    for place in standing:
        layer = place.layer
        if layers[id(layer)] > 1:
            found[place.path] = "the layer stands in several places"
        elif any(tensors[id(tensor)] > 1 for tensor in layer._parameters.values()):
            found[place.path] = "it shares a parameter with another layer"
        elif layer._forward_pre_hooks or layer._forward_post_hooks:
            found[place.path] = "it has a forward hook"
    return found


def conv_norm_pairs(model: nn.Layer, example: paddle.Tensor | None = None) -> dict[str, str]:
    """Paths of convolutions to the path of the one batch-norm that reads each.

    With an example the model is run on it once, forward and backward, in evaluation mode: a pair is
    what the gradients show to be one, whatever the model's code looks like. They do not show
    another reader that is detached, compares, reads the kernel, or is idle on this example; all
    but the idle one are found by ``fuse``, which compares outputs too. Without an example only
    ``told_readers`` are trusted.

    Args:
        example: an input of the model; a few random numbers of the right shape will do.

    Raises:
        ReparameterisationError: the model's output holds no tensor.
    """
    standing = places(model)
    candidates = told_readers(model) if example is None else dict(_traced(model, example))
    odd, layers = peculiar(standing), {place.path: place.layer for place in standing}
    pairs = {}
    for convolution, norm in candidates.items():
        first, second = layers.get(convolution), layers.get(norm)
        if convolution in odd or norm in odd or not _fit(first, second):
            continue
        pairs[convolution] = norm
    return pairs


def _fit(convolution: Any, norm: Any) -> bool:
    return (
        is_convolution(convolution)
        and type(norm) in NORMS
        and norm._num_features == convolution._out_channels
        and norm._data_format == convolution._data_format
        and not keeps_to_batches(norm)
    )


def told_readers(model: nn.Layer) -> dict[str, str]:
    """Paths of layers to that of the one that alone reads each, or to "", as far as it is told.

    Plans tell it, and the order of a ``Sequential`` that only sequences hold, up to the model
    itself: other code may call the parts of a sequence one by one.
    """
    return dict(_told(model, "", in_sequence=True))


def _told(layer: nn.Layer, prefix: str, *, in_sequence: bool) -> Iterator[tuple[str, str]]:
    ordered = (
        in_sequence
        and isinstance(layer, nn.Sequential)
        and type(layer).forward is nn.Sequential.forward
    )
    readers: Iterator[tuple[str, str]] = iter(())
    if isinstance(layer, PlanNetwork):
        readers = _planned(layer.plan)
    elif ordered:
        readers = pairwise([*layer._sub_layers, ""])
    for first, second in readers:
        yield prefix + first, prefix + second if second else ""
    for name, child in layer._sub_layers.items():
        if child is not None and not isinstance(child, MultiBranchConv2D):
            yield from _told(child, f"{prefix}{name}.", in_sequence=ordered)


def _planned(plan: Plan) -> Iterator[tuple[str, str]]:
    """Every layer, and its reader if there is exactly one, which reads nothing else."""
    readers = defaultdict(list)
    for record in plan.records:
        for position in record.inputs:
            readers[position].append(record)
    for position, record in enumerate(plan.records):
        alone = len(readers[position]) == 1 and len(readers[position][0].inputs) == 1
        yield record.name, readers[position][0].name if alone else ""


@contextmanager
def evaluating(model: nn.Layer) -> Iterator[None]:
    """Evaluation mode in here; then the modes, and all running statistics, are as before."""
    layers = model.sublayers(include_self=True)
    modes = [(layer, layer.training) for layer in layers]
    moving = [
        (tensor, tensor.clone())
        for layer in layers
        if isinstance(layer, NORMS) and keeps_to_batches(layer)  # which goes on measuring
        for tensor in (layer._mean, layer._variance)
    ]
    model.eval()
    try:
        yield
    finally:
        for layer, training in modes:
            layer.training = training
        for tensor, value in moving:
            tensor.set_value(value)


def _traced(model: nn.Layer, example: paddle.Tensor) -> list[tuple[str, str]]:
    """Pairs by gradients: every batch-norm that reads a convolution gets a copy of its output.

    Where the batch-norm is the only reader, the gradients of the output and of the copy are the
    same numbers to the last bit; another reader adds its own part to the first.
    """
    made: dict[int, tuple[str, int]] = {}  # by the output's id: the path, the output's version
    links: list[tuple[str, str, paddle.Tensor, paddle.Tensor]] = []
    calls: Counter[str] = Counter()
    kept, handles = [], []  # outputs are kept, so that no other tensor gets their id

    def after_convolution(path: str) -> Any:
        def hook(layer: nn.Layer, inputs: Any, output: paddle.Tensor) -> None:
            calls[path] += 1
            made[id(output)] = path, output.inplace_version
            kept.append(output)

        return hook

    def before_norm(path: str) -> Any:
        def hook(layer: nn.Layer, inputs: Any) -> Any:
            calls[path] += 1
            convolution, version = made.get(id(inputs[0]), ("", 0))
            if not convolution or inputs[0].inplace_version != version:  # it was written to since
                return None
            copied = paddle.assign(inputs[0])
            links.append((convolution, path, inputs[0], copied))
            return (copied, *inputs[1:])

        return hook

    try:
        for place in places(model):
            if is_convolution(place.layer):
                follow = after_convolution(place.path)
                handles.append(place.layer.register_forward_post_hook(follow))
            elif type(place.layer) in NORMS:
                handles.append(place.layer.register_forward_pre_hook(before_norm(place.path)))
        given = example.detach()
        given.stop_gradient = False  # also where all parameters are frozen
        with evaluating(model), paddle.enable_grad():
            outputs = list(tensors(model(given.clone())))  # it may write to its input
            if not outputs:
                raise ReparameterisationError("the model's output holds no tensor to follow back")
            return _verified(outputs, links, calls)
    finally:
        for handle in handles:
            handle.remove()


def tensors(output: Any) -> Iterator[paddle.Tensor]:
    """The tensors that a model gave, whatever it packs them in."""
    if isinstance(output, paddle.Tensor):
        yield output
    elif isinstance(output, list | tuple | dict):
        for part in output.values() if isinstance(output, dict) else output:
            yield from tensors(part)


def _verified(
    outputs: list[paddle.Tensor],
    links: list[tuple[str, str, paddle.Tensor, paddle.Tensor]],
    calls: Counter[str],
) -> list[tuple[str, str]]:
    readers = Counter(convolution for convolution, _, _, _ in links)
    links = [
        link
        for link in links
        if readers[link[0]] == calls[link[0]] == calls[link[1]] == 1  # nothing runs twice
    ]
    rng = np.random.default_rng(0)
    weighted = [
        (out.astype("float64") * paddle.to_tensor(rng.normal(size=out.shape))).sum()
        for out in outputs
        if not out.stop_gradient
    ]
    if not links or not weighted:
        return []
    inputs = [tensor for _, _, made, copied in links for tensor in (made, copied)]
    gradients = paddle.grad(paddle.add_n(weighted), inputs, allow_unused=True)
    pairs = []
    for position, (convolution, norm, _, _) in enumerate(links):
        whole, part = gradients[2 * position : 2 * position + 2]
        if whole is None or part is None:
            continue
        if bool(whole.any()) and np.array_equal(whole.numpy(), part.numpy()):
            pairs.append((convolution, norm))
    return pairs
