"""What is tried on somebody's pictures: a hand-made network, a released one, one that is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

from autodl.config.reading import RawConfig
from autodl.errors import ConfigError
from autodl.jobs.fit.plan import MOST_EPOCHS, VALUE_COST, Plan, network_work
from autodl.jobs.search.parts import make_space, resolve_search
from autodl.recipes.config import TrainConfig, resolve_train
from autodl.search.config import SearchConfig
from autodl.spaces.fixed import FixedArchitecture
from autodl.spaces.space import canonical_form
from autodl.system.resources import resource
from autodl.trial import Architecture, Trial

Options = Mapping[str, Any]
PICTURES = "pictures.npz"  # in the folder of a fit
HAND_MADE, RELEASED, FOUND = "hand-made", "released", "found"
_FORMS = ("dense", "grouped", "bottleneck")  # a depthwise one would be very wide
# of configs/architectures: the hand-made network as an architecture, and what a search made of it
START = ("airbench93.json", "airbench93-searched.json")
# epochs over those that are predicted: the clock ends a training, not their number, also where
# other programs had slowed down what the prediction is from
_SPARE = 2.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A network and how it is trained; ``about`` says for people where it is from."""

    name: str
    about: str
    network: Options
    train: Options
    architecture: Architecture = field(default_factory=FixedArchitecture)


@dataclass(frozen=True, slots=True)
class Pictures:
    """Where the gathered pictures are, and what of them every training is told.

    ``held_out`` are cut from the training part; None for the usual share, or if it is cut already.
    """

    file: Path
    seed: int
    device: str
    mirror: bool
    epoch_seconds: float
    held_out: int | None = None

    def sections(self) -> dict[str, Any]:
        """``Global`` and ``Data``."""
        cut = {} if self.held_out is None else {"held_out": self.held_out}
        return {
            "Global": {"seed": self.seed, "device": self.device},
            "Data": {"name": "npz", "path": str(self.file), **cut},
        }

    @property
    def overrides(self) -> list[str]:
        """What a stored configuration is read with: the folder may have been moved since."""
        return data_overrides(self.file)

    def epochs(self, seconds: float) -> int:
        """How many are planned for so many seconds."""
        return max(1, min(MOST_EPOCHS, ceil(_SPARE * seconds / self.epoch_seconds)))


def data_overrides(file: Path) -> list[str]:
    """The option that says where the gathered pictures are now."""
    return [f"Data.path={file.absolute()}"]


def hand_made(plan: Plan) -> Candidate:
    """Airbench, as wide as the time allows."""
    widths = "-".join(map(str, plan.widths))
    return Candidate(
        HAND_MADE,
        f"Airbench {widths}, made by hand",
        {"name": "Airbench", "widths": list(plan.widths)},
        recipe(plan),
    )


def released(plan: Plan) -> Candidate:
    """The best released network of the usual recipe, with a new classifier.

    One that was trained by the fast recipe has norms without scales and outputs that are scaled
    down, for which the rates of fine-tuning below are not made.
    """
    from autodl.release.network import find, names, training_config
    from autodl.runs.folder import ARCHITECTURE
    from autodl.spaces.codec import load_architecture

    name = next(one for one in names() if training_config(find(one)).train.recipe is None)
    folder = find(name)
    network = training_config(folder).network
    return Candidate(
        RELEASED,
        f"{name}, released, with a new classifier",
        {"name": network.name, **network.options.to_plain()},
        {
            "batch_size": plan.batch,
            "amp": on_cpu(),
            "learning_rate": 0.05 * min(plan.batch, 128) / 128,
            "warmup_epochs": 1.0,
            "weight_decay": 5e-4,
            "label_smoothing": 0.1,
            "pad_crop": 3,
            "flip": "alternating",
            "hooks": [{"name": "ReleasedStart", "network": name}],
        },
        load_architecture(folder / ARCHITECTURE),
    )


def searched_sections(plan: Plan) -> dict[str, Any]:
    """``Space`` and ``Network`` of what is searched for: as costly as the hand-made network.

    The one place that says which space a fit searches in. Batch-norms and outputs are as the
    hand-made network, which is a point of this space, has them. Forms and kernels are those of
    ``search/stages.yaml``.
    """
    network = {
        "name": "StageNetwork", "macs": network_work(plan.side, plan.widths),
        "value_cost": VALUE_COST,
        "norm_momentum": 0.6, "norm_epsilon": 1e-12, "output_scale": 1 / 9,
    }  # fmt: skip
    space = {
        "name": "StageSpace",
        "convolutions": [0, 1, 2, 3],
        "kernels": [3],
        "forms": list(_FORMS),
    }
    return {"Space": space, "Network": network}


def recipe(plan: Plan) -> dict[str, Any]:
    """``Train`` of the hand-made network, and of what is searched for."""
    return {"recipe": {"name": "fast-muon"}, "batch_size": plan.batch, "amp": on_cpu()}


def on_cpu() -> bool:
    """Whether trainings are of mixed precision; on a GPU, in float16, this was never tried."""
    import paddle

    return bool(paddle.get_device() == "cpu")


def best_other(trials: Sequence[Trial], config: SearchConfig) -> Architecture | None:
    """Of trials, best first, the first that is not the hand-made network; None if there is none.

    Of a search of an earlier version, whose space does not have that network, it is the best.
    """
    from autodl.spaces.codec import load_architecture

    canonical = canonical_form(make_space(config))
    hand = load_architecture(resource("configs") / "architectures" / START[0])
    known = None
    with suppress(ConfigError):  # it is none of that space
        known = canonical(hand)
    networks = (trial.architecture for trial in trials)
    return next((one for one in networks if canonical(one) != known), None)


def found(plan: Plan, architecture: Architecture) -> Candidate:
    """What a search has come to."""
    network = searched_sections(plan)["Network"]
    return Candidate(FOUND, "found by this search", network, recipe(plan), architecture)


def config_of(candidate: Candidate, pictures: Pictures, seconds: float) -> TrainConfig:
    """The configuration of a training that takes so long."""
    train = {
        **candidate.train,
        **({} if pictures.mirror else {"flip": "none"}),
        "epochs": pictures.epochs(seconds),
        "max_seconds": round(seconds, 2),
        "divergence": None,
    }
    if "warmup_epochs" in train:
        train["warmup_epochs"] = min(train["warmup_epochs"], train["epochs"])
    return resolve_train(
        RawConfig(
            {
                **pictures.sections(),
                "Network": dict(candidate.network),
                "Train": train,
                "Evaluation": {"interval": 10**6, "mirrored": pictures.mirror},
            }
        )
    )


def search_of(plan: Plan, pictures: Pictures) -> SearchConfig:
    """The configuration of the search; its trials take as long as those of the comparison."""
    seconds = plan.trial_seconds
    population = max(4, plan.trials // 3)
    return resolve_search(
        RawConfig(
            {
                **pictures.sections(),
                "Search": {
                    "max_trials": plan.trials,
                    "executor": "inline",
                    "max_hours": plan.shares.searching / 3600,
                    "start": list(START),
                },
                "Strategy": {
                    "name": "AgingEvolution", "population": population, "tournament": 3,
                },
                **searched_sections(plan),
                "Evaluator": {"name": "TrainEvaluator"},
                "Train": {
                    **recipe(plan),
                    **({} if pictures.mirror else {"flip": "none"}),
                    "epochs": pictures.epochs(seconds),
                    "max_seconds": round(0.9 * seconds, 2),  # the rest is for all else
                },
            }
        )
    )  # fmt: skip
