"""Rewards that are traded off, and what rules and fronts compare."""

from __future__ import annotations

import math

import numpy as np
import pytest

from autodl.errors import UnknownNameError
from autodl.search.evaluate import evaluate_trial
from autodl.search.objectives import ObjectiveEvaluator, objective_values, scalarised
from autodl.search.options import ObjectivesOptions
from autodl.spaces.cell.space import CellSpace
from autodl.trial import Evaluation, Stage, TrialFailure, TrialState

ARCHITECTURE = CellSpace(nodes=3).sample(np.random.default_rng(0))
TERM = {"macs": {"target": 4e6, "exponent": -0.07}}


class Evaluator:
    """Tells of MACs that the plan knows better, and notes the stages it is given."""

    def __init__(self):
        self.stages = []

    def __call__(self, architecture, rng):
        return self.stage(architecture, rng, None)

    def stage(self, architecture, rng, stage):
        self.stages.append(stage)
        metrics = {"seconds": 12.0, "macs": 1.0}
        return Evaluation(0.8, metrics, ({"epoch": 1.0},), 0.5, b"state")


def costs(architecture):
    assert architecture is ARCHITECTURE
    return {"macs": 8e6, "parameters": 300.0}


def made(**options):
    return ObjectiveEvaluator(Evaluator(), ObjectivesOptions(**options), costs)


@pytest.mark.parametrize(
    "accuracy, costs, terms, wanted",
    [
        (0.8, {}, {}, 0.8),
        (0.8, {"a": 5.0}, {"a": (5.0, -0.07)}, 0.8),  # on target
        (0.8, {"a": 10.0}, {"a": (5.0, -1.0)}, 0.4),
        (0.8, {"a": 2.5}, {"a": (5.0, -1.0)}, 1.6),
        (0.8, {"a": 9.0}, {"a": (5.0, 0.0)}, 0.8),
        (0.5, {"a": 20.0, "b": 1.0}, {"a": (5.0, -0.5), "b": (4.0, -0.5)}, 0.5),  # 1/2 and 2
        (0.0, {"a": 20.0}, {"a": (5.0, -0.5)}, 0.0),
        (0.9, {"a": 1.5}, {"a": (3.0, -1.0, 0.0)}, 0.9),  # free within the target, hard above it
        (0.9, {"a": 3.0}, {"a": (3.0, -1.0, 0.0)}, 0.9),
        (0.9, {"a": 6.0}, {"a": (3.0, -1.0, 0.0)}, 0.45),
        (-0.4, {"a": 10.0}, {"a": (5.0, -1.0)}, -0.8),  # an error: twice the cost, twice as bad
        (-0.4, {"a": 2.5}, {"a": (5.0, -1.0)}, -0.2),
        (-0.4, {"a": 6.0, "b": 1.0}, {"a": (3.0, -1.0, 0.0), "b": (4.0, -1.0, 0.0)}, -0.8),
    ],
)
def test_the_trade_off_by_hand(accuracy, costs, terms, wanted):
    # two roundings of a power and a product
    assert scalarised(accuracy, costs, terms) == pytest.approx(wanted, rel=1e-15)


def test_the_trade_off_of_the_paper():
    """MnasNet, section 3: with w = -0.07 twice the latency costs 5 percent of the reward."""
    ratio = scalarised(1.0, {"ms": 160.0}, {"ms": (80.0, -0.07)})
    assert ratio == pytest.approx(0.95, abs=0.003)  # the paper says "about 5 %"


@pytest.mark.parametrize("size, wanted", [(1.5, 0.944745), (3.0, 0.9), (6.0, 0.857374)])
def test_the_soft_trade_off_of_a_worked_example(size, wanted):
    """Accuracy 0.9, target 3, exponent -0.07; the reference has six digits."""
    assert scalarised(0.9, {"m": size}, {"m": (3.0, -0.07)}) == pytest.approx(wanted, abs=5e-7)


