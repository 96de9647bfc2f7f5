"""Whole recipes by name: ``Train.recipe: fast`` stands for the keys that are given here.

Rate and decay are said free of each other and of batch and momentum, so that each can be chosen by
itself: a rate of 1024 summed losses, and the share of the weights that an update at the highest
rate takes off.

Source: Jordan, 94 % on CIFAR-10 in 3.29 seconds, arXiv:2404.00498; its record with Muon.
"""

from __future__ import annotations

from typing import Any

from autodl.recipes.parts import FastMuonOptions, FastOptions, FastStartOptions

_BATCH = 1024  # what rates and decays are said for
_MUON_BATCH = 2000
_HEAD = 256 / 9  # by how much larger its author's head is, whose outputs are so much smaller


def coupled(rate: float, decay: float, momentum: float, batch: int) -> tuple[float, float]:
    """Rate and L2 of Nesterov's SGD on mean losses, from what does not depend on its batch.

    Were all gradients the same, SGD would step ``1 + 1 / (1 - momentum)`` times the rate, as the
    source counts it. The L2 is free of both, since it is of the gradient.

    Args:
        rate: for a sum of 1024 losses.
        decay: share of the weights for 1024 examples, at that rate.

    Returns:
        ``(rate, L2)``.
    """
    return rate * batch / _BATCH / (1 + 1 / (1 - momentum)), decay / rate


def fast(options: FastOptions, batch: int | None) -> dict[str, Any]:
    """The recipe of airbench: SGD, shifts that learn faster, Lookahead.

    Args:
        batch: that of the section; None for the recipe's own.

    Returns:
        Keys of ``Train``.
    """
    size = batch or _BATCH
    rate, decay = coupled(options.rate, options.decay, options.momentum, size)
    hooks = _start(options)
    if options.lookahead:
        hooks.append({"name": "Lookahead"})
    return {
        **_examples(size),
        "epochs": 11,
        "rate": {"name": "triangle", "learning_rate": rate},
        "optimiser": {
            "name": "SGD",
            "momentum": options.momentum,
            "weight_decay": decay,
            "shift_rate": options.shift_rate,
            "decay_biases": True,
        },
        "hooks": hooks,
    }


def fast_muon(options: FastMuonOptions, batch: int | None) -> dict[str, Any]:
    """The same with Muon for kernels, a rate that falls from the first update on, no Lookahead."""
    size = batch or _MUON_BATCH
    return {
        **_examples(size),
        "epochs": 8,
        "rate": {
            "name": "triangle", "learning_rate": options.rate,
            "first": 1.0, "rise": 0.0, "last": 0.0,
        },
        "optimiser": {
            "name": "Muon",
            "momentum": options.momentum,
            "shift_rate": options.shift_rate * size / options.rate,
            "linear_rate": options.linear_rate / _HEAD**2 * size / options.rate,
            "weight_decay": options.decay * size / options.rate,
            "decay_biases": True,
        },
        "hooks": _start(options),
    }  # fmt: skip


def _examples(size: int) -> dict[str, Any]:
    return {
        "batch_size": size,
        "label_smoothing": 0.2,
        "pad_crop": 2,
        "border": "reflected",
        "flip": "alternating",
    }


def _start(options: FastStartOptions) -> list[dict[str, Any]]:
    """What the network begins with, and how its batch-norms learn."""
    hooks: list[dict[str, Any]] = []
    if options.uniform_start:
        hooks.append({"name": "UniformStart"})
    if options.dirac_start:
        hooks.append({"name": "DiracStart"})
    if options.whiten:
        hooks.append({"name": "Whitening", "bias_epochs": options.bias_epochs})
    if options.fast_norms or not options.scales:
        momentum = 0.6 if options.fast_norms else None
        hooks.append({"name": "BatchNorms", "momentum": momentum, "scale": options.scales})
    return hooks
