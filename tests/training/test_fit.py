"""One training: its updates against NumPy, its losses, when it ends, and exact resuming."""

from __future__ import annotations

import time

import numpy as np
import paddle
import pytest

from autodl.data.augment import mixup
from autodl.data.dataset import Pictures
from autodl.errors import CheckpointError, ConfigError
from autodl.networks import onednn
from autodl.networks.cell import build_network
from autodl.recipes.options import TrainOptions
from autodl.recipes.recipe import recipe_of
from autodl.recipes.schedules import cosine_rate
from autodl.spaces.cell.architecture import Cell, CellPair
from autodl.spaces.operations import operation
from autodl.system.state import decode_state, encode_state
from autodl.tasks import pictures as module
from autodl.tasks.pictures import PictureTask
from autodl.training.fit import Trainer, make_optimizer
from autodl.training.goal import Truth
from autodl.training.goals.classification import Classification
from autodl.training.parallel import Share
from autodl.training.weights import load_arrays
from autodl.trial import TrialFailure


def values(network):
    return {name: tensor.numpy() for name, tensor in network.state_dict().items()}


def assert_same(left, right):
    assert left.keys() == right.keys()
    for name, value in left.items():
        np.testing.assert_array_equal(value, right[name], err_msg=name)


def timeless(curve):
    return [{k: v for k, v in epoch.items() if "seconds" not in k} for epoch in curve]


# The update ----------------------------------------------------------------------------------


def is_decayed(name):
    """Weights, and scale and shift of a batch-norm; no bias of a convolution or linear layer."""
    return name.endswith("weight") or ".norm." in name


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"weight_decay": 0.0},
        {"weight_decay": 0.5},
        {"nesterov": False, "weight_decay": 0.1},
        {"momentum": 0.0, "weight_decay": 0.1},
        {"gradient_clip": 0.5, "weight_decay": 0.1},
        {"gradient_clip": 1e6},
    ],
    ids=str,
)
def test_updates_equal_sgd_by_numpy(make_network, changed):
    """Three steps: v = mu v + g + wd p; p -= lr (g + wd p + mu v) (Nesterov) or lr v.

    1e-5 of each array's largest value: float32. Statistics move by the forward pass alone.
    """
    options = TrainOptions(learning_rate=0.05, **changed)
    network = make_network(dropout=0.0)
    rng = np.random.default_rng(0)
    for name, tensor in network.state_dict().items():  # biases and scales too must be seen
        if not name.endswith(("_mean", "_variance")):
            tensor.set_value((tensor.numpy() + rng.normal(size=tensor.shape)).astype("float32"))
    optimizer = make_optimizer(network, recipe_of(options), options.learning_rate)
    p = {n: t.numpy().astype(float) for n, t in network.named_parameters() if not t.stop_gradient}
    v = {name: np.zeros_like(value) for name, value in p.items()}
    for step in range(3):
        images = rng.normal(size=(6, 3, 8, 8)).astype("float32")
        network(paddle.to_tensor(images)).square().mean().backward()
        statistics = {n: a for n, a in values(network).items() if n not in p}
        grads = {n: t.grad.numpy().astype(float) for n, t in network.named_parameters() if n in p}
        optimizer.set_lr(rate := 0.05 / (step + 1))
        optimizer.step()
        optimizer.clear_grad()

        if options.gradient_clip is not None:  # one norm over everything, before the decay
            norm = np.sqrt(sum((g**2).sum() for g in grads.values()))
            grads = {n: g * min(1, options.gradient_clip / norm) for n, g in grads.items()}
            assert (norm > options.gradient_clip) == (options.gradient_clip < 1)
        for name in p:
            g = grads[name] + is_decayed(name) * options.weight_decay * p[name]
            v[name] = options.momentum * v[name] + g
            p[name] -= rate * (g + options.momentum * v[name] if options.nesterov else v[name])
        after = values(network)
        for name, expected in p.items():
            limit = 1e-5 * max(np.abs(expected).max(), 1.0)
            np.testing.assert_allclose(after[name], expected, atol=limit, err_msg=name)
        assert_same(statistics, {name: after[name] for name in statistics})
        for name in p:  # errors do not add up from step to step
            p[name] = after[name].astype(float)


