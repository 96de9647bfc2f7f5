"""Options of the agent, apart from it so that reading a config needs no framework."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from autodl.config.sections import Section


class AgentOptions(Section):
    """``Strategy`` section of a search by the LSTM agent.

    What is null is decided in ``autodl/agents/budget.py``: by the number of trials, or, where
    ``batch_size`` is given, as published.
    """

    ADDED = ("head_deviation", "normalise", "imitated", "epochs", "clip")

    batch_size: int | None = Field(
        None, ge=1, description="architectures per policy update; null: as the budget asks for"
    )
    hidden: int = Field(64, ge=1, description="width of the LSTM")
    layers: int = Field(2, ge=1, description="stacked LSTM layers")
    learning_rate: float | None = Field(None, gt=0, description="of Adam; null: as batch_size")
    entropy_weight: float | None = Field(
        None, ge=0, description="bonus for an undecided policy; null: as batch_size"
    )
    baseline_decay: float = Field(0.9, ge=0, lt=1, description="of the mean-reward average")
    advantage_power: float = Field(1.0, gt=0, description="3 is the original's cube")
    temperature: float = Field(5.0, gt=0, description="logits = squash tanh(z / temperature)")
    squash: float = Field(2.5, gt=0, description="largest size of a logit")
    head_deviation: float | None = Field(
        None, gt=0, description="of heads' first weights, 0.16 as published; null: U(-0.1, 0.1)"
    )
    normalise: bool | None = Field(
        None, description="advantages in running deviations; null: as batch_size"
    )
    imitated: int | None = Field(
        None, ge=0, description="best distinct trials that are learned again; null: as batch_size"
    )
    epochs: int = Field(1, ge=1, description="steps on each batch; above 1 with clipped ratios")
    clip: float = Field(0.2, gt=0, lt=1, description="ratios stay within 1 - clip and 1 + clip")


class AblrOptions(Section):
    """``Strategy`` section of adaptive Bayesian linear regression."""

    initial: int = Field(10, ge=1, description="random trials at first, where there is no history")
    acquisition: Literal["ei", "thompson"] = Field(
        "ei", description="expected improvement, or a draw"
    )
    width: int = Field(50, ge=1, description="of each of the three layers")
    steps: int = Field(30, ge=1, description="of L-BFGS for each fit")


class ControllerOptions(Section):
    """``Controller`` section: the policy over widths, and how its best are found."""

    hidden: int = Field(100, ge=1)
    layers: int = Field(2, ge=1)
    learning_rate: float = Field(1.6e-4, gt=0)
    beta1: float = Field(0.5, ge=0, lt=1)
    beta2: float = Field(0.999, ge=0, lt=1)
    weight_decay: float = Field(1e-3, ge=0)
    entropy_weight: float = Field(4e-3, ge=0, description="for accuracies in 0..1")
    baseline_decay: float = Field(0.99, ge=0, lt=1)
    exponent: float = Field(-0.1, le=0, description="of cost / budget beyond the budget")
    samples: int = Field(1, ge=1, description="architectures per update")
    decode_beams: int = Field(8, ge=0, description="likeliest architectures that are ranked")
    decode_samples: int = Field(10, ge=0, description="drawn architectures that are ranked")

    @model_validator(mode="after")
    def _decodes_something(self) -> Self:
        if not self.decode_beams + self.decode_samples:
            raise ValueError("decode_beams 0 and decode_samples 0 leave nothing to rank; raise one")
        return self


class NaoOptions(Section):
    """``Strategy`` section of neural architecture optimisation; sizes are those of NAO_V1.

    The pool options that are null follow the number of trials, as ``autodl/agents/nao.py`` says.
    """

    seeds: int | None = Field(None, ge=2, description="random architectures to begin with")
    batch_size: int | None = Field(None, ge=1, description="new architectures of each round")
    elite: int | None = Field(None, ge=1, description="best ones that are moved uphill")
    farthest: int = Field(50, ge=1, description="steps along the gradient, tried from 1 up")
    epochs: int = Field(1000, ge=1, description="of training the network, each round")
    pool_batch: int = Field(100, ge=1, description="architectures per step of training")
    learning_rate: float = Field(1e-3, gt=0, description="of Adam")
    weight_decay: float = Field(1e-4, ge=0)
    largest_gradient: float = Field(5.0, gt=0, description="norm to which gradients are cut")
    predictor_weight: float = Field(0.8, ge=0, le=1, description="the decoder has the rest")
    embedding: int = Field(48, ge=1, description="of a token")
    tokens_per_step: int = Field(2, ge=1, description="that the encoder reads at once")
    hidden: int = Field(96, ge=1, description="width of both LSTMs")
    predictor_layers: int = Field(3, ge=1)
    predictor_width: int = Field(200, ge=1)
    dropout: float = Field(0.1, ge=0, lt=1, description="of the predictor, in training")
    twins: int = Field(
        1, ge=0, description="other ways to write each architecture, where its space knows some"
    )


class ModelBasedOptions(AgentOptions):
    """``Strategy`` section of the agent with a surrogate that chooses among what it draws."""

    model: Literal["ridge", "pairs", "gp", "forest", "boosting"] = Field(
        "gp", description="linear regression on decisions, or on pairs; Gaussian process; trees"
    )
    acquisition: Literal["ei", "ucb", "thompson"] = Field(
        "ei", description="expected improvement, upper confidence bound, or a draw"
    )
    initial: int = Field(10, ge=1, description="random trials before the first fit")
    trusted: float = Field(
        0.25, ge=0, le=1, description="share of proposals that the policy draws, undecided"
    )
    candidates: int = Field(
        256, ge=1, description="that the policy draws for each proposal, besides the surrogate's"
    )


class TaskConditionedOptions(AgentOptions):
    """``Strategy`` section of the agent that goes on from other tasks."""

    task_width: int = Field(25, ge=1, description="of a task's vector")
    passes: int = Field(1, ge=1, description="through the trials of the history")
    transfer_rate: float = Field(
        1.0, gt=0, description="of learning, after a history, as a share of learning_rate"
    )