def test_the_exponent_up_to_the_target_is_an_option():
    hard = {"macs": {"target": 1.6e7, "exponent": -1, "exponent_below": 0}}
    # 8e6 MACs are half the target and free; without the option they would double the reward
    assert made(reward=hard)(ARCHITECTURE, None).reward == 0.8
    assert made(reward={"macs": {"target": 1.6e7, "exponent": -1}})(
        ARCHITECTURE, None
    ).reward == pytest.approx(1.6, rel=1e-15)


@pytest.mark.parametrize("exponent", [-0.07, -1.0])
def test_a_cost_of_nothing_keeps_the_reward_finite(exponent):
    assert math.isfinite(scalarised(0.9, {"a": 0.0}, {"a": (1.0, exponent)}))


def test_the_reward_and_the_metrics_of_a_trade_off():
    evaluation = made(reward={"macs": {"target": 4e6, "exponent": -1}})(ARCHITECTURE, None)
    # 8e6 MACs of the plan, not the evaluator's, are twice the target
    assert evaluation.reward == pytest.approx(0.4, rel=1e-15)
    assert evaluation.metrics == {
        "accuracy": 0.8,
        "seconds": 12.0,
        "macs": 8e6,
        "parameters": 300.0,
    }
    assert (evaluation.curve, evaluation.fidelity) == (({"epoch": 1.0},), 0.5)


def test_a_stage_is_traded_off_alike_and_keeps_its_checkpoint():
    evaluator = made(reward=TERM)
    whole = evaluator(ARCHITECTURE, None)
    stage = Stage(3, b"before")
    part = evaluator.stage(ARCHITECTURE, None, stage)
    assert evaluator._evaluator.stages == [None, stage]
    assert part.reward == whole.reward
    assert part.checkpoint == b"state"


def test_an_evaluator_without_stages_says_so():
    evaluator = ObjectiveEvaluator(
        lambda architecture, rng: Evaluation(0.5), ObjectivesOptions(minimise=["macs"]), costs
    )
    assert evaluator(ARCHITECTURE, None).reward == 0.5
    with pytest.raises(TrialFailure, match="cannot stop on the way; leave out section Fidelity"):
        evaluator.stage(ARCHITECTURE, None, Stage(1))


@pytest.mark.parametrize("options", [{"minimise": ["watts"]}, {"reward": {"watts": {"target": 1}}}])
def test_a_cost_that_nobody_tells_fails_the_trial(options):
    trial = evaluate_trial(made(**options), 0, ARCHITECTURE, seed=0)
    assert trial.state is TrialState.FAILED
    assert trial.reason == (
        "Objectives names 'watts', which the evaluator does not tell;"
        " it tells accuracy, macs, parameters, seconds"
    )


@pytest.mark.parametrize("stage", [None, Stage(1)])
def test_a_layer_that_the_latency_table_lacks_costs_no_training(stage):
    def costs(architecture):
        raise UnknownNameError("no layer 'X'")

    inner = Evaluator()
    evaluator = ObjectiveEvaluator(inner, ObjectivesOptions(minimise=["macs"]), costs)
    trial = evaluate_trial(evaluator, 0, ARCHITECTURE, 0, stage)
    assert (trial.state, trial.reason) == (TrialState.FAILED, "no layer 'X'")
    assert inner.stages == []


def test_what_is_compared_is_higher_when_it_is_better():
    evaluation = made(minimise=["macs", "seconds"], reward=TERM)(ARCHITECTURE, None)
    options = ObjectivesOptions(minimise=["macs", "seconds"], reward=TERM)
    assert objective_values(evaluation, options) == (0.8, -8e6, -12.0)
    assert objective_values(evaluation, ObjectivesOptions(reward=TERM)) == (evaluation.reward,)
    assert evaluation.reward != 0.8
    assert objective_values(Evaluation(0.3), ObjectivesOptions()) == (0.3,)