def test_what_is_decayed(make_network):
    """Without gradients, decay alone: exactly these shrink."""
    network = make_network()
    for tensor in network.state_dict().values():
        tensor.set_value(paddle.full_like(tensor, 2.0))
    recipe = recipe_of(TrainOptions(momentum=0.0, weight_decay=0.5))
    optimizer = make_optimizer(network, recipe, 0.1)
    (network(paddle.zeros([2, 3, 8, 8])) * 0.0).sum().backward()
    forward = values(network)
    optimizer.step()
    for name, value in values(network).items():
        if name.endswith(("_mean", "_variance")) or not is_decayed(name):
            np.testing.assert_array_equal(value, forward[name], err_msg=name)
        else:
            np.testing.assert_allclose(value, 2.0 * (1 - 0.1 * 0.5), rtol=1e-6, err_msg=name)


def test_the_rate_follows_the_schedule(make_trainer):
    """40 pictures in batches of 16: 2 whole batches, so 2 steps in an epoch."""
    trainer = make_trainer(epochs=4, learning_rate=0.2, warmup_epochs=1.5)
    rates = []
    original = trainer._optimizer.set_lr
    trainer._optimizer.set_lr = lambda rate: (rates.append(rate), original(rate))
    assert trainer.fit() == ""
    assert rates == [cosine_rate(step, 8, 0.2, 3) for step in range(8)]
    assert [epoch["learning_rate"] for epoch in trainer.curve] == rates[1::2]


# The time ------------------------------------------------------------------------------------


def test_time_that_is_up_ends_a_training_once_and_for_all(make_trainer):
    """After its first update, since there is no time for a second; the schedule is at its end."""
    trainer = make_trainer(epochs=4, max_seconds=1e-6)
    assert trainer.fit() == "the time is up"
    (epoch,) = trainer.curve
    assert epoch["cut"] == 1.0
    assert epoch["learning_rate"] < 1e-3  # of a cosine from 0.1 that ended before this update
    resumed = make_trainer(epochs=4, max_seconds=1e-6)
    resumed.restore(trainer.state())
    assert resumed.fit() == "the time is up"
    assert len(resumed.curve) == 1


def test_time_that_is_not_used_up_changes_nothing(make_trainer):
    one, other = make_trainer(epochs=2), make_trainer(epochs=2, max_seconds=1e6)
    assert (one.fit(), other.fit()) == ("", "")
    assert_same(values(one.network), values(other.network))
    assert "cut" not in other.curve[-1]


def test_somebody_may_leave_after_any_update(make_trainer):
    """40 pictures in batches of 16: the third update is the first of the second epoch."""
    trainer, asked = make_trainer(epochs=4), []
    assert trainer.fit(leave=lambda: asked.append(None) or len(asked) == 3) == "the time is up"
    assert len(asked) == 3
    assert ["cut" in epoch for epoch in trainer.curve] == [False, True]


def test_the_clock_of_several_processes_is_nobodys(make_trainer, make_network, pictures):
    recipe = recipe_of(TrainOptions(batch_size=8, max_seconds=5.0))
    with pytest.raises(ConfigError, match="max_seconds is for one process"):
        Trainer(make_network(), make_trainer().task, recipe, 0, Share(0, 2))


# Losses --------------------------------------------------------------------------------------


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(1, keepdims=True))


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("mixed", [False, True])
def test_loss_equals_numpy(smoothing, mixed):
    """Mixup: weight * loss(labels) + (1 - weight) * loss(partners); smoothing: (1 - s) + s / K."""
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(6, 4)).astype("float32") * 3
    images = rng.normal(size=(6, 3, 8, 8)).astype("float32")
    labels = rng.integers(4, size=6)
    truth = Truth(paddle.to_tensor(labels))
    if mixed:
        mix = mixup(images, labels, np.random.default_rng(9), 0.4)
        truth = Truth(paddle.to_tensor(labels), paddle.to_tensor(mix.partners), mix.weight)
    goal = Classification(label_smoothing=smoothing)
    found = float(goal.loss(paddle.to_tensor(logits), truth))

    def loss(truth):
        soft = (1 - smoothing) * np.eye(4)[truth] + smoothing / 4
        return -(soft * log_softmax(logits.astype(float))).sum(1).mean()

    if mixed:
        assert (mix.partners != labels).any()
        expected = mix.weight * loss(labels) + (1 - mix.weight) * loss(mix.partners)
    else:
        expected = loss(labels)
    assert found == pytest.approx(expected, rel=1e-5)  # float32


