"""Genotype networks from a config to a tested and exported network, at the smallest size."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import load_file

from autodl.jobs.export import deployed_form
from autodl.plans.fused import fused_plan
from autodl.recipes.config import load_train
from autodl.spaces.codec import save_architecture
from autodl.spaces.genotype.architecture import Genotype, GenotypeCell
from autodl.spaces.genotype.plan import genotype_plan, published_genotype_plan
from autodl.trained.network import load_trained_network

TINY = [
    *("Network.channels=2", "Network.layers=3", "Global.device=cpu"),
    *("Data={name: cifar10-mini, train: 40, held_out: 20}", "Train.epochs=2"),
    "Train.batch_size=20",
]


def test_the_lrc_recipe_from_training_to_test_and_deployment(call, tmp_path):
    options = [word for value in TINY for word in ("-o", value)]
    train = ["train", "-c", "train/lrc.yaml", *options, "--out", tmp_path]
    done = call(*train)
    assert (done.code, done.err) == (0, "")
    folder = tmp_path / "GenotypeNetwork"
    assert f"{folder}: held-out accuracy" in done.out
    weights = load_file(folder / "weights.safetensors")
    assert "auxiliary.classifier.weight" in weights

    again = call(*train, "--resume")
    assert again.code == 0, again.err
    assert all(
        (load_file(folder / "weights.safetensors")[n] == w).all() for n, w in weights.items()
    )

    plan = published_genotype_plan(genotype="LRC_1", channels=2, layers=3, init="lrc")
    metrics = json.loads((folder / "metrics.json").read_text())
    assert (metrics["parameters"], metrics["macs"]) == (plan.parameters, plan.macs)
    assert call("eval", folder).code == 0

    network = load_trained_network(folder).network
    assert network.auxiliary is not None
    deployed, fused = deployed_form(network)
    assert fused
    assert deployed.auxiliary is None
    assert deployed.plan == fused_plan(plan)
    assert not any(name.startswith("auxiliary") for name in deployed.state_dict())
    images = np.random.default_rng(0).normal(size=(2, 3, 32, 32)).astype("float32")
    import paddle

    expected, found = (form(paddle.to_tensor(images)).numpy() for form in (network, deployed))
    # float32 through 3 cells in another order of summation
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(
    "name, genotype, parameters",
    [("darts-v2", "DARTS_V2", 3_349_342), ("lrc", "LRC_1", 2_657_926)],
)
def test_the_shipped_configs(name, genotype, parameters):
    config = load_train(f"train/{name}.yaml")
    init = "lrc" if name == "lrc" else "he"
    network = {"genotype": genotype, "channels": 36, "layers": 20, "stem": "cifar", "init": init}
    assert config.network.arguments() == network
    assert config.network.factory()(**config.network.arguments()).parameters == parameters
    train = config.train
    assert (train.epochs, train.cutout, train.border) == (600, 16, "black")
    assert train.auxiliary_weight == 0.4
    paths = [hook["rate"] for hook in train.hooks if hook["name"] == "DropPath"]
    assert (train.drop_path, paths) == ((0, [0.2]) if name == "lrc" else (0.2, []))
    starts = [hook["name"] for hook in train.hooks if hook["name"] == "UniformStart"]
    assert starts == ([] if name == "lrc" else ["UniformStart"])  # LRC draws by its own rule
    decay = 2e-4 if name == "lrc" else 3e-4
    assert train.lrc_weight == (0.5 if name == "lrc" else 0)
    sgd = {"momentum": 0.9, "nesterov": False, "weight_decay": decay, "gradient_clip": 5.0}
    assert train.optimiser == {"name": "SGD", **sgd, "decay_biases": True}


def test_mistakes_in_a_config(refused, tmp_path):
    base = ["train", "-c", "train/darts-v2.yaml", "--out", tmp_path / "out"]
    wrong = "Network.genotype: value error, unknown genotype 'DARTS_V3'. Did you mean 'DARTS_V"
    refused(wrong, *base, "-o", "Network.genotype=DARTS_V3")
    tiny = [word for value in TINY for word in ("-o", value)]
    refused("on pictures of 32x32 or more", *base, *tiny, "-o", "Data.image_size=16")
    refused("a multiple of 4, got 30", *base, *tiny, "-o", "Data.image_size=30")
    quick = ["-o", "Network={name: CifarQuick}", "Train.auxiliary_weight=0"]
    refused("Train.drop_path 0.2 is for networks with edges", *base, *tiny[4:], *quick)
    assert not (tmp_path / "out").exists()


def test_a_genotype_of_ones_own(call, refused, small_training, tmp_path):
    cell = GenotypeCell((("sep_conv_3x3", 0), ("skip_connect", 1)), (2,))
    save_architecture(Genotype(cell, cell), tmp_path / "mine.json")
    tiny = [word for value in TINY for word in ("-o", value)]
    own = ["-o", "Network={name: OwnGenotype, channels: 2, layers: 2}", "Train.epochs=1"]
    train = ["train", "-c", "train/darts-v2.yaml", *tiny, *own, "--out", tmp_path / "out"]
    done = call(*train, "--architecture", tmp_path / "mine.json")
    assert done.code == 0, done.err
    network = load_trained_network(tmp_path / "out" / "mine").network
    assert network.plan == genotype_plan(Genotype(cell, cell), channels=2, layers=2)
    other = small_training.folder / "architecture.json"
    refused("made of a genotype, got a CellPair", *train, "--architecture", other)
