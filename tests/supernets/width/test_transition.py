"""Transitionary training: what moves when, exact resume, and who sees which pictures."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import paddle
import pytest

from autodl.agents.options import ControllerOptions
from autodl.data.dataset import Pictures
from autodl.jobs.width.config import load_width
from autodl.recipes.config import load_train
from autodl.recipes.recipe import recipe_of
from autodl.supernets.width.affine_sharing import Sharing
from autodl.supernets.width.annealing import annealed_updates
from autodl.supernets.width.options import SupernetOptions
from autodl.supernets.width.projection_descent import report
from autodl.supernets.width.projections import descend
from autodl.supernets.width.supernet import Supernet, meta_widths
from autodl.supernets.width.transition import (
    controller_of,
    descent_of,
    shared_accuracy,
    supernet_recipe,
    supernet_trainer,
)
from autodl.system.state import decode_state, encode_state
from autodl.trial import TrialFailure

_SHIPPED = ("resnet20", "mobilenet-v2")


def make(tiny, *, rate=3.0, seed=0, data=None, **changes):
    options = tiny.options.model_copy(update=changes)
    sharing = Sharing(options.overlap, options.noise, options.per_pair)
    network = Supernet(tiny.space, sharing, meta_widths(tiny.space, 3, None), seed)
    return supernet_trainer(
        network,
        data or tiny.data,
        options,
        tiny.controller,
        budget=tiny.budget,
        rate=rate,
        seed=seed,
    )


@pytest.fixture(scope="module")
def whole(tiny):
    """An unbroken training, only to be looked at: what it began with, and was after every epoch."""
    trainer, states, seen = make(tiny), [], []
    start, policy = matrices(trainer), controller_of(trainer).state()["weights"]

    def look(trainer):
        moved = any((a != b).any() for a, b in zip(start, matrices(trainer), strict=True))
        learned = any(
            (controller_of(trainer).state()["weights"][n] != v).any() for n, v in policy.items()
        )
        seen.append((moved, learned))
        states.append(encode_state(trainer.state()))

    trainer.fit(look)
    return SimpleNamespace(trainer=trainer, start=start, states=states, seen=seen)


def matrices(trainer):
    return [projection.matrix.numpy() for projection in trainer.network.projections()]


def accuracy(tiny, trainer, choices):
    return shared_accuracy(trainer.network, trainer.task, choices, tiny.options, 0)


def flat(state):
    """All arrays of a state, seconds left out."""
    arrays = {**state["network"], **state["optimizer"], **state["controller"]["weights"]}
    arrays |= {f"speed{i}": s for i, s in enumerate(state["projections"].get("speeds", []))}
    return arrays, [{k: v for k, v in e.items() if "seconds" not in k} for e in state["curve"]]


def same(one, two):
    (a, curve_a), (b, curve_b) = flat(one), flat(two)
    assert curve_a == curve_b
    # a restored optimiser has a velocity of 0 where there was no gradient yet
    assert not any(b[name].any() for name in b.keys() - a.keys())
    assert all((a[name] == b[name]).all() for name in a)


def test_phases(whole):
    """Projections and controller stand still in the warm-up and move after it."""
    assert whole.seen == [(False, False)] * 2 + [(True, True)] * 2
    curve = whole.trainer.curve
    assert ["reward" in epoch for epoch in curve] == [False, False, True, True]
    assert curve[0]["phi"] == curve[1]["phi"] > curve[3]["phi"]
    for matrix in matrices(whole.trainer):
        np.testing.assert_allclose(np.square(matrix).sum(axis=1), 1.0, rtol=1e-5)  # float32


def test_no_picture_moves_the_projections(whole, tiny):
    """Other pictures, other weights, the same projections; and the simulation's law."""
    blank = Pictures(np.zeros_like(tiny.data.train.images), tiny.data.train.labels)
    one, two = whole.trainer, make(tiny, data=replace(tiny.data, train=blank))
    two.fit()
    assert all((a == b).all() for a, b in zip(matrices(one), matrices(two), strict=True))
    assert (
        one.network.layer("stem.conv").weight.numpy()
        != two.network.layer("stem.conv").weight.numpy()
    ).any()
    # batches of matrices may be summed in another order
    np.testing.assert_allclose(moved_by_law(whole.start[1], tiny, 10), matrices(one)[1], atol=1e-4)


def moved_by_law(matrix, tiny, updates):
    """One projection after so many moves, by the law itself."""
    speed, settings = np.zeros_like(matrix), descent_of(tiny.options)
    for _ in range(updates):
        matrix, speed = descend(
            matrix, speed, rate=3.0, momentum=settings.momentum, weight=settings.weight, kind="l1"
        )
    return matrix


