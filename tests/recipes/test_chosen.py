"""What an architecture decides about its training, and that every training of it goes by that."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from autodl.config.reading import RawConfig
from autodl.data.options import DataOptions
from autodl.errors import ConfigError
from autodl.evaluation.train_evaluator import TrainEvaluator
from autodl.jobs.train.run import retrain
from autodl.recipes.chosen import training_of
from autodl.recipes.config import resolve_train
from autodl.recipes.options import TrainOptions
from autodl.recipes.recipe import recipe_of
from autodl.reparam.asymmetric import AsymmetricConvBlock
from autodl.reparam.repvgg import RepVGGBlock
from autodl.reparam.training_form import training_network
from autodl.spaces.fixed import FixedArchitecture
from autodl.spaces.stage.architecture import ConvStage, StageArchitecture
from autodl.spaces.stage.plan import stage_plan
from autodl.tasks.load import load_task
from autodl.trained.network import load_trained_network
from autodl.training.goal import final_score
from autodl.trial import Stage

PLAIN = StageArchitecture((ConvStage(8, "conv_pool"), ConvStage(8, "conv_pool", 2)))
FAST = TrainOptions(recipe={"name": "fast"}, batch_size=64)


def hooks(options):
    return [hook.name for hook in recipe_of(options).hooks]


def test_those_that_decide_nothing_are_trained_as_the_section_says():
    assert training_of(FAST, FixedArchitecture()) is FAST
    assert training_of(FAST, PLAIN) == FAST


@pytest.mark.parametrize(
    "options",
    [
        FAST,
        TrainOptions(recipe={"name": "fast-muon"}),
        TrainOptions(learning_rate=0.2, lowest_rate=0.01, weight_decay=3e-4),
        TrainOptions(rate={"name": "linear", "learning_rate": 0.1, "lowest_rate": 0.02}),
    ],
)
def test_rate_and_decay_are_free_of_each_other(options):
    """Rates times 2 all along; rate times decay, what an update takes off, times 0.5."""
    own = training_of(options, replace(PLAIN, rate=2.0, decay=0.5))
    before, after = recipe_of(options), recipe_of(own)
    rates = [one.schedule.factory()(one.schedule.options, 10, 7) for one in (before, after)]
    steps = range(70)
    np.testing.assert_allclose([rates[1](s) for s in steps], [2 * rates[0](s) for s in steps])
    decays = [one.optimiser.options.weight_decay for one in (before, after)]
    assert 2 * decays[1] == pytest.approx(0.5 * decays[0], rel=1e-12)
    assert replace(after, schedule=before.schedule, optimiser=before.optimiser) == before


def test_only_whitened_stems_are_whitened():
    dense = replace(PLAIN, stem="conv_3x3")
    assert "Whitening" in hooks(training_of(FAST, PLAIN))
    assert hooks(training_of(FAST, dense)) == [h for h in hooks(FAST) if h != "Whitening"]
    assert "Whitening" not in hooks(training_of(TrainOptions(whiten=True), dense))


def test_pictures_grow_as_it_decides():
    own = training_of(FAST, replace(PLAIN, first_size=20))
    assert recipe_of(own).changes.first_size == 20
    assert "GrowingPictures" in hooks(own)
    grown = TrainOptions(first_size=24)
    assert training_of(grown, PLAIN).first_size == 24


def test_stages_have_branches_of_their_own():
    stages = (
        ConvStage(8, form="acb"),
        ConvStage(8, "conv_pool", 2),
        ConvStage(8, form="repvgg", kernel=5),
    )
    branched = StageArchitecture(stages)
    own = training_of(TrainOptions(branches="dbb"), branched)
    network = training_network(stage_plan(branched, image_size=16), own, 0)
    kinds = [
        (name, type(layer))
        for name, layer in network.named_sublayers()
        if isinstance(layer, AsymmetricConvBlock | RepVGGBlock)
    ]
    assert [kind for _, kind in kinds] == [AsymmetricConvBlock, RepVGGBlock]
    for part, message in (
        ({"stage9": "acb"}, "no convolution in 'stage9'"),
        ({"stem": "repvgg"}, "stem cannot be repvgg"),
    ):
        form = {"name": "branches", "of": part}
        with pytest.raises(ConfigError, match=message):
            training_network(stage_plan(PLAIN), TrainOptions(form=form), 0)


DATA = {"name": "cifar10-mini", "image_size": 16, "train": 96, "held_out": 32}


def test_trials_are_trained_as_they_decide():
    """Half the rate of the section; three epochs at once give what they give in stages."""
    task = load_task(DataOptions(**DATA))
    own = replace(PLAIN, rate=0.5, stem="conv_3x3", first_size=12)
    options = TrainOptions(recipe={"name": "fast"}, batch_size=32, epochs=3)
    evaluator = TrainEvaluator(task, lambda a: stage_plan(a, image_size=16), options)
    rate = recipe_of(options).schedule
    rng = np.random.default_rng
    whole = evaluator(own, rng(1))
    highest = max(epoch["learning_rate"] for epoch in whole.curve)
    steps = task.count("train") // 32
    usual = rate.factory()(rate.options, 3, steps)
    assert highest <= 0.5 * max(usual(step) for step in range(3 * steps)) + 1e-9
    first = evaluator.stage(own, rng(1), Stage(1))
    last = evaluator.stage(own, rng(1), Stage(3, first.checkpoint))
    assert last.reward == whole.reward


def test_a_training_in_full_and_what_is_loaded_from_it_go_by_it_too(tmp_path):
    """A stage of branches, a stem that is not whitened: the loaded network is the trained one."""
    stages = (ConvStage(8, "conv_pool", 2, form="acb"), ConvStage(8, "norm_pool"))
    own = StageArchitecture(stages, "conv_3x3", 8, rate=0.5)
    sections = {
        "Network": {"name": "StageNetwork"},
        "Data": DATA,
        "Train": {"recipe": {"name": "fast"}, "epochs": 2, "batch_size": 32},
    }
    done = retrain(resolve_train(RawConfig(sections)), own, tmp_path / "run")
    trained = load_trained_network(tmp_path / "run")
    assert any(isinstance(layer, AsymmetricConvBlock) for layer in trained.network.sublayers())
    assert (
        final_score(trained.network, load_task(DataOptions(**DATA)), "held_out").value == done.value
    )