def test_the_curve_holds_means_over_the_epoch(make_trainer, monkeypatch):
    trainer = make_trainer(epochs=2)
    seen = []
    step = trainer._step

    def spy(batch, *rest):
        loss, hits = step(batch, *rest)
        seen.append((float(loss), float(hits), len(batch)))
        return loss, hits

    monkeypatch.setattr(trainer, "_step", spy)
    trainer.fit()
    assert [epoch["epoch"] for epoch in trainer.curve] == [1, 2]
    for number, epoch in enumerate(trainer.curve):
        part = seen[2 * number : 2 * number + 2]
        assert [size for *_, size in part] == [16, 16]
        # float32 sums of two losses
        assert epoch["loss"] == pytest.approx(np.mean([loss for loss, *_ in part]), rel=1e-6)
        assert epoch["accuracy"] == pytest.approx(sum(hits for _, hits, _ in part) / 32, rel=1e-6)
        assert 0 < epoch["compute_seconds"] <= epoch["seconds"]


def test_on_a_cpu_computing_counts_in_processor_time(make_trainer, monkeypatch):
    """What else the machine does makes a training wait; here it sleeps in every update."""
    trainer = make_trainer(epochs=2)
    step = trainer._step

    def slow(batch, *rest):
        time.sleep(0.5)
        return step(batch, *rest)

    monkeypatch.setattr(trainer, "_step", slow)
    trainer.fit()
    for epoch in trainer.curve:
        assert 0 < epoch["compute_seconds"] < epoch["seconds"] - 2 * 0.4


def test_it_learns_plain_colours(make_trainer):
    trainer = make_trainer(epochs=12, batch_size=8, learning_rate=0.1, dropout=0.0)
    trainer.fit()
    assert trainer.curve[-1]["loss"] < 0.5 * trainer.curve[0]["loss"]
    assert trainer.curve[-1]["accuracy"] > 0.6  # chance: 0.25 + 5 * 0.07


@pytest.mark.parametrize("multiplies", [False, True])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
@pytest.mark.filterwarnings("error:amp_guard")
def test_mixed_precision_on_a_cpu(
    make_trainer, make_network, label_smoothing, multiplies, monkeypatch
):
    """No effect where the processor does not multiply bfloat16, and a small one elsewhere."""
    if multiplies and not onednn.multiplies_bfloat16():
        pytest.skip("this processor does not multiply bfloat16")
    monkeypatch.setattr(onednn, "multiplies_bfloat16", lambda: multiplies)
    options = {"epochs": 2, "label_smoothing": label_smoothing}
    full = make_trainer(make_network(seed=1), **options)
    half = make_trainer(make_network(seed=1), amp=True, **options)
    full.fit()
    half.fit()
    losses = [[epoch["loss"] for epoch in trainer.curve] for trainer in (half, full)]
    assert (losses[0] != losses[1]) == multiplies
    np.testing.assert_allclose(*losses, rtol=0.05)  # 5 bits above the rounding of bfloat16
    assert multiplies or timeless(half.curve) == timeless(full.curve)
    assert {str(p.dtype) for p in half.network.parameters()} == {"paddle.float32"}


# When it ends --------------------------------------------------------------------------------


def poison(trainer):
    weight = trainer.network.layer("head.classifier").weight
    weight.set_value(paddle.full_like(weight, float("nan")))


@pytest.mark.parametrize("healthy", [0, 2])
def test_a_loss_that_is_not_finite_fails_the_trial(make_trainer, healthy):
    trainer = make_trainer(epochs=4)
    if not healthy:
        poison(trainer)
    with pytest.raises(
        TrialFailure, match=f"is nan in epoch {healthy + 1} of 4; a lower"
    ) as caught:
        trainer.fit(lambda t: poison(t) if len(t.curve) == healthy else None)
    assert len(trainer.curve) == healthy
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["stem.weight", "stage0.cell0.node0.norm._variance"])
def test_weights_that_are_not_finite_fail_the_trial(make_trainer, name):
    """ReLU can turn NaN into 0 (Paddle's does, on a CPU), and then the loss stays finite."""
    trainer = make_trainer(epochs=4)
    tensor = trainer.network.state_dict()[name]
    tensor.set_value(paddle.full_like(tensor, float("nan")))
    with pytest.raises(TrialFailure, match=r"finite after epoch 1 of 4|is nan in epoch 1 of 4"):
        trainer.fit()
    assert not trainer.curve


