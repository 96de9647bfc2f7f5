"""Gives a built network its training form: blocks in the place of convolutions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Any, TypedDict, Unpack

import paddle
from paddle import ParamAttr, nn

from autodl.errors import did_you_mean, lookup
from autodl.networks.layers import is_convolution
from autodl.reparam.asymmetric import AsymmetricConvBlock
from autodl.reparam.block import MultiBranchConv2D
from autodl.reparam.branches import batch_norm_terms
from autodl.reparam.diverse import DiverseBranchBlock
from autodl.reparam.errors import ReparameterisationError
from autodl.reparam.geometry import ConvGeometry
from autodl.reparam.pairs import NORMS, Place, conv_norm_pairs, peculiar, places, told_readers
from autodl.reparam.repvgg import RepVGGBlock

BLOCKS: Mapping[str, type[MultiBranchConv2D]] = {
    "acb": AsymmetricConvBlock,
    "dbb": DiverseBranchBlock,
    "repvgg": RepVGGBlock,
}


class BlockOptions(TypedDict, total=False):
    """Options of blocks; each kind takes some of them, and a class of one's own others."""

    momentum: float
    epsilon: float
    deploy: bool
    initial_scale: float
    internal_channels: int | None
    single_init: bool
    custom_l2: bool


@dataclass(frozen=True, slots=True)
class Replacement:
    """What ``replace_convolutions`` did: the paths it replaced, and why it kept each other one."""

    replaced: tuple[str, ...]
    kept: Mapping[str, str]


def replace_convolutions(
    network: nn.Layer,
    block: str | type[MultiBranchConv2D],
    *,
    only: Collection[str] | None = None,
    example: paddle.Tensor | None = None,
    **options: Unpack[BlockOptions],
) -> Replacement:
    """Put a branched block, in place, where the network has an eligible convolution.

    Eligible are ``paddle.nn.Conv2D`` with odd kernels of 3 or 5 that the block can stand for.
    A batch-norm that alone reads such a convolution is taken over and leaves an ``Identity``; a
    convolution without one gets the block just so. The block's full-size branch starts as what it
    replaces, with its kernel, bias and batch-norm; the other branches are drawn from Paddle's
    generator. All kernels take over the learning rate and the regulariser of the one that is
    replaced. A plan network keeps its plan, that of the plain network.

    Args:
        block: ``acb``, ``dbb``, ``repvgg`` or a class.
        only: paths of the convolutions to replace, of any odd size; None takes all eligible ones.
        example: an input of the network, to find who reads a convolution where neither a plan
            nor a ``Sequential`` tells it; see ``conv_norm_pairs``. Without one such a convolution
            is kept, unless no batch-norm is left that could read it.
        options: for the block's constructor, those of its kind. Momentum and epsilon are else
            those of the batch-norm that is taken over.

    Raises:
        UnknownNameError: no block has this name.
        ReparameterisationError: the block is no class of blocks or does not take the options, or
            a path in ``only`` is no convolution or cannot take this form; nothing is replaced
            then.
    """
    kind = _kind(block)
    if is_convolution(network):
        reason = "the network is a convolution itself, which nothing holds; put it in a Sequential"
        return Replacement((), {"": reason})
    standing = places(network)
    at = {place.path: place for place in standing}
    norms = {path: at[norm] for path, norm in conv_norm_pairs(network, example).items()}
    odd = peculiar(standing) | _untold(network, standing, norms, example) | _fixed(norms)
    chosen, kept = _choose(standing, kind, only, odd)
    made = []
    for place, geometry in chosen:
        norm = norms.get(place.path)
        try:
            new = _block(kind, place.layer, norm and norm.layer, geometry, options)
        except ReparameterisationError as error:
            raise error.inside(place.path) from None
        made.append((place, norm, new))
    for place, norm, new in made:
        place.put(new)
        if norm is not None:
            norm.put(nn.Identity())
    return Replacement(tuple(place.path for place, _, _ in made), kept)


def _kind(block: Any) -> type[MultiBranchConv2D]:
    kind = lookup(BLOCKS, block, "block") if isinstance(block, str) else block
    if isinstance(kind, type) and issubclass(kind, MultiBranchConv2D):
        return kind
    raise ReparameterisationError(
        f"block must be one of {', '.join(BLOCKS)} or a subclass of MultiBranchConv2D, got"
        f" {block!r}"
    )


