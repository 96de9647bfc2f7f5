"""Networks of stages as values and JSON objects, and what they decide about their training."""

from __future__ import annotations

import pytest

from autodl.errors import EncodingError
from autodl.spaces.codec import encode_text
from autodl.spaces.stage.architecture import ConvStage, StageArchitecture
from autodl.spaces.training_choices import ChoosesTraining, TrainingChoices

STAGE = ConvStage(64, "conv_pool", 2)
NETWORK = StageArchitecture((STAGE, ConvStage(128)))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"version": 2}, "reads stages version 1, got 2"),
        ({"stages": "none"}, "stages must be a list of objects, got 'none'"),
        ({"stages": []}, "a network has 1 to 8 stages, got 0"),
        ({"stages": [7]}, "stage 0 must be an object, got 7"),
        ({"stem": "conv_3"}, "Did you mean 'conv_3x3'?"),
        ({"stem_width": 0}, "stem_width is a whole number from 1 to 4096, got 0"),
        ({"stem_width": 1.5}, "got 1.5"),
        ({"head": None}, "a network's head is one of mean, max; got None"),
        ({"rate": 0}, "a network's rate is a factor above 0, at most 1000, got 0"),
        ({"decay": float("nan")}, "a network's decay is a factor above 0, at most 1000, got nan"),
        ({"decay": True}, "got True"),
        ({"first_size": "16"}, "first_size is a whole number from 1 to 4096, got '16'"),
        ({"tail": 1}, "got 'tail'"),
    ],
)
def test_damaged_objects_are_refused_in_one_line(change, message):
    with pytest.raises(EncodingError) as caught:
        StageArchitecture.from_json({**NETWORK.to_json(), **change})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"width": 0}, "stage 1: a stage's width is a whole number from 1 to 4096, got 0"),
        ({"reduction": "pool"}, "stage 1: a stage's reduction is one of none, stride, pool_conv"),
        ({"convolutions": 5}, "number of convolutions is one of 0, 1, 2, 3, 4; got 5"),
        ({"convolutions": True}, "got True"),
        ({"kernel": 3.0}, "kernel is one of 3, 5; got 3.0"),
        ({"form": ["dense"]}, "form is one of dense, grouped"),
        ({"residual": "after"}, "residual is one of none, before_activation, after_activation"),
        ({"activation": "silu"}, "activation is one of relu, gelu; got 'silu'"),
    ],
)
def test_damaged_stages_are_named(change, message):
    value = NETWORK.to_json()
    value["stages"][1] |= change
    with pytest.raises(EncodingError) as caught:
        StageArchitecture.from_json(value)
    assert message in str(caught.value)


def test_a_factor_is_the_same_network_however_it_is_written():
    whole = StageArchitecture((STAGE,), rate=2)
    assert encode_text(whole) == encode_text(StageArchitecture((STAGE,), rate=2.0))


def test_what_it_decides_about_its_training():
    assert isinstance(NETWORK, ChoosesTraining)
    assert NETWORK.training_choices() == TrainingChoices()
    stages = (
        ConvStage(8, form="acb"),
        ConvStage(8, convolutions=0, form="dbb"),
        ConvStage(8),
        ConvStage(8, form="repvgg"),
    )
    own = StageArchitecture(stages, "conv_3x3", rate=0.5, decay=2.0, first_size=20)
    assert own.training_choices() == TrainingChoices(
        0.5, 2.0, 20, whiten=False, branches=(("stage1", "acb"), ("stage3", "repvgg"))
    )