def test_the_tensor_that_is_not_finite_is_named_after_one_reading(make_trainer, monkeypatch):
    """Each reading makes a GPU's host wait, so all tensors are looked at in one."""
    trainer = make_trainer(dropout=0.0)
    tensor = trainer.network.state_dict()["stage0.cell0.node0.norm._variance"]
    tensor.set_value(paddle.full_like(tensor, float("inf")))
    stacks = []
    stack = paddle.stack
    monkeypatch.setattr(paddle, "stack", lambda x, **k: stacks.append(len(x)) or stack(x, **k))
    with pytest.raises(TrialFailure, match=r"^stage0\.cell0\.node0\.norm\._variance is not finite"):
        trainer._check_finite(1.0, "epoch 1 of 4")
    assert stacks == [len(trainer.network.state_dict())]


def test_a_gpu_is_waited_for_once_an_epoch_and_that_counts_as_computing(make_trainer, monkeypatch):
    trainer = make_trainer(epochs=2)
    waits = []

    def wait():
        waits.append(len(trainer.curve))
        time.sleep(0.2)

    monkeypatch.setattr(paddle.device, "synchronize", wait)
    trainer.fit()
    assert waits == []  # on a CPU there is nothing to wait for
    trainer = make_trainer(epochs=2)
    trainer._on_gpu, trainer._clock = True, time.perf_counter
    trainer.fit()
    assert waits == [0, 1]
    assert all(0.2 <= epoch["compute_seconds"] <= epoch["seconds"] for epoch in trainer.curve)


def test_a_wild_learning_rate_fails_or_diverges_and_says_so(make_trainer):
    trainer = make_trainer(epochs=30, learning_rate=1e20, momentum=0.99)
    with pytest.raises(TrialFailure, match=r"(in|after) epoch \d+ of 30"):
        trainer.fit()


def enlarge(trainer):
    weight = trainer.network.layer("head.classifier").weight
    weight.set_value(weight * 1000.0)


def test_divergence_ends_it(make_trainer):
    trainer = make_trainer(epochs=9, learning_rate=1e-6, divergence=3.0)
    reason = trainer.fit(lambda t: enlarge(t) if len(t.curve) == 2 else None)
    assert reason.startswith("diverged: training loss")
    assert len(trainer.curve) == 3


def test_a_plateau_ends_it(make_trainer):
    """The whole set in every batch, no noise, no learning: the same loss in every epoch."""
    still = {"pad_crop": 0, "flip": "none", "batch_size": 40, "learning_rate": 1e-12}
    trainer = make_trainer(dropout=0.0, epochs=9, patience=2, **still)
    reason = trainer.fit()
    assert reason.startswith("plateau: no better training loss")
    assert reason.endswith("for 2 epochs")
    assert len(trainer.curve) == 3
    assert trainer.fit() == reason  # and it stays so
    assert len(trainer.curve) == 3


def test_the_budget_used_up_is_no_early_stop(make_trainer):
    """Though the last epoch gives a reason, there was nothing left to stop."""
    still = {"pad_crop": 0, "flip": "none", "batch_size": 40, "learning_rate": 1e-12}
    trainer = make_trainer(dropout=0.0, epochs=3, patience=2, **still)
    assert trainer.fit() == ""
    assert len(trainer.curve) == 3


# Randomness and resuming ---------------------------------------------------------------------

EVERYTHING = {
    "epochs": 4, "batch_size": 16, "learning_rate": 0.05, "warmup_epochs": 0.5, "pad_crop": 2,
    "flip": "alternating", "cutout": 3, "mixup": 0.2, "label_smoothing": 0.1, "gradient_clip": 1.0,
}  # fmt: skip


