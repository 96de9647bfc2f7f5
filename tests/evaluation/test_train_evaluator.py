"""The reward: what it is measured on, when, by whom, and that it can be repeated."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import paddle
import pytest

from autodl.data.batches import Normalisation
from autodl.data.dataset import Pictures
from autodl.data.resize import resize_batch
from autodl.evaluation import train_evaluator as module
from autodl.evaluation.train_evaluator import TrainEvaluator
from autodl.recipes.options import TrainOptions
from autodl.reparam.asymmetric import AsymmetricConvBlock
from autodl.search.evaluate import evaluate_trial
from autodl.spaces.cell.architecture import Cell, CellPair
from autodl.spaces.cell.plan import cell_plan
from autodl.system.state import decode_state, encode_state
from autodl.tasks import pictures as pictures_module
from autodl.tasks.pictures import PictureTask
from autodl.training.fit import Trainer
from autodl.training.metrics import cross_entropy
from autodl.trial import Stage, TrialFailure, TrialState

ONE = CellPair(Cell((1,), ()), Cell((6,), ()))
COLOURS = np.array([[220, 40, 40], [40, 220, 40], [40, 40, 220], [200, 200, 40]])


def coloured(count, seed):
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 4
    noise = rng.integers(-60, 61, size=(count, 8, 8, 3))
    images = (COLOURS[labels][:, None, None] + noise).clip(0, 255).astype(np.uint8)
    return Pictures(images, labels)


@pytest.fixture(scope="module")
def data():
    train, held_out = coloured(40, 0), coloured(20, 1)
    return PictureTask(
        train=train,
        held_out=held_out,
        normalisation=Normalisation.of(train),
        name="colours",
        classes=("red", "green", "blue", "yellow"),
        checksum="0",
        official=None,
        split={"seed": 0, "train": 40, "held_out": 20, "sha256": "0"},
    )


@pytest.fixture
def make_evaluator(data):
    def make(search_data=data, **options):
        plain = {"epochs": 3, "batch_size": 8, "learning_rate": 0.1, "pad_crop": 1}

        def plan(architecture):
            return cell_plan(
                architecture, width=4, cells_per_stage=1, stages=2, classes=4, image_size=8
            )

        return TrainEvaluator(search_data, plan, TrainOptions(**{**plain, **options}))

    return make


def test_a_common_seed_is_that_of_all_trials(data):
    """Whatever a trial's own generator: first weights, order and changes are the same."""
    options = TrainOptions(epochs=1, batch_size=8, pad_crop=1)

    def reward(trial, common_seed):
        def plan(architecture):
            return cell_plan(
                architecture, width=4, cells_per_stage=1, stages=2, classes=4, image_size=8
            )

        evaluator = TrainEvaluator(data, plan, options, common_seed)
        return evaluator(ONE, generator(trial)).curve[0]["loss"]

    assert reward(0, 5) == reward(1, 5) != reward(1, 6)
    assert reward(0, None) != reward(1, None)


def generator(trial=0, seed=0):
    return np.random.default_rng((seed, trial, 1))


@pytest.fixture
def trained(monkeypatch):
    """Every trainer that an evaluator makes."""
    made = []

    class Spied(module.Trainer):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            made.append(self)

    monkeypatch.setattr(module, "Trainer", Spied)
    return made


def count_right(network, pictures, normalisation):
    """argmax == label over all pictures at once, without the code under test."""
    mean, std = (
        np.array(value)[:, None, None] for value in (normalisation.mean, normalisation.std)
    )
    scaled = (pictures.images.transpose(0, 3, 1, 2) / 255 - mean) / std
    network.eval()
    with paddle.no_grad():
        logits = network(paddle.to_tensor(scaled.astype("float32"))).numpy()
    return int((logits.argmax(1) == pictures.labels).sum())


@pytest.mark.parametrize("epochs", [1, 3])
def test_reward_is_the_held_out_accuracy_after_the_last_epoch(
    data, make_evaluator, trained, epochs
):
    evaluation = make_evaluator(epochs=epochs)(ONE, generator())
    (trainer,) = trained
    assert len(trainer.curve) == epochs
    right = count_right(trainer.network, data.held_out, data.normalisation)
    assert evaluation.reward == right / 20
    assert evaluation.metrics["epochs"] == epochs
    assert evaluation.metrics["stopped_early"] == 0.0


