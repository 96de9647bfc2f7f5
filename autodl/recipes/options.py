"""Options of one fit, apart from it so that reading a config needs no framework."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from autodl.config.components import make_part
from autodl.config.sections import Section
from autodl.errors import AutoDLError, ConfigError

PlainPart: TypeAlias = dict[str, Any]
_LISTS = ("terms", "hooks")
_OF_SGD = ("momentum", "nesterov", "weight_decay", "gradient_clip")
_OF_SCHEDULE = ("schedule", "learning_rate", "warmup_epochs", "lowest_rate", "schedule_epochs")


def part(kind: str) -> AfterValidator:
    """Checks ``{name: X, option: value, ...}`` and completes it with the defaults."""

    def completed(values: PlainPart) -> PlainPart:
        try:
            return make_part(kind, values).identity()
        except AutoDLError as error:
            raise PydanticCustomError("part", "{reason}", {"reason": str(error)}) from None

    return AfterValidator(completed)


def completed(values: Mapping[str, Any]) -> PlainPart:
    """A section with all that its recipe says, if it names one and does not say it itself.

    Of terms and hooks, those of the section take the place of the recipe's of the same name, or
    come behind them. A section that is complete stays as it is.

    Raises:
        AutoDLError: no such recipe, or not such options; or a key of the rate or of SGD beside a
            recipe that gives these parts.
    """
    own = dict(values)
    for key in _LISTS:
        if isinstance(own.get(key), list):
            own[key] = tuple(own[key])
    chosen = own.get("recipe")
    named = {"name": chosen} if isinstance(chosen, str) else chosen
    if not isinstance(named, Mapping):
        return own
    recipe, batch = make_part("Recipe", named), own.get("batch_size")
    given = recipe.factory()(recipe.options, batch if type(batch) is int and batch > 0 else None)
    for part, keys in (("rate", _OF_SCHEDULE), ("optimiser", _OF_SGD)):
        said = [key for key in keys if key in own]
        if said and part in given and part not in own:
            raise ConfigError(
                f"{said[0]} {own[said[0]]} and the recipe's {part}, {given[part]['name']}, are two"
                f" ways to say one thing; leave {said[0]} out, or set {part}=null to go by it"
            )
    for key in _LISTS:
        of_recipe, mine = given.get(key, ()), own.get(key, ())
        if isinstance(mine, tuple) and all(isinstance(part, Mapping) for part in mine):
            by_name = {part["name"]: part for part in of_recipe}
            own[key] = (*{**by_name, **{part.get("name", ""): part for part in mine}}.values(),)
    return {**given, **own, "recipe": recipe.identity()}


class TrainOptions(Section):
    """``Train`` section: how one network is trained.

    Early stopping compares training losses by their ratio. With label smoothing or mixup the loss
    has a floor above 0 (of 10 classes and a smoothing of 0.1 about 0.5): close to it the same
    progress is a smaller share, so ``patience`` stops sooner and ``divergence`` later.
    """

    SECTION: ClassVar[str] = "Train"  # that messages name

    ADDED = (
        *("branches", "branch_scale", "inherit", "resize_kernels"),
        *("auxiliary_weight", "drop_path", "lrc_weight"),
        *("schedule", "first_size", "grown", "grown_by", "whiten", "averaging"),
        *("optimiser", "terms", "hooks", "form", "rate", "recipe"),
        *("lowest_rate", "schedule_epochs", "vertical_flip", "brightness", "border"),
        "max_seconds",
    )

    recipe: PlainPart | None = Field(
        None, description="a whole recipe, by name or with options; it gives the keys left out here"
    )
    epochs: int = Field(20, ge=1, description="passes over the training pictures, at most")
    batch_size: int = Field(128, ge=2, description="pictures per update, in each process")
    learning_rate: float = Field(0.1, gt=0, description="the highest of the schedule")
    warmup_epochs: float = Field(0.0, ge=0, description="linear rise from 0 before the cosine")
    schedule: Literal["cosine", "linear"] = Field(
        "cosine", description="how the rate falls behind the warm-up"
    )
    rate: Annotated[PlainPart, part("Schedule")] | None = Field(
        None, description="schedule of the rate, name and options; null: the one of schedule"
    )
    lowest_rate: float = Field(0.0, ge=0, description="what the rate falls to")
    schedule_epochs: int | None = Field(
        None, ge=1, description="epochs until then, if more than are trained; null: epochs"
    )
    first_size: int | None = Field(
        None, ge=8, multiple_of=4, description="side of the pictures at first; it grows to the full"
    )
    grown: float = Field(
        0.75, gt=0, le=1, description="share of the epochs until the pictures have their full size"
    )
    grown_by: int = Field(4, ge=4, multiple_of=4, description="pixels, at a time")
    whiten: bool = Field(
        False, description="the first convolution whitens patches of the pictures, and stays so"
    )
    averaging: float = Field(
        0.0, ge=0, lt=1, description="decay of an average of the weights, taken at the end; 0: none"
    )
    optimiser: Annotated[PlainPart, part("Optimiser")] | None = Field(
        None, description="name and options; null: SGD with the four keys that follow"
    )
    terms: tuple[Annotated[PlainPart, part("Term")], ...] = Field(
        (), description="more terms of the loss, each with its name and options"
    )
    hooks: tuple[Annotated[PlainPart, part("Hook")], ...] = Field(
        (), description="more that acts during the training, each with its name and options"
    )
    momentum: float = Field(0.9, ge=0, lt=1)
    nesterov: bool = True
    weight_decay: float = Field(1e-4, ge=0, description="L2, on weights and batch-norm scales")
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    gradient_clip: float | None = Field(None, gt=0, description="largest global gradient norm")
    amp: bool = Field(
        False,
        description="mixed precision: float16 on a GPU; on a CPU with AMX, convolutions larger than"
        " 1x1 multiply bfloat16; no effect on other CPUs",
    )
    pad_crop: int = Field(4, ge=0, description="pixels of padding before a random crop")
    border: Literal["mean", "black", "reflected"] = Field(
        "mean", description="what is padded: the mean colour, black, or the picture continued"
    )
    flip: Literal["none", "random", "alternating"] = Field(
        "random", description="mirror pictures: by a coin, or every one in every other epoch"
    )
    vertical_flip: bool = Field(False, description="turn pictures upside down, by a coin")
    brightness: float = Field(
        0.0, ge=0, lt=1, description="pixels are multiplied by 1 - brightness to 1 + brightness"
    )
    cutout: int = Field(0, ge=0, description="side of the square that is blanked out, 0: none")
    mixup: float = Field(0.0, ge=0, description="alpha of mixup's Beta, 0: none")
    auxiliary_weight: float = Field(
        0.0, ge=0, description="of the auxiliary classifier's loss, for networks that have one"
    )
    drop_path: float = Field(
        0.0, ge=0, lt=1, description="highest rate of dropped edges; it rises from 0 by epochs"
    )
    lrc_weight: float = Field(
        0.0, ge=0, description="of the local Rademacher complexity of the margins"
    )
    branches: Literal["none", "acb", "dbb", "repvgg"] = Field(
        "none", description="blocks that are trained in the place of convolutions, see reparam"
    )
    form: Annotated[PlainPart, part("Form")] | None = Field(
        None, description="what is trained, name and options; null: the one of branches"
    )
    branch_scale: float = Field(
        1.0, gt=0, description="acb: first scale of all its batch-norms; 1/3 is usual on CIFAR"
    )
    inherit: bool = Field(
        False, description="in a search: start from the weights of the parent, if there is one"
    )
    resize_kernels: bool = Field(
        False, description="inherited kernels of another size are cut or padded, not drawn anew"
    )
    patience: int | None = Field(
        None, ge=1, description="stop after so many epochs without a better training loss"
    )
    max_seconds: float | None = Field(
        None, gt=0, description="wall clock; the schedule is brought forward to end by then"
    )
    min_improvement: float = Field(
        1e-3, ge=0, lt=1, description="what counts as a better training loss, relative"
    )
    divergence: float | None = Field(
        3.0,
        gt=1,
        description="stop when the training loss exceeds the first, and the lowest so many times",
    )

    @model_validator(mode="before")
    @classmethod
    def _completed_by_the_recipe(cls, values: Any) -> Any:
        """Keys that the recipe gives and the section leaves out; see ``completed``."""
        if not isinstance(values, Mapping):
            return values
        try:
            return completed(values)
        except AutoDLError as error:
            raise ValueError(f"recipe: {error}") from None

    def _changed(self, keys: tuple[str, ...]) -> list[str]:
        """Those that are not at their defaults."""
        fields = type(self).model_fields
        return [key for key in keys if getattr(self, key) != fields[key].default]

    @model_validator(mode="after")
    def _one_schedule(self) -> Self:
        changed = self._changed(_OF_SCHEDULE)
        if self.rate is not None and changed:
            raise ValueError(
                f"{changed[0]} {getattr(self, changed[0])} and rate {self.rate['name']} both say"
                " what the learning rate is; give it in rate, or leave one out"
            )
        return self

    @model_validator(mode="after")
    def _one_optimiser(self) -> Self:
        changed = self._changed(_OF_SGD)
        if self.optimiser is not None and changed:
            raise ValueError(
                f"{changed[0]} {getattr(self, changed[0])} is of SGD; give it in optimiser, where"
                f" {self.optimiser['name']} has such an option, or leave it out"
            )
        return self

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if self.form is not None and self.branches != "none":
            raise ValueError(
                f"branches {self.branches} and form {self.form['name']} both say what is trained;"
                " leave one out"
            )
        return self

    @model_validator(mode="after")
    def _has_room_for_the_auxiliary_classifier(self) -> Self:
        if self.auxiliary_weight and self.first_size is not None and self.first_size < 32:
            raise ValueError(
                f"the auxiliary classifier needs pictures of 32x32, first_size is {self.first_size}"
            )
        return self

    @model_validator(mode="after")
    def _scales_branches_that_are_there(self) -> Self:
        if self.branch_scale != 1.0 and self.branches != "acb":
            raise ValueError(
                f"branch_scale {self.branch_scale:g} is for branches: acb, got {self.branches}"
            )
        return self

    @model_validator(mode="after")
    def _resizes_what_is_inherited(self) -> Self:
        if self.resize_kernels and not self.inherit:
            raise ValueError("resize_kernels is for inherited kernels; set inherit as well")
        return self

    @model_validator(mode="after")
    def _falls(self) -> Self:
        if self.lowest_rate > self.learning_rate:
            raise ValueError(
                f"lowest_rate {self.lowest_rate:g} exceeds learning_rate {self.learning_rate:g}"
            )
        if self.schedule_epochs is not None and self.schedule_epochs < self.epochs:
            raise ValueError(
                f"schedule_epochs {self.schedule_epochs} are fewer than epochs {self.epochs}"
            )
        return self

    @model_validator(mode="after")
    def _warms_up_in_time(self) -> Self:
        if self.warmup_epochs > self.epochs:
            raise ValueError(f"warmup_epochs {self.warmup_epochs:g} exceed epochs {self.epochs}")
        return self


class FineTuningOptions(TrainOptions):
    """``FineTuning`` section: how a network is trained on after a change."""

    SECTION = "FineTuning"