@pytest.mark.parametrize("options", [EVERYTHING, {**EVERYTHING, "amp": True}], ids=["full", "amp"])
def test_resuming_after_any_epoch_equals_an_unbroken_training(make_trainer, make_network, options):
    states = {}
    unbroken = make_trainer(make_network(seed=1), **options)
    states[0] = encode_state(unbroken.state())
    unbroken.fit(lambda t: states.update({len(t.curve): encode_state(t.state())}))
    assert sorted(states) == [0, 1, 2, 3, 4]
    for epoch, packed in states.items():
        other = make_trainer(make_network(seed=50 + epoch), **options)
        paddle.seed(1000 + epoch)  # whatever a new process starts with
        other.restore(decode_state(packed))
        assert len(other.curve) == epoch
        assert other.fit() == ""
        assert_same(values(other.network), values(unbroken.network))
        assert timeless(other.curve) == timeless(unbroken.curve)
        assert_same(other.state()["optimizer"], unbroken.state()["optimizer"])


def test_a_used_trainer_can_go_back(make_trainer, make_network):
    trainer = make_trainer(make_network(seed=1))
    states = [trainer.state()]
    trainer.fit(lambda t: states.append(t.state()))
    final = values(trainer.network)
    for state in states:
        trainer.restore(state)
        trainer.fit()
        assert_same(values(trainer.network), final)


def test_early_stopping_is_the_same_after_resuming(make_trainer, make_network):
    still = {"pad_crop": 0, "flip": "none", "batch_size": 40, "learning_rate": 1e-12, "patience": 2}
    unbroken = make_trainer(make_network(dropout=0.0), epochs=9, **still)
    states = []
    reason = unbroken.fit(lambda t: states.append(encode_state(t.state())))
    for packed in states:
        other = make_trainer(make_network(seed=9, dropout=0.0), epochs=9, **still)
        other.restore(decode_state(packed))
        assert other.fit() == reason
        assert len(other.curve) == 3


def test_a_state_is_a_copy_with_stable_names(make_trainer):
    trainer = make_trainer(epochs=3)
    kept = []
    trainer.fit(lambda t: kept.append((t.state(), encode_state(t.state()))))
    for state, packed in kept:
        assert encode_state(state) == packed
    state = kept[-1][0]
    records = {record.name for record in trainer.network.plan.records}
    for name in [*state["network"], *(key.split("|")[0] for key in state["optimizer"])]:
        assert name.rsplit(".", 1)[0] in records
    assert not any("_mean" in key or "_variance" in key for key in state["optimizer"])


def test_the_seed_decides_everything(make_trainer, make_network):
    def final(seed):
        trainer = make_trainer(make_network(seed=1), seed=seed, **EVERYTHING)
        trainer.fit()
        return values(trainer.network)

    assert_same(final(3), final(3))
    assert not np.array_equal(final(3)["stem.weight"], final(4)["stem.weight"])


def test_epochs_differ_from_each_other(make_trainer, monkeypatch):
    orders = []
    original = module.iterate

    def spy(*arguments, **options):
        for images, labels in original(*arguments, **options):
            orders.append(labels.tolist())
            yield images, labels

    monkeypatch.setattr(module, "iterate", spy)
    make_trainer(epochs=2).fit()
    assert orders[:2] != orders[2:]


@pytest.mark.parametrize("spoil", ["missing", "surplus", "shape"])
def test_weights_of_another_network_change_nothing(make_network, spoil):
    network, arrays = make_network(seed=1), values(make_network(seed=2))
    before = values(network)
    if spoil == "missing":
        del arrays["head.classifier.bias"]
    elif spoil == "surplus":
        arrays["head.extra"] = np.zeros(3, "float32")
    else:
        arrays["head.classifier.bias"] = np.zeros(7, "float32")
    with pytest.raises(CheckpointError, match=r"head\.") as caught:
        load_arrays(network, arrays)
    assert "\n" not in str(caught.value)
    assert_same(values(network), before)


def test_growing_by_steps_of_four_begins_at_a_multiple():
    with pytest.raises(ValueError, match="multiple of 4"):
        TrainOptions(first_size=18)


def test_a_warm_up_longer_than_the_training_is_refused():
    assert TrainOptions(epochs=2, warmup_epochs=2.0).warmup_epochs == 2
    with pytest.raises(ValueError, match=r"warmup_epochs 2\.5 exceed epochs 2"):
        TrainOptions(epochs=2, warmup_epochs=2.5)


