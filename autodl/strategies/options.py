"""``Strategy`` sections of evolution, and of searches by surrogates."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from autodl.config.sections import Section


class EvolutionOptions(Section):
    """``Strategy`` section of evolution."""

    population: int = Field(64, ge=2, description="members, always as many once it is full")
    tournament: int = Field(16, ge=2, description="members that are drawn for each cycle")
    retire: Literal["worst", "oldest"] = Field(
        "worst", description="who makes room: the worst of the drawn, or the oldest member"
    )
    pareto: tuple[str, ...] = Field(
        (), description="costs to rank by along with accuracy; none: the reward decides"
    )
    patience: int | None = Field(
        None, ge=1, description="cycles without a better population to end after; null: never"
    )
    least_gain: float = Field(1e-3, ge=0, description="of the quality, relative, to be better")
    target_std: float = Field(0.01, gt=0, description="of the population's accuracies")
    std_exponents: tuple[float, float] = Field(
        (-0.07, -0.07), description="of the quality, up to target_std and above it; not above 0"
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.tournament > self.population:
            raise ValueError(
                f"tournament {self.tournament} is larger than population {self.population}"
            )
        if max(self.std_exponents) > 0:
            raise ValueError(f"std_exponents must not be above 0, got {list(self.std_exponents)}")
        return self


class AgingEvolutionOptions(EvolutionOptions):
    """``Strategy`` section of aging evolution as it was published (Real et al., AAAI 2019)."""

    population: int = Field(100, ge=2, description="members, always as many once it is full")
    tournament: int = Field(25, ge=2, description="members that are drawn for each cycle")
    retire: Literal["worst", "oldest"] = Field(
        "oldest", description="who makes room: the worst of the drawn, or the oldest member"
    )


class ElasticTransferOptions(EvolutionOptions):
    """``Strategy`` section of elastic architecture transfer."""

    mutation: Literal["mutate", "perturb"] = Field(
        "mutate", description="of a parent: one primitive, or one primitive of every block"
    )


class SurrogateOptions(Section):
    """``Strategy`` section of a search by a surrogate."""

    model: Literal["ridge", "pairs", "gp", "forest", "boosting"] = Field(
        "gp", description="linear regression on decisions, or on pairs; Gaussian process; trees"
    )
    acquisition: Literal["ei", "ucb", "thompson", "ehvi"] | None = Field(
        None,
        description="expected improvement, confidence bound, draw; hypervolume for fronts; null:"
        " ei, but ucb where a gp sees decisions",
    )
    rewards: Literal["ranks", "standardised"] = Field(
        "ranks", description="learned from: normal scores of their ranks, or rewards themselves"
    )
    initial: int = Field(10, ge=1, description="random trials before the first fit")
    pareto: tuple[str, ...] = Field(
        (), description="costs to find the front of along with accuracy; none: the reward decides"
    )
    beta: float = Field(1.0, ge=0, description="of ucb: mean + sqrt(beta) deviation")
    listed: int = Field(4096, ge=0, description="up to so many rows, all are candidates")
    random: int = Field(1000, ge=1, description="else: random candidates")
    parents: int = Field(5, ge=1, description="best rows whose neighbours are candidates")
    mutated: int = Field(500, ge=0, description="candidates around these")
    shortlist: int = Field(256, ge=1, description="candidates that a draw of a gp compares")

    @model_validator(mode="after")
    def _has_a_front(self) -> Self:
        if self.acquisition == "ehvi" and not self.pareto:
            raise ValueError("acquisition ehvi is for fronts; name costs in pareto, or take ei")
        return self


class NasbotOptions(Section):
    """``Strategy`` section of NASBOT."""

    initial: int = Field(10, ge=1, description="random trials before the first fit")
    rewards: Literal["ranks", "standardised"] = Field(
        "ranks", description="learned from: normal scores of their ranks, or rewards themselves"
    )
    structure_weights: tuple[float, ...] = Field(
        (0.1, 0.25, 0.61, 1.5), min_length=1, description="of a layer's place in the distance"
    )
    lead: float = Field(20.0, gt=0, description="acquisitions computed: lead sqrt(trials)")
    least: int = Field(50, ge=1, description="but not fewer")
    most: int = Field(500, ge=1, description="and not more")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.least > self.most:
            raise ValueError(f"least {self.least} is larger than most {self.most}")
        if min(self.structure_weights) < 0:
            raise ValueError(
                f"structure_weights must not be below 0, got {list(self.structure_weights)}"
            )
        return self


class MetaBOOptions(Section):
    """``Strategy`` section of Bayesian optimisation with a prior from earlier runs."""

    initial: int = Field(10, ge=1, description="random trials at first, where there is no history")
    acquisition: Literal["ei", "ucb"] = Field(
        "ei", description="expected improvement; the paper's upper confidence bound"
    )
    beta: float = Field(6.25, ge=0, description="of ucb: mean + sqrt(beta) deviation")
    strength: float = Field(
        4.0, gt=0, description="of the kernel that the runs' covariance is mixed with, in runs"
    )


class LatentFactorsOptions(Section):
    """``Strategy`` section of matrix factorisation over runs."""

    warm: int = Field(5, ge=0, description="first trials: the best on average")
    dimensions: int = Field(5, ge=1, description="of an architecture's place")


class AdditiveThompsonOptions(Section):
    """``Strategy`` section of additive Thompson sampling with Fourier features."""

    initial: int = Field(10, ge=1, description="random trials before the first fit")
    rewards: Literal["ranks", "standardised"] = Field(
        "standardised", description="learned from: rewards themselves, or scores of their ranks"
    )
    group: int = Field(2, ge=1, le=3, description="decisions that are maximised together")
    nodes: int = Field(8, ge=2, le=32, description="of the quadrature, for each decision")
    partitions: int = Field(
        5, ge=1, description="random groupings, of which the likeliest is taken"
    )
    features: Literal["quadrature", "random"] = Field(
        "quadrature", description="frequencies; as many random ones are the control"
    )