def test_not_the_best_epoch_counts_but_the_last(data, make_evaluator, trained, monkeypatch):
    """After the last epoch the network is spoilt: the reward must show it."""
    fit = module.Trainer.fit

    def spoil(trainer):
        if len(trainer.curve) == 3:
            layer = trainer.network.layer("head.classifier")
            layer.weight.set_value(paddle.zeros_like(layer.weight))
            layer.bias.set_value(paddle.to_tensor([0.0, 0.0, 0.0, 5.0]))

    monkeypatch.setattr(module.Trainer, "fit", lambda trainer, **more: fit(trainer, spoil, **more))
    assert make_evaluator()(ONE, generator()).reward == 0.25  # class 3 everywhere


def test_plain_colours_are_learnt(make_evaluator):
    """Half of 20 pictures or more are right, where a quarter is by chance; losses fall below ln 4.

    Eight seeds give 0.5 to 0.8 and training losses of 0.8 to 1.04: which of them it is, rounding
    decides after 12 epochs of 40 pictures.
    """
    evaluation = make_evaluator(epochs=12)(ONE, generator())
    assert evaluation.reward >= 0.5
    assert evaluation.metrics["train_loss"] < 1.2 < np.log(4)


def test_held_out_pictures_are_never_trained_on(data, make_evaluator, monkeypatch):
    learnt, measured = [], []
    iterate = pictures_module.iterate

    def spy(pictures, *arguments, **options):
        shuffled = options.get("rng") is not None
        (learnt if shuffled else measured).append(pictures)
        return iterate(pictures, *arguments, **options)

    monkeypatch.setattr(pictures_module, "iterate", spy)
    make_evaluator()(ONE, generator())
    held_out = {image.tobytes() for image in data.held_out.images}
    assert len(learnt) == 3
    for pictures in learnt:
        assert held_out.isdisjoint(image.tobytes() for image in pictures.images)
    assert len(measured) == 1  # once, after the last epoch
    assert len(measured[0]) == len(data.held_out)
    assert np.shares_memory(measured[0].images, data.held_out.images)


def test_held_out_pictures_change_nothing_but_the_reward(data, make_evaluator):
    """Early stopping and training cannot see them: other pictures give the same curve."""
    other = PictureTask(
        **{
            name: getattr(data, name)
            for name in PictureTask.__dataclass_fields__
            if name != "held_out"
        },
        held_out=Pictures(data.held_out.images[:4], np.array([3, 2, 1, 0])),
    )
    options = {"patience": 1, "epochs": 6}
    first = make_evaluator(**options)(ONE, generator())
    second = make_evaluator(other, **options)(ONE, generator())
    assert [e["loss"] for e in first.curve] == [e["loss"] for e in second.curve]


def test_the_same_seed_and_trial_give_the_same_reward(make_evaluator):
    """Whatever was computed before, and with another evaluator object too."""
    evaluator = make_evaluator(mixup=0.2, cutout=2, label_smoothing=0.1)
    first = evaluator(ONE, generator(trial=4))
    other = evaluator(ONE, generator(trial=5))
    paddle.seed(99)
    again = make_evaluator(mixup=0.2, cutout=2, label_smoothing=0.1)(ONE, generator(trial=4))
    assert again.reward == first.reward
    losses = [[epoch["loss"] for epoch in e.curve] for e in (first, again, other)]
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]
    assert first.metrics["held_out_loss"] == again.metrics["held_out_loss"]
    rewards = {make_evaluator(epochs=1)(ONE, generator(trial=t)).reward for t in range(6)}
    assert len(rewards) > 1


def test_numbers_beside_the_reward(make_evaluator):
    evaluation = make_evaluator()(ONE, generator())
    plan = make_evaluator()._make_plan(ONE)
    numbers = evaluation.metrics
    assert (numbers["parameters"], numbers["macs"]) == (plan.parameters, plan.macs)
    assert numbers["train_loss"] == evaluation.curve[-1]["loss"]
    assert numbers["train_accuracy"] == evaluation.curve[-1]["accuracy"]
    assert 0 < numbers["compute_seconds"] <= numbers["seconds"]
    assert all(math.isfinite(value) for value in numbers.values())
    assert [epoch["epoch"] for epoch in evaluation.curve] == [1, 2, 3]