def test_a_batch_that_cannot_be_shared_evenly_is_refused(pictures, normalisation, make_network):
    """40 pictures: thirds are 13 and a bit."""

    def trainer(batch_size, size):
        options = TrainOptions(batch_size=batch_size)
        task = PictureTask.alone(pictures, normalisation)
        return Trainer(make_network(), task, recipe_of(options), 0, Share(0, size))

    trainer(13, 3)  # 39 in a batch, one left out
    trainer(30, 2)  # 40 in the only batch
    with pytest.raises(
        ConfigError, match=r"cannot share evenly; use Train\.batch_size=13, or fewer"
    ):
        trainer(14, 3)


# Recipes -------------------------------------------------------------------------------------


def sizes_seen(trainer, monkeypatch):
    seen = []
    step = Trainer._step

    def watched(self, batch, *rest):
        seen.append(batch.inputs.shape[2:])
        return step(self, batch, *rest)

    monkeypatch.setattr(Trainer, "_step", watched)
    trainer.fit()
    return seen


def test_pictures_grow_over_the_epochs(make_trainer, make_network, pictures, monkeypatch):
    network = make_network()
    images = pictures.images.repeat(2, axis=1).repeat(2, axis=2)
    trainer = make_trainer(
        network=network, pictures=Pictures(images, pictures.labels), first_size=8
    )
    seen = sizes_seen(trainer, monkeypatch)
    assert seen == [(8, 8)] * 4 + [(12, 12)] * 2 + [(16, 16)] * 2  # two updates an epoch


def test_sizes_that_a_cell_cannot_halve_are_found_before_training(pictures, normalisation):
    """Of three rows a strided 1x1 leaves two, and a 3x3 whose padding was made for four one."""
    conv_1x1, conv_3x3 = operation("conv_1x1").id, operation("conv_3x3").id
    pair = CellPair(Cell((conv_3x3, conv_3x3), (1,)), Cell((conv_1x1, conv_3x3), (0,)))
    network = build_network(pair, width=4, cells_per_stage=1, stages=4, classes=4, image_size=16)
    twice = pictures.images.repeat(2, axis=1).repeat(2, axis=2)
    task = PictureTask.alone(Pictures(twice, pictures.labels), normalisation)
    Trainer(network, task, recipe_of(TrainOptions(epochs=4, first_size=8, grown_by=8)), 0)
    with pytest.raises(TrialFailure, match=r"12x12 do not fit .*stage3\.cell0.*first_size=null"):
        Trainer(network, task, recipe_of(TrainOptions(epochs=4, first_size=12)), 0)


@pytest.mark.parametrize(
    "options", [{"whiten": True}, {"schedule": "linear"}, {"averaging": 0.8}], ids=str
)
def test_a_recipe_is_resumed_exactly(make_trainer, make_network, options):
    whole = make_trainer(**options)
    whole.fit()
    first = make_trainer(**options)
    first.fit(until=2)
    second = make_trainer(network=make_network(seed=9), **options)
    second.restore(decode_state(encode_state(first.state())))
    second.fit()
    assert_same(values(second.network), values(whole.network))
    assert timeless(second.curve) == timeless(whole.curve)


def test_whitened_kernels_stay_as_they_are(make_trainer):
    trainer = make_trainer(whiten=True, weight_decay=0.1)
    name = next(
        name
        for name, value in trainer.network.named_parameters()
        if value.stop_gradient and name.endswith("weight")
    )
    before = values(trainer.network)[name]
    trainer.fit()
    assert (values(trainer.network)[name] == before).all()


def test_the_rate_falls_in_a_line(make_trainer):
    trainer = make_trainer(schedule="linear", learning_rate=0.08)
    trainer.fit()
    rates = [epoch["learning_rate"] for epoch in trainer.curve]
    assert rates == pytest.approx([0.07, 0.05, 0.03, 0.01])  # the second of two updates


def test_a_recipe_whose_batch_exceeds_the_pictures_is_refused(make_trainer):
    """Its rate is for whole batches; without a recipe the only batch may be smaller."""
    with pytest.raises(ConfigError, match=r"Train\.recipe has the rate of batches of 1024.* 40 tr"):
        make_trainer(recipe="fast", batch_size=1024)
    assert make_trainer(batch_size=1024)
