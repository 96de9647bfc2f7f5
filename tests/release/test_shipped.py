"""The networks that ship: what their cards say holds for the files that are there.

With ``AUTODL_CIFAR10`` naming the data they were trained on, their held-out accuracies are
computed again, to the picture.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from autodl.data.sample import load_sample
from autodl.drawing.figures import to_svg
from autodl.drawing.names import readable
from autodl.drawing.own import own_boxes
from autodl.jobs.export import export_network
from autodl.jobs.release.publish import LARGEST, card_of
from autodl.recipes.config import load_train
from autodl.release import Ensemble, load, names
from autodl.release.ensemble import FILE
from autodl.release.metrics import EnsembleMetrics, read_metrics
from autodl.release.network import CARD, find
from autodl.release.overview import overview
from autodl.release.plot import draw_released
from autodl.runs.folder import ARCHITECTURE, TRAINING, WEIGHTS
from autodl.spaces.cell.architecture import CellPair
from autodl.spaces.codec import load_architecture
from autodl.spaces.fixed import FixedArchitecture
from autodl.system.resources import resource

NAMES = names()
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def members():
    return {name: load(name) for name in NAMES}


@pytest.fixture(scope="module")
def sample():
    """100 of the 2,500 pictures that no released network was trained on."""
    return load_sample().test.take(np.arange(100))


@pytest.fixture(scope="module")
def logits(members, sample):
    """What every network says of the sample, float64 ``[100, 10]`` each."""
    return {name: member.logits(sample.images) for name, member in members.items()}


def floor(held_out_accuracy, pictures=100):
    """Three standard errors below the accuracy on all 2,500: one draw in 700 falls below."""
    error = math.sqrt(held_out_accuracy * (1 - held_out_accuracy) / pictures)
    return held_out_accuracy - 3 * error


def test_there_are_several_and_they_are_small():
    sizes = {name: (find(name) / WEIGHTS).stat().st_size for name in NAMES}
    assert len(sizes) >= 6
    assert max(sizes.values()) <= LARGEST == 8_000_000
    assert sum(sizes.values()) <= 40_000_000


@pytest.mark.parametrize("name", NAMES)
def test_accuracy_on_the_embedded_pictures(members, sample, logits, name):
    right = (logits[name].argmax(axis=1) == sample.labels).mean()
    assert right >= floor(members[name].metrics.held_out.accuracy)
    prediction = members[name].predict(sample.images[:8])
    # a picture's logits do not depend on those beside it, but for rounding
    assert (prediction.labels == logits[name][:8].argmax(axis=1)).all()
    np.testing.assert_allclose(prediction.probabilities.sum(axis=1), 1, rtol=1e-12)  # float64


def test_accuracy_of_the_ensemble(sample, logits):
    ensemble = Ensemble.released()
    about = read_metrics(EnsembleMetrics, resource("models") / FILE)
    prediction = ensemble.predict_from([logits[member.name] for member in ensemble.members])
    assert (prediction.labels == sample.labels).mean() >= floor(about.held_out.accuracy)
    assert about.held_out.accuracy > max(
        each.metrics.held_out.accuracy for each in ensemble.members
    )


@pytest.mark.parametrize("name", NAMES[:1])  # exporting takes long, and is the same for all
def test_exported_it_gives_the_same_outputs(members, sample, tmp_path, name):
    """To 1e-4 of the largest output, on real pictures; float32 in another order gives 1e-6."""
    member = members[name]
    exported = export_network(member, tmp_path / "out")
    pictures = member.normalisation.normalise(sample.images[:32])
    expected = exported.runners["trained"](pictures)
    assert "inference" in exported.runners
    assert "onnxruntime" in exported.runners or exported.without_onnx
    for form, run in exported.runners.items():
        assert np.abs(run(pictures) - expected).max() <= 1e-4 * np.abs(expected).max(), form


@pytest.mark.parametrize("name", NAMES)
def test_the_card_says_what_the_files_say(members, name):
    folder, metrics = find(name), members[name].metrics
    config = load_train(folder / TRAINING)
    card = (folder / CARD).read_text(encoding="utf-8")
    assert card == card_of(name, metrics, config, folder)
    assert hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest() in card
    assert f"{metrics.parameters:,} parameters and {metrics.macs:,} multiply-accumulates" in card
    assert f"{metrics.test.accuracy:.4f} (95 %: " in card
    assert f"{metrics.training.core_hours:.2f} " in card
    assert metrics.timed_on in card
    for form in ("inference", "onnxruntime"):
        assert metrics.latency[form].batch_64[1] > 0
    plan = members[name].network.plan
    assert (plan.parameters, plan.macs) == (metrics.parameters, metrics.macs)
    assert config.data.path is None
    assert (config.data.name, metrics.training.pictures) == ("cifar10", 47_500)


@pytest.mark.parametrize("name", NAMES)
def test_the_card_claims_no_more_than_the_search_bears(members, name):
    """Thirty trials made six updates of the agent, which left its policy almost undecided.

    What people designed is not said to be found; whatever else is told, its config is there.
    """
    training = members[name].metrics.training
    found_by = training.found_by
    told = found_by.partition(":")[0]
    assert training.by_hand or not name.startswith(("airbench", "resnet", "vgg", "repvgg"))
    if training.by_hand:
        assert "search" not in told
    elif name.startswith("agent"):
        assert told.startswith("Best of 30 drawn by an LSTM agent near full entropy")
        assert "six updates of five trials each" in found_by
        assert "19.0 to 19.4 nats" in found_by
    elif name.startswith("evolution"):
        assert told.startswith("Best of 30 by evolution, 12 of them drawn at random")
    named = re.findall(r"`([a-z]+/[a-z0-9-]+\.yaml)`", found_by)
    assert named
    assert all((ROOT / "configs" / name).is_file() for name in named)


def test_the_document_has_the_accuracies(members):
    document = (ROOT / "docs" / "release.md").read_text("utf-8")
    ensemble = read_metrics(EnsembleMetrics, resource("models") / FILE)
    scores = {f"`{name}`": member.metrics for name, member in members.items()}
    for name, known in {**scores, "ensemble": ensemble}.items():
        low, high = (100 * bound for bound in known.test.interval)
        accuracies = (
            f"| {100 * known.held_out.accuracy:.2f} | {100 * known.test.accuracy:.2f}"
            f" ({low:.2f} to {high:.2f}) |"
        )
        assert any(
            line.startswith(f"| {name}") and line.endswith(accuracies)
            for line in document.splitlines()
        ), name


def test_the_readmes_have_the_table_and_the_picture_has_every_network():
    table = overview().splitlines()
    english, chinese = ((ROOT / f"README{end}.md").read_text("utf-8") for end in ("", "_cn"))
    for line in table[2:]:
        assert line in english
        assert line in chinese
    gallery = ElementTree.parse(ROOT / "docs" / "gallery.svg")
    words = Counter(text.strip() for text in gallery.getroot().itertext())
    networks = {name: load_architecture(find(name) / ARCHITECTURE) for name in NAMES}
    drawn = Counter(
        readable(operation)
        for pair in networks.values()
        if isinstance(pair, CellPair)
        for cell in (pair.normal, pair.reduction)
        for operation in cell.operations
    )
    for stages in networks.values():
        for box in own_boxes(str(stages.to_json()["kind"]), stages) or []:
            drawn.update(box.words.splitlines())
    for word, times in drawn.items():
        assert words[word] - times in (0, 1), word  # the legend may have it once more
    for name, each in networks.items():
        assert words[name] == (not isinstance(each, FixedArchitecture)), name


def test_the_plot_is_of_the_networks_that_ship():
    drawn = (ROOT / "docs" / "core_hours.svg").read_text("utf-8")
    assert drawn == to_svg(draw_released()), "autodl release --table --plot docs/core_hours.svg"


@pytest.fixture(scope="module")
def held_out():
    """The 2,500 held-out pictures of the real data."""
    path = os.environ.get("AUTODL_CIFAR10")
    if path is None:
        pytest.skip("AUTODL_CIFAR10 does not say where the full data are")
    from autodl.data.load import load_split

    data = load_split(load_train(find(NAMES[0]) / TRAINING, [f"Data.path={path}"]).data)
    trained_on = load(NAMES[0]).metrics.training.checksum
    if data.checksum != trained_on:
        pytest.skip(f"{path} is not what the networks were trained on ({trained_on[:12]})")
    return data.held_out


def test_held_out_accuracies_to_the_picture(members, held_out):
    logits = {name: member.logits(held_out.images) for name, member in members.items()}
    for name, member in members.items():
        right = int((logits[name].argmax(axis=1) == held_out.labels).sum())
        assert (right, len(held_out)) == (
            member.metrics.held_out.right,
            member.metrics.held_out.pictures,
        ), name
    ensemble = Ensemble.released()
    voted = ensemble.predict_from([logits[member.name] for member in ensemble.members])
    about = read_metrics(EnsembleMetrics, resource("models") / FILE)
    assert int((voted.labels == held_out.labels).sum()) == about.held_out.right