def test_an_early_stop_is_reported(make_evaluator):
    evaluation = make_evaluator(epochs=9, learning_rate=1e-12, patience=1, min_improvement=0.9)(
        ONE, generator()
    )
    assert evaluation.metrics["stopped_early"] == 1.0
    assert evaluation.metrics["epochs"] == len(evaluation.curve) == 2
    assert 0 <= evaluation.reward <= 1


def test_a_loss_that_is_not_finite_is_a_failed_trial(make_evaluator):
    evaluator = make_evaluator(epochs=30, learning_rate=1e20, momentum=0.99)
    with pytest.raises(TrialFailure, match=r"(training loss is|not finite) .*epoch \d+ of 30"):
        evaluator(ONE, generator())
    trial = evaluate_trial(evaluator, 3, ONE, seed=0)
    assert (trial.state, trial.reward, trial.traceback) == (TrialState.FAILED, None, "")
    assert "Train.learning_rate" in trial.reason


def test_weights_lost_in_the_very_last_update_are_a_failed_trial(make_evaluator, monkeypatch):
    """The training loss was measured before that update; the accuracy would be class 0's."""
    fit = module.Trainer.fit

    def spoil(trainer):
        weight = trainer.network.layer("head.classifier").weight
        if len(trainer.curve) == 3:
            weight.set_value(paddle.full_like(weight, float("nan")))

    monkeypatch.setattr(module.Trainer, "fit", lambda trainer, **more: fit(trainer, spoil, **more))
    with pytest.raises(TrialFailure, match="held-out loss is nan after training"):
        make_evaluator()(ONE, generator())


def test_an_exception_is_a_failed_trial_with_its_traceback(data):
    def plan(architecture):
        raise RuntimeError("no such layer\nhere")

    trial = evaluate_trial(TrainEvaluator(data, plan, TrainOptions()), 0, ONE, seed=0)
    assert trial.state is TrialState.FAILED
    assert trial.reason == "RuntimeError: no such layer here"
    assert "in plan" in trial.traceback


# --- in stages ----------------------------------------------------------------------------------


def without_times(evaluation):
    """All that an evaluation gives but its seconds and its checkpoint."""
    return (
        evaluation.reward,
        evaluation.fidelity,
        {name: value for name, value in evaluation.metrics.items() if "seconds" not in name},
        [{k: v for k, v in epoch.items() if "seconds" not in k} for epoch in evaluation.curve],
    )


def in_stages(make_evaluator, ends, **options):
    """Each stage by an evaluator of its own, as in another process; the evaluations."""
    found, checkpoint = [], b""
    for end in ends:
        paddle.seed(end)  # whatever was computed there before
        stage = Stage(end, checkpoint)
        found.append(make_evaluator(**options).stage(ONE, generator(), stage))
        checkpoint = found[-1].checkpoint
    return found


RICH = {"epochs": 4, "mixup": 0.2, "cutout": 2, "label_smoothing": 0.1, "warmup_epochs": 1}


@pytest.mark.parametrize("ends", [(4,), (1, 4), (1, 2, 3, 4), (3, 4)])
def test_however_it_is_cut_into_stages_the_last_one_gives_what_calling_gives(make_evaluator, ends):
    whole = make_evaluator(**RICH)(ONE, generator())
    stages = in_stages(make_evaluator, ends, **RICH)
    assert without_times(stages[-1]) == without_times(whole)
    assert [stage.fidelity for stage in stages] == [end / 4 for end in ends]
    for stage, end in zip(stages, ends, strict=True):
        assert len(stage.curve) == stage.metrics["epochs"] == end
    assert whole.checkpoint == b""


@pytest.mark.parametrize("ends", [(9,), (1, 9), (2, 5, 9), (3, 9), (1, 2, 3, 4, 9)])
def test_early_stopping_is_the_same_in_stages(make_evaluator, ends):
    options = {"epochs": 9, "learning_rate": 1e-12, "patience": 2, "min_improvement": 0.9}
    whole = make_evaluator(**options)(ONE, generator())
    assert whole.metrics["stopped_early"] == 1.0
    assert 2 < len(whole.curve) < 9
    last = in_stages(make_evaluator, ends, **options)[-1]
    assert without_times(last) == without_times(whole)


