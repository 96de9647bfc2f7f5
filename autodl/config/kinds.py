"""What a section may choose by its name: where the catalogue of each kind is, and the default."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of component: ``module:table`` of its catalogue, and the name that is the default."""

    catalogue: str
    default: str


KINDS = {
    "Space": Kind("autodl.spaces.catalogue:SPACES", "CellSpace"),
    "Network": Kind("autodl.spaces.catalogue:NETWORKS", "CellNetwork"),
    "Strategy": Kind("autodl.strategies.catalogue:STRATEGIES", "AutoDLAgent"),
    "Fidelity": Kind("autodl.search.fidelity.catalogue:RULES", "AsynchronousSuccessiveHalving"),
    "Evaluator": Kind("autodl.evaluation.catalogue:EVALUATORS", "TrainEvaluator"),
    "Compression": Kind("autodl.compression.catalogue:METHODS", "BayesianBits"),
}
