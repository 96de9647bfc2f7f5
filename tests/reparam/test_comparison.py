"""Fusing on an example: what gradients do not show is found by comparing outputs."""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
import pytest
from paddle import nn

from autodl.reparam.errors import ReparameterisationError
from autodl.reparam.fusion import fuse, fuse_in_place
from autodl.reparam.repvgg import RepVGGBlock


class Reader(nn.Layer):
    """A good pair, then one whose output, or kernel, ``read`` reads without a gradient."""

    def __init__(self, read):
        super().__init__()
        self.good = nn.Sequential(nn.Conv2D(3, 3, 1), nn.BatchNorm2D(3))
        self.conv, self.norm, self.read = nn.Conv2D(3, 3, 3, 1, 1), nn.BatchNorm2D(3), read
        self.block = RepVGGBlock(3, 3)

    def forward(self, x):
        x = self.block(self.good(x))
        y = self.conv(x)
        return {"out": [self.norm(y) + self.read(self, x, y), y > 0]}


READERS = {
    "detached": lambda model, x, y: y.detach(),
    "a comparison": lambda model, x, y: (y > 0).astype(y.dtype),
    "of the kernel": lambda model, x, y: F.conv2d(x, model.conv.weight, padding=1),
    "chance": lambda model, x, y: F.dropout(y.detach(), 0.5, training=True),
}


@pytest.mark.parametrize("read", READERS)
def test_outputs_are_compared_on_the_example(read, tell):
    """Readers that gradients do not show; the model stays as it was."""
    network = tell.randomise(Reader(READERS[read]), dtype="float32")
    network.train()
    network.good.eval()
    x = tell.inputs(2, 3, 7, 8, dtype="float32")
    before, layers = tell.values(network), list(network.named_sublayers())
    for call in (fuse, fuse_in_place):
        with pytest.raises(ReparameterisationError, match=r"^fusing .*conv.* changes") as caught:
            call(network, x)
        assert read == "chance" or "fusing conv changes" in str(caught.value)
    after = tell.values(network)
    assert list(after) == list(before)
    assert all((after[name] == before[name]).all() for name in before)
    assert all(a is b for (_, a), (_, b) in zip(layers, network.named_sublayers(), strict=True))
    assert network.training
    assert not network.good.training


def test_equal_outputs_pass_the_comparison(tell):
    """Also where they are not finite, whole numbers, or the model writes to its input."""
    inputs, options = (2, 3, 7, 8), {"dtype": "float32"}
    network = Reader(lambda model, x, y: 0)
    network.register_forward_pre_hook(lambda layer, given: given[0].multiply_(given[0]))
    network.register_forward_post_hook(
        lambda layer, given, out: [
            out["out"][0],
            out["out"][0].detach() / 0.0 - float("inf"),  # infinite or NaN
            paddle.argmax(given[0]),
        ]
    )
    tell.randomise(network, **options)
    x = tell.inputs(*inputs, **options)
    with paddle.no_grad():
        fused = fuse(network, x)
    assert type(fused.norm) is nn.Identity