def test_a_stage_is_scored_at_the_size_that_it_was_trained_at(data, trained):
    """Pictures grow from 8x8 to 16x16: at the end, as the full training, at their own size."""
    larger = {
        part: Pictures(np.repeat(np.repeat(pictures.images, 2, 1), 2, 2), pictures.labels)
        for part, pictures in (("train", data.train), ("held_out", data.held_out))
    }
    task = replace(data, **larger)
    train = TrainOptions(
        epochs=4, batch_size=8, learning_rate=0.1, pad_crop=1, first_size=8, grown_by=8, grown=0.5
    )

    def plan(architecture):
        return cell_plan(
            architecture, width=4, cells_per_stage=1, stages=2, classes=4, image_size=16
        )

    evaluator, checkpoint = TrainEvaluator(task, plan, train), b""
    for epochs, side in ((1, 8), (2, 8), (3, 16), (4, 16)):
        found = evaluator.stage(ONE, generator(), Stage(epochs, checkpoint))
        checkpoint, network = found.checkpoint, trained[-1].network
        images = task.normalisation.normalise(task.held_out.images)
        network.eval()
        logits = network(paddle.to_tensor(resize_batch(images, side))).numpy()
        losses = cross_entropy(logits.astype(np.float64), task.held_out.labels)
        assert found.metrics["held_out_loss"] == pytest.approx(losses.mean(), rel=1e-6)
        assert found.reward == (logits.argmax(1) == task.held_out.labels).mean()
    assert found.reward == evaluator(ONE, generator()).reward


def test_a_stage_without_its_checkpoint_starts_again_and_gives_the_same(make_evaluator):
    there = in_stages(make_evaluator, (1, 3))[-1]
    again = make_evaluator().stage(ONE, generator(), Stage(3))
    assert without_times(again) == without_times(there)


def test_seconds_of_a_stage_are_those_of_all_epochs_so_far(make_evaluator):
    first, last = in_stages(make_evaluator, (2, 3))
    epochs = [sum(epoch["seconds"] for epoch in stage.curve) for stage in (first, last)]
    assert [dict(epoch) for epoch in last.curve[:2]] == [dict(epoch) for epoch in first.curve]
    for stage, seconds in zip((first, last), epochs, strict=True):
        assert 0 < stage.metrics["compute_seconds"] <= stage.metrics["seconds"]
        assert seconds <= stage.metrics["seconds"]


@pytest.mark.parametrize("harm", ["other network", "no state"])
def test_a_checkpoint_that_does_not_fit_fails_the_trial_in_one_line(make_evaluator, harm):
    (stage,) = in_stages(make_evaluator, (1,))
    other = CellPair(Cell((2,), ()), Cell((6,), ()))
    checkpoint = stage.checkpoint if harm == "other network" else b"nonsense"
    trial = evaluate_trial(make_evaluator(), 0, other, seed=0, stage=Stage(2, checkpoint))
    assert (trial.state, trial.evaluation) == (TrialState.FAILED, None)
    assert trial.reason
    assert "\n" not in trial.reason


def test_a_loss_that_is_not_finite_in_a_later_stage_is_a_failed_trial(make_evaluator):
    options = {"epochs": 30, "learning_rate": 1e20, "momentum": 0.99}
    whole = evaluate_trial(make_evaluator(**options), 0, ONE, seed=0)
    checkpoint, trial = b"", None
    for end in range(1, 31):
        stage = Stage(end, checkpoint)
        trial = evaluate_trial(make_evaluator(**options), 0, ONE, seed=0, stage=stage)
        if trial.evaluation is None:
            break
        checkpoint = trial.evaluation.checkpoint
    assert trial.reason == whole.reason


# --- children -----------------------------------------------------------------------------------


def first_layer(checkpoint):
    return decode_state(checkpoint)["network"]["stem.weight"]


