"""What parts of a search must offer, looked at before anything is evaluated.

A plugin's space, strategy or evaluator that lacks something would else be found out in the middle
of a run, or after the last trial of one. Each message names what is missing.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autodl.config.components import Component
from autodl.errors import EncodingError, PluginError
from autodl.spaces.codec import decode_text, encode_text
from autodl.spaces.space import Blocked, Coded, Listed, Sampled, Stepwise
from autodl.strategies.strategy import Strategy, Watchable
from autodl.system.roles import missing
from autodl.system.state import encode_state


def build(component: Component, *given: Any, **more: Any) -> Any:
    """Call a component's factory with what is ``given``, its options and ``more`` as keywords.

    Raises:
        PluginError: it cannot be called so.
    """
    factory, keywords = component.factory(), {**component.arguments(), **more}
    try:
        inspect.signature(factory).bind(*given, **keywords)
    except TypeError as error:
        raise PluginError(
            f"{_name(component)}: its factory is called with {len(given)} values by place and"
            f" {', '.join(keywords) or 'no others'} by name, but {error}"
        ) from None
    except ValueError:  # written in C without a signature
        pass
    return factory(*given, **keywords)


def check_role(component: Component, made: object, role: type[object]) -> None:
    """Raise PluginError if what a component's factory made lacks something of its role."""
    if lacks := missing(made, role):
        raise PluginError(
            f"{_name(component)}: its {type(made).__name__} lacks {', '.join(lacks)};"
            f" {role.__module__}.{role.__name__} says what they do"
        )


def check_space(component: Component, space: object) -> None:
    """Try a space out on one architecture: drawn, or else the first that it lists.

    Raises:
        PluginError: it gives none, or one that cannot be stored and read again.
    """
    if isinstance(space, Sampled):
        architecture = space.sample(np.random.default_rng(0))
    elif isinstance(space, Listed):
        architecture = next(iter(space.architectures()), None)
    else:
        lacks = " and ".join((*missing(space, Sampled), *missing(space, Listed)))
        raise PluginError(
            f"{_name(component)}: its {type(space).__name__} lacks {lacks}; it needs one of them"
        )
    text = _stored(component, architecture)
    if isinstance(space, Coded):
        _check_rows(component, space, text)


def _stored(component: Component, architecture: Any) -> str:
    """The architecture as text, once it is known to be an architecture that can be stored."""
    who = f"{_name(component)}: its architecture of type {type(architecture).__name__}"
    try:
        text = encode_text(architecture)
        hash(architecture)
        again = encode_text(decode_text(text))
    except (EncodingError, TypeError, ValueError, KeyError) as error:
        reason = f"lacks {error}" if isinstance(error, KeyError) else str(error)
        raise PluginError(f"{who} cannot be stored and read again: {reason}") from error
    if again != text:
        raise PluginError(f"{who} changes when it is stored and read again: {text} is {again}")
    return text


def _check_rows(component: Component, space: Coded[Any], text: str) -> None:
    """Raise PluginError unless encoding and decoding lead back to the same row."""
    _check_attributes(component, space)
    try:
        row = np.asarray(space.encode(decode_text(text)))
    except ValueError:  # of rows that differ in length, as a pair of them
        row = np.empty((0, 0), object)
    if row.shape != (len(space.sizes),) or row.dtype.kind not in "iu":
        raise PluginError(
            f"{_name(component)}: encode gives a row of {len(space.sizes)} integers, one for each"
            f" of its sizes; got shape {row.shape} of {row.dtype}"
        )
    again = np.asarray(space.encode(space.decode(row)))
    if not np.array_equal(row, again):
        raise PluginError(
            f"{_name(component)}: encode(decode(row)) gives another row: {row.tolist()} is"
            f" {again.tolist()}"
        )


def _check_attributes(component: Component, space: Coded[Any]) -> None:
    """Raise PluginError for an attribute of a protocol's name that is something else."""
    places = range(len(space.sizes))
    wrong = ""
    if isinstance(space, Stepwise) and sorted(_flat(space.steps)) != list(places):
        wrong = f"steps has each of the {len(places)} decisions once, got {space.steps!r}"
    elif isinstance(space, Blocked) and not _repeats(space.sizes, space.choices):
        wrong = f"choices, repeated, is sizes, got {space.choices!r} for {space.sizes!r}"
    if wrong:
        raise PluginError(f"{_name(component)}: {wrong}; call what is something else otherwise")


def _flat(steps: object) -> list[Any]:
    """The positions that steps name; none of what are no steps."""
    if not isinstance(steps, tuple | list):
        return []
    return [place for step in steps for place in (step if isinstance(step, tuple) else (step,))]


def _repeats(sizes: Sequence[int], block: object) -> bool:
    if not isinstance(block, tuple | list) or not block:
        return False
    return tuple(sizes) == tuple(block) * (len(sizes) // len(block))


def check_strategy(component: Component, strategy: object) -> None:
    """Look at a strategy's methods, its batch size, and whether its state can be stored.

    Raises:
        PluginError: something is missing or of another type.
    """
    check_role(component, strategy, Strategy)
    assert isinstance(strategy, Strategy)  # noqa: S101
    size = strategy.batch_size
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 1):
        raise PluginError(
            f"{_name(component)}: its batch_size is None or a whole number from 1, got {size!r}"
        )
    try:
        state = strategy.state()
        if not isinstance(state, Mapping):
            raise TypeError(f"it is a mapping, got {type(state).__name__}")
        encode_state(state)
    except (TypeError, ValueError, AttributeError) as error:
        raise PluginError(f"{_name(component)}: its state cannot be stored: {error}") from error
    if isinstance(strategy, Watchable) and "update" not in strategy.diagnostics():
        raise PluginError(
            f"{_name(component)}: its diagnostics have no 'update', which counts them"
        )


def _name(component: Component) -> str:
    return f"{component.section} {component.name}"
