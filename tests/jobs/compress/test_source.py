"""What is compressed of a network that was trained in another form than it is deployed in."""

import json

import numpy as np
import paddle
import pytest

from autodl.compression.bits.packed_network import load_packed_weights
from autodl.config.reading import RawConfig
from autodl.errors import StoreError
from autodl.jobs.compress.config import resolve_compress
from autodl.jobs.compress.run import compress
from autodl.jobs.compress.source import open_source
from autodl.jobs.train.run import retrain
from autodl.recipes.config import load_train
from autodl.reparam.plain_form import is_plain
from autodl.spaces.fixed import FixedArchitecture
from autodl.trained.network import load_trained_network

SMALL = """
Global: {seed: 1, device: cpu}
Data: {name: cifar10-mini, image_size: %d, train: 40, held_out: 40}
Train: {epochs: 1, batch_size: 20, learning_rate: 0.05, %s}
Network: {%s}
"""
TRAIN = {"epochs": 1, "batch_size": 20, "learning_rate": 0.01}
FORMS = {
    "auxiliary": (32, "auxiliary_weight: 0.4", "name: GenotypeNetwork, channels: 2, layers: 1"),
    "dbb": (8, "branches: dbb", "name: ResNet, depth: 8, width: 4"),
    "acb": (16, "branches: acb", "name: CifarQuick"),
}


@pytest.fixture(scope="module", params=FORMS)
def training(request, tmp_path_factory):
    """A training of an epoch in a form that is not deployed."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "train.yaml").write_text(SMALL % FORMS[request.param])
    retrain(
        load_train(folder / "train.yaml"),
        FixedArchitecture(),
        folder / "one",
        progress=lambda line: None,
    )
    return folder / "one"


def config(name, **options):
    return resolve_compress(
        RawConfig(
            {
                "Global": {"device": "cpu"},
                "Compression": {"name": name, **options},
                "Train": TRAIN,
                "FineTuning": TRAIN,
            }
        )
    )


def test_the_source_computes_what_was_trained_with_nothing_that_only_training_needs(training):
    trained, source = load_trained_network(training), open_source(str(training), None)
    assert is_plain(source.trained.network)
    assert not is_plain(trained.network)
    size = trained.image_size
    images = np.random.default_rng(0).normal(size=(8, 3, size, size)).astype("float32")
    with paddle.no_grad():
        known, found = (
            each.network(paddle.to_tensor(images)).numpy() for each in (trained, source.trained)
        )
    # float32: branches in another order of summation, batch-norms folded and put back
    np.testing.assert_allclose(found, known, rtol=1e-4, atol=1e-4 * np.abs(known).max())


def test_only_layers_that_are_deployed_are_rounded_and_counted(training, tmp_path):
    metrics = compress(config("BayesianBits", truncation=8), str(training), tmp_path / "out")
    source = open_source(str(training), None)
    layers = [path for path, layer in source.trained.network.named_sublayers()
              if isinstance(layer, paddle.nn.Conv2D | paddle.nn.Linear)]  # fmt: skip
    assert list(metrics["bits"]) == layers[1:-1]
    assert layers[-1].endswith("classifier")
    weights = sum(v.size for v in source.trained.network.state_dict().values())
    # four bytes a number, and names and shapes in the file
    assert (
        4 * weights
        < metrics["original_bytes"]
        < 4 * weights + 200 * len(source.trained.network.state_dict())
    )
    load_packed_weights(source.trained.network, tmp_path / "out" / "packed.safetensors")
    rounded = {
        path: len(np.unique(value.numpy()))
        for path, value in source.trained.network.state_dict().items()
        if path.removesuffix(".weight") in metrics["bits"]
    }
    assert max(rounded.values()) <= 8


def test_a_compression_of_branches_is_not_gone_on_with(training, tmp_path):
    """Of an earlier version, which rounded them one by one."""
    out = tmp_path / "out"
    compress(config("UniformBits", bits=3), str(training), out)
    run = json.loads((out / "run.json").read_text())
    assert run["identity"].pop("Form") == "plain"
    (out / "run.json").write_text(json.dumps(run))
    with pytest.raises(StoreError, match="holds another run: Form was"):
        compress(config("UniformBits", bits=3), str(training), out, resume=True)