def test_the_switch_lets_the_cross_entropy_move_them(whole, tiny):
    """Only gradients of annealed iterations do: the warm-up leaves none behind."""
    one, two = whole.trainer, make(tiny, detach=False)
    start, after = matrices(two), []
    two.fit(lambda trainer: after.append(trainer.network.projections()[1].matrix.grad))
    assert any((a != b).any() for a, b in zip(matrices(one), matrices(two), strict=True))
    assert all(left is None or not left.numpy().any() for left in after)
    assert any((a != b).any() for a, b in zip(start, matrices(two), strict=True))
    assert not any("matrix" in name for name in two.state()["optimizer"])


def test_every_projection_of_several_candidates_moves(whole):
    """No stage is left out: the stem's, those of each stage, and the last layer's input."""
    projections = whole.trainer.network.projections()
    shared = [len(p.axis.widths) > 1 for p in projections]
    assert sum(shared) == 18 + 18  # the last layer's output and the classifier have one candidate
    now = matrices(whole.trainer)
    moved = [(a != b).any() for a, b in zip(whole.start, now, strict=True)]
    assert all(went for went, several in zip(moved, shared, strict=True) if several)


def test_projections_move_once_in_an_interval(tiny):
    """As often as the simulation says, and by the law; with 1 above, where each iteration moves."""
    updates = [annealed_updates(len(tiny.data.train), 8, 2, interval) for interval in (1, 3, 4)]
    assert updates == [10, 4, 3]
    trainer = make(tiny, projection_interval=4)
    start = matrices(trainer)[1]
    trainer.fit()
    # batches of matrices may be summed in another order; a move more or less is 50 times that
    np.testing.assert_allclose(moved_by_law(start, tiny, 3), matrices(trainer)[1], atol=1e-4)


def test_gradients_of_iterations_without_a_move_are_dropped(tiny):
    """Let in at an interval, the cross-entropy moves projections by one iteration's gradient."""
    trainer = make(tiny, detach=False, projection_interval=3)
    step, before, after = trainer._step, [], []

    def holds():
        gradients = [p.matrix.grad for p in trainer.network.projections()]
        return any(g is not None and g.numpy().any() for g in gradients)

    def look(*arguments):
        before.append(holds())
        result = step(*arguments)
        after.append(holds())
        return result

    trainer._step = look
    trainer.fit()
    assert before == [False] * 20
    assert after == [False] * 10 + [True] * 10


def test_the_warm_up_does_not_ask_the_controller(whole, tiny):
    """One that wants the widest everywhere changes nothing before the annealed phase."""
    one, two = whole.trainer, make(tiny)
    wide = np.array([0.0, 0.0, 50.0], np.float32)
    controller_of(two).policy.head_bias.set_value(paddle.to_tensor(wide))
    two.fit()
    for a, b in zip(one.curve[:2], two.curve[:2], strict=True):
        assert (a["loss"], a["macs"]) == (b["loss"], b["macs"])
    assert two.curve[2]["macs"] == tiny.space.bounds[1] > one.curve[2]["macs"]


def test_without_a_rate_nothing_anneals(tiny):
    trainer = make(tiny, rate=None, noise=0.0)
    start = matrices(trainer)
    trainer.fit()
    assert all((a == b).all() for a, b in zip(start, matrices(trainer), strict=True))
    assert len({epoch["phi"] for epoch in trainer.curve}) == 1


@pytest.mark.parametrize("epoch", [1, 3])
def test_resumed_from_any_epoch_it_ends_the_same(whole, tiny, epoch):
    resumed = make(tiny, seed=0)
    resumed.restore(decode_state(whole.states[epoch - 1]))
    assert len(resumed.curve) == epoch
    resumed.fit()
    same(whole.trainer.state(), resumed.state())
    choices = np.zeros(tiny.space.decisions, np.int64)
    assert accuracy(tiny, whole.trainer, choices) == accuracy(tiny, resumed, choices)


def test_so_it_does_with_a_batch_norm_for_each_pair(tiny):
    states = []
    unbroken, resumed = make(tiny, per_pair=True), make(tiny, per_pair=True)
    unbroken.fit(lambda trainer: states.append(encode_state(trainer.state())))
    resumed.restore(decode_state(states[2]))
    resumed.fit()
    same(unbroken.state(), resumed.state())


def test_held_out_pictures_train_no_weight(tiny):
    """They reach the controller, and through it which architectures train, and nothing else."""
    blank = Pictures(np.zeros_like(tiny.data.held_out.images), tiny.data.held_out.labels)
    one = make(tiny, epochs=3, warmup_epochs=2)
    two = make(tiny, epochs=3, warmup_epochs=2, data=replace(tiny.data, held_out=blank))
    for trainer in (one, two):
        controller_of(trainer).learn = lambda choices, rewards: _Nothing()  # it learns nothing
        trainer.fit()
    a, b = (trainer.state()["network"] for trainer in (one, two))
    assert all((a[name] == b[name]).all() for name in a)


