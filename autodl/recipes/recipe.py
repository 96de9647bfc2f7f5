"""How one network is trained, as a value: its parts by name, each with its checked options."""

from __future__ import annotations

from dataclasses import dataclass, field

from autodl.config.components import Component, make_part
from autodl.recipes.options import TrainOptions
from autodl.tasks.task import Changes


@dataclass(frozen=True, slots=True)
class Stopping:
    """When to end early; see ``reason_to_stop``. By default never."""

    patience: int | None = None
    min_improvement: float = 1e-3
    divergence: float | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one network is trained.

    ``terms`` are added to the loss of the task's goal in their order, ``hooks`` act in theirs.
    ``whole_batches`` is whether its rate is for batches of that size and no smaller ones.
    ``form`` is what the plan's network becomes for the training, ``path`` chooses what part of a
    supernet an update is of. ``section`` is the one of the config that messages name, ``remedy``
    what they advise where numbers grow too large. ``max_seconds`` ends it early, see ``Pace``.
    """

    epochs: int
    batch_size: int
    schedule: Component
    optimiser: Component
    changes: Changes = field(default_factory=Changes)
    stop: Stopping = field(default_factory=Stopping)
    label_smoothing: float = 0.0
    terms: tuple[Component, ...] = ()
    hooks: tuple[Component, ...] = ()
    form: Component = field(default_factory=lambda: make_part("Form", {}))
    path: Component | None = None
    amp: bool = False
    whole_batches: bool = False
    max_seconds: float | None = None
    section: str = "Train"
    remedy: str = "a lower Train.learning_rate or Train.gradient_clip may help"

    def has(self, term: str) -> bool:
        """Whether a term of this name is part of the loss."""
        return any(part.name == term for part in self.terms)


def recipe_of(options: TrainOptions) -> Recipe:
    """What a flat ``Train`` section says."""
    section = options.SECTION
    return Recipe(
        epochs=options.epochs,
        batch_size=options.batch_size,
        schedule=make_part("Schedule", options.rate or _falling(options)),
        optimiser=make_part("Optimiser", options.optimiser or _sgd(options)),
        changes=changes_of(options),
        stop=Stopping(options.patience, options.min_improvement, options.divergence),
        label_smoothing=options.label_smoothing,
        terms=_terms(options),
        hooks=_hooks(options),
        form=form_of(options),
        amp=options.amp,
        whole_batches=options.recipe is not None,
        max_seconds=options.max_seconds,
        section=section,
        remedy=_remedy(options),
    )


def _remedy(options: TrainOptions) -> str:
    """What to change where numbers grow too large: the keys that say the rate here."""
    section = options.SECTION
    if options.rate is None:
        return f"a lower {section}.learning_rate or {section}.gradient_clip may help"
    of_recipe = "" if options.recipe is None else f", or in {section}.recipe,"
    return f"a lower rate in {section}.rate{of_recipe} may help"


def form_of(options: TrainOptions) -> Component:
    """What a network becomes for the training that a flat section describes."""
    scale = {"scale": options.branch_scale} if options.branches == "acb" else {}
    return make_part("Form", options.form or {"name": options.branches, **scale})


def _falling(options: TrainOptions) -> dict[str, object]:
    return {
        "name": options.schedule,
        "learning_rate": options.learning_rate,
        "warmup_epochs": options.warmup_epochs,
        "lowest_rate": options.lowest_rate,
        "schedule_epochs": options.schedule_epochs,
    }


def _sgd(options: TrainOptions) -> dict[str, object]:
    return {
        "name": "SGD",
        "momentum": options.momentum,
        "nesterov": options.nesterov,
        "weight_decay": options.weight_decay,
        "gradient_clip": options.gradient_clip,
    }


def changes_of(options: TrainOptions) -> Changes:
    """How a flat section changes examples."""
    return Changes(
        pad_crop=options.pad_crop,
        border=options.border,
        flip=options.flip,
        vertical_flip=options.vertical_flip,
        brightness=options.brightness,
        cutout=options.cutout,
        mixup=options.mixup,
        first_size=options.first_size,
        grown=options.grown,
        grown_by=options.grown_by,
    )


def _terms(options: TrainOptions) -> tuple[Component, ...]:
    flat = {"Auxiliary": options.auxiliary_weight, "Rademacher": options.lrc_weight}
    own = [{"name": name, "weight": weight} for name, weight in flat.items() if weight]
    return tuple(make_part("Term", values) for values in [*own, *options.terms])


def _hooks(options: TrainOptions) -> tuple[Component, ...]:
    """Those of flat keys, of the recipe and the section, and last the average of what is kept.

    Starts of the section leave what is whitened as it is, or put released weights in its place.
    """
    own: list[dict[str, object]] = []
    if options.whiten:
        own.append({"name": "Whitening"})
    if options.drop_path:
        own.append({"name": "DropPath", "rate": options.drop_path})
    if options.first_size is not None:
        own.append({"name": "GrowingPictures"})
    last = [{"name": "Averaging", "decay": options.averaging}] if options.averaging else []
    return tuple(make_part("Hook", values) for values in [*own, *options.hooks, *last])