def _untold(
    network: nn.Layer,
    standing: list[Place],
    norms: Mapping[str, Place],
    example: paddle.Tensor | None,
) -> dict[str, str]:
    """Convolutions that one of the remaining batch-norms may read, for all that is known."""
    taken = {norm.path for norm in norms.values()}
    left = [p.path for p in standing if type(p.layer) in NORMS and p.path not in taken]
    if example is not None or not left:
        return {}
    told = told_readers(network)
    reason = "only an example can show whether a batch-norm reads it; give example=, an input"
    return {place.path: reason for place in standing if place.path not in told}


def _fixed(norms: Mapping[str, Place]) -> dict[str, str]:
    """Convolutions whose batch-norm does not train as those of branches would."""
    found = {}
    for path, norm in norms.items():
        layer: Any = norm.layer
        if layer._use_global_stats:
            found[path] = "its batch-norm has use_global_stats=True, those of branches have not"
        elif any(p is not None and p.stop_gradient for p in (layer.weight, layer.bias)):
            found[path] = "its batch-norm is frozen, branches would train it"
    return found


def _choose(
    standing: list[Place],
    kind: type[MultiBranchConv2D],
    only: Collection[str] | None,
    odd: Mapping[str, str],
) -> tuple[list[tuple[Place, ConvGeometry]], dict[str, str]]:
    """The convolutions to replace, and why each of the others, as the ``odd`` ones, is kept."""
    convolutions = [place for place in standing if is_convolution(place.layer)]
    known = [place.path for place in convolutions]
    for path in only or ():
        if path not in known:
            raise ReparameterisationError(
                f"there is no plain convolution at this path.{did_you_mean(path, known)}", path
            )
    kept, chosen = {}, []
    for place in convolutions:
        if only is not None and place.path not in only:
            kept[place.path] = "it was not asked for"
            continue
        try:
            if place.path in odd:
                raise ReparameterisationError(odd[place.path])
            geometry = _eligible(place.layer, kind)
            reason = "" if only is not None else kind.suits(geometry)
        except ReparameterisationError as error:
            if only is not None:
                raise error.inside(place.path) from None
            reason = error.reason
        if reason:
            kept[place.path] = reason
        else:
            chosen.append((place, geometry))
    return chosen, kept


def _eligible(convolution: Any, kind: type[MultiBranchConv2D]) -> ConvGeometry:
    """The convolution's geometry, if this kind of block can stand for it."""
    if convolution._padding_mode != "zeros" or convolution._data_format != "NCHW":
        raise ReparameterisationError(
            f"padding_mode {convolution._padding_mode!r} and data_format"
            f" {convolution._data_format!r} have no branched form; 'zeros' and 'NCHW' have"
        )
    if convolution.weight.stop_gradient:
        raise ReparameterisationError("its kernel is frozen, branches would train it")
    geometry = ConvGeometry.of(convolution)
    kind.check(geometry)
    return geometry


def _block(
    kind: type[MultiBranchConv2D],
    convolution: Any,
    norm: Any,
    geometry: ConvGeometry,
    options: BlockOptions,
) -> MultiBranchConv2D:
    """A block whose full-size branch computes what ``norm(convolution(x))`` does."""
    weight = convolution.weight
    own: dict[str, Any] = {
        "weight_attr": ParamAttr(
            learning_rate=weight.optimize_attr["learning_rate"], regularizer=weight.regularizer
        )
    }
    if norm is not None:
        own |= {"momentum": norm._momentum, "epsilon": norm._epsilon}
    arguments = (
        geometry.in_channels,
        geometry.out_channels,
        geometry.kernel,
        geometry.stride,
        geometry.padding,
        geometry.dilation,
        geometry.groups,
    )
    taken = signature(kind)
    try:
        taken.bind(*arguments, **options)
    except TypeError as error:
        known = [p.name for p in taken.parameters.values() if p.kind is Parameter.KEYWORD_ONLY]
        raise ReparameterisationError(
            f"{kind.__name__} {error}; its options are {', '.join(known)}"
        ) from None
    block = kind(*arguments, **{**own, **options})
    block.to(device=convolution.weight.place, dtype=convolution.weight.dtype)
    if not convolution.training:
        block.eval()
    main, main_norm = block.main_layers()
    main.weight.set_value(convolution.weight)
    bias = convolution.bias
    if norm is None:
        if bias is not None:
            main_norm.bias.set_value(bias)
        return block
    gamma, beta, mean, variance, _ = batch_norm_terms(norm)
    main_norm.weight.set_value(main_norm.weight * gamma)  # the block's scale stays a factor
    main_norm.bias.set_value(beta)
    main_norm._mean.set_value(mean if bias is None else mean - bias)
    main_norm._variance.set_value(variance)
    return block