class _Nothing:
    reward = baseline = entropy = 0.0


def test_ranking_leaves_no_trace(whole, tiny):
    before = whole.trainer.state()
    found = [
        accuracy(tiny, whole.trainer, row)
        for row in tiny.space.uniform(np.random.default_rng(0), 4)
    ]
    assert all(0.0 <= share <= 1.0 for share in found)
    same(before, whole.trainer.state())


def test_reports_equal_closed_forms(tiny):
    """Exact slices: each layer is S_P S_Q - D_P D_Q; widths 1, 2, 3 have S = 14, D = 6."""
    ordinal = make(tiny, noise=0.0).network
    found = report(ordinal)
    # stem: 8; 17 layers of 196 - 36; the last: its 3 channels as Q's factor
    assert found.level == 8 + 17 * (14 * 14 - 36) + 3 * 8
    assert (found.output, found.input) == (18 * 8, 18 * 8)
    assert found.smallest_singular_value == pytest.approx(1.0, abs=1e-6)
    apart = make(tiny, noise=0.0, overlap=0.0).network
    assert report(apart).level == 0


def test_a_loss_that_is_not_finite(tiny):
    trainer = make(tiny, learning_rate=1e30)
    with pytest.raises(TrialFailure, match=r"lower Supernet\.learning_rate"):
        trainer.fit()


def test_paddle_keeps_no_gradient_of_projections(tiny):
    trainer = make(tiny)
    trainer.network(paddle.ones([2, 3, 8, 8]), [0] * 19).sum().backward()
    assert all(p.matrix.grad is None for p in trainer.network.projections())


def test_the_authors_border_decay_and_lowest_rate():
    """By default as before: a mean border, no decay of biases, a cosine down to 0."""
    controller = ControllerOptions()

    def parts(**options):
        supernet = SupernetOptions(epochs=4, warmup_epochs=1, learning_rate=0.05, **options)
        recipe = supernet_recipe(supernet, controller, budget=1.0, rate=None)
        rates = recipe.schedule.factory()(recipe.schedule.options, 4, 5)
        return recipe.changes.border, recipe.optimiser.options.decay_biases, rates(20)

    assert parts() == ("mean", False, pytest.approx(0.05 / 100))
    assert parts(schedule="cosine") == ("mean", False, pytest.approx(0, abs=1e-17))
    theirs = {"border": "reflected", "decay_biases": True, "lowest_rate": 2e-4}
    assert parts(schedule="cosine", **theirs) == ("reflected", True, pytest.approx(2e-4))
    assert SupernetOptions().identity().keys().isdisjoint(theirs)  # older runs are the same
    with pytest.raises(ValueError, match=r"lowest_rate 0\.0002 is for schedule: cosine, got step"):
        SupernetOptions(lowest_rate=2e-4)
    with pytest.raises(ValueError, match=r"lowest_rate 0\.2 exceeds learning_rate 0\.1"):
        SupernetOptions(schedule="cosine", lowest_rate=0.2)


def test_shipped_searches_and_trainings_have_what_the_authors_have():
    """Their flags: ``--lr_min`` is 2e-4 where it is not given; all but two MobileNets decay all."""
    small, large = (load_width(f"supernet/width-{n}-gpu.yaml").supernet for n in _SHIPPED)
    assert (small.border, small.decay_biases, small.lowest_rate) == ("reflected", True, 0.0)
    assert (large.decay_biases, large.schedule, large.lowest_rate) == (True, "cosine", 2e-4)
    names = ("cifar10", "resnet18", "mobilenet-v2")
    trainings = [load_train(f"train/width-{name}.yaml").train for name in names]
    cifar, _, mobile = trainings
    assert (cifar.batch_size, cifar.border) == (128, "reflected")
    given = [(t.optimiser["nesterov"], t.optimiser["weight_decay"]) for t in trainings]
    assert given == [(True, 5e-4), (True, 1e-4), (True, 4e-5)]
    biases = [t.optimiser.get("decay_biases", False) for t in trainings]
    assert biases == [True, True, False]
    # 1,250 updates of 512 of 1,281,167 pictures from 0.2 to 0.8, then down to 0
    schedule = recipe_of(mobile).schedule
    rate, steps = schedule.factory()(schedule.options, mobile.epochs, 2502), 250 * 2502
    assert [rate(1250), rate(625)] == pytest.approx([0.8, 0.5], rel=1e-3)
    assert rate(steps) == pytest.approx(0, abs=1e-12)