def test_a_child_starts_from_its_parents_weights(make_evaluator):
    """A rate of next to nothing leaves what it started from as it was."""
    evaluator = make_evaluator(inherit=True, learning_rate=1e-30, weight_decay=0.0)
    parent = evaluator.stage(ONE, generator(0), Stage(2))
    child = evaluator.stage(ONE, generator(1), Stage(3, parent=parent.checkpoint))
    alone = evaluator.stage(ONE, generator(1), Stage(3))
    assert np.array_equal(first_layer(child.checkpoint), first_layer(parent.checkpoint))
    assert not np.array_equal(first_layer(alone.checkpoint), first_layer(parent.checkpoint))


def test_epochs_of_the_line_are_counted(make_evaluator):
    """3 of its own and, where anything was inherited, those behind the parent's weights."""
    evaluator = make_evaluator(inherit=True)
    first = evaluator.stage(ONE, generator(0), Stage(3))
    second = evaluator.stage(ONE, generator(1), Stage(3, parent=first.checkpoint))
    third = evaluator.stage(ONE, generator(2), Stage(3, parent=second.checkpoint))
    numbers = [evaluation.metrics for evaluation in (first, second, third)]
    assert [n["epochs"] for n in numbers] == [3, 3, 3]
    assert [n["effective_epochs"] for n in numbers] == [3, 6, 9]
    assert [n["inherited_epochs"] for n in numbers] == [0, 3, 6]
    assert [n["inherited_fraction"] for n in numbers] == [0.0, 1.0, 1.0]
    tensors = len(decode_state(first.checkpoint)["network"])
    assert [n["inherited_tensors"] for n in numbers] == [0, tensors, tensors]


def test_a_child_that_has_nothing_in_common_with_its_parent_says_so(make_evaluator):
    evaluator = make_evaluator(inherit=True)
    parent = decode_state(evaluator.stage(ONE, generator(0), Stage(3)).checkpoint)
    parent["network"] = {f"other.{name}": a for name, a in parent["network"].items()}
    child = evaluator.stage(ONE, generator(1), Stage(3, parent=encode_state(parent)))
    alone = evaluator.stage(ONE, generator(1), Stage(3))
    assert child.metrics["inherited_tensors"] == child.metrics["inherited_fraction"] == 0
    assert child.metrics["effective_epochs"] == 3
    assert without_times(child) == without_times(alone)


@pytest.mark.parametrize("ends", [(4,), (1, 4), (1, 2, 3, 4)])
def test_a_child_in_stages_is_the_child_in_one_go(make_evaluator, ends):
    evaluator = make_evaluator(inherit=True, **RICH)
    parent = evaluator.stage(ONE, generator(7), Stage(4)).checkpoint
    whole = evaluator.stage(ONE, generator(), Stage(4, parent=parent))
    checkpoint = b""
    for end in ends:
        paddle.seed(end)
        stage = Stage(end, checkpoint, b"" if checkpoint else parent)
        last = make_evaluator(inherit=True, **RICH).stage(ONE, generator(), stage)
        checkpoint = last.checkpoint
    assert without_times(last) == without_times(whole)
    assert last.metrics["effective_epochs"] == 8


def test_a_network_trains_with_its_branches_in_one_go_and_in_stages(make_evaluator, monkeypatch):
    seen = []

    class Watched(Trainer):
        def __init__(self, network, *arguments):
            seen.append([type(layer) for layer in network.sublayers()])
            super().__init__(network, *arguments)

    monkeypatch.setattr(module, "Trainer", Watched)
    branched = make_evaluator(branches="acb")
    whole = branched(ONE, np.random.default_rng(0))
    assert AsymmetricConvBlock in seen[0]
    assert (
        whole.metrics["parameters"]
        == make_evaluator()(ONE, np.random.default_rng(0)).metrics["parameters"]
    )
    assert AsymmetricConvBlock not in seen[1]
    half = branched.stage(ONE, np.random.default_rng(0), Stage(2))
    end = branched.stage(ONE, np.random.default_rng(0), Stage(3, half.checkpoint))
    assert end.reward == whole.reward
    assert end.metrics["held_out_loss"] == whole.metrics["held_out_loss"]


def test_without_the_option_nothing_is_said_of_inheritance(make_evaluator):
    assert not [n for n in make_evaluator()(ONE, generator()).metrics if "inherit" in n]
