"""A whole compression of a trained network: what is written, resumed, refused and left alone."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from autodl.compression.bits.packed_network import load_packed_weights
from autodl.config.components import register
from autodl.config.reading import RawConfig
from autodl.errors import AutoDLError, CheckpointError, ConfigError, DataError, StoreError
from autodl.jobs.compress.config import load_compress, resolve_compress
from autodl.jobs.compress.result import result_lines
from autodl.jobs.compress.run import compress
from autodl.jobs.compress.source import open_source
from autodl.jobs.train.run import retrain
from autodl.recipes.config import load_train
from autodl.release.metrics import ReleaseMetrics, read_metrics, write_metrics
from autodl.runs.folder import read_manifest, update_manifest
from autodl.system.files import checksum
from autodl.tasks.pictures import PictureTask
from autodl.trained.folder import load_trained
from autodl.training.goal import score

TRAIN = {"epochs": 2, "batch_size": 40, "learning_rate": 0.01}
VALUES = {
    "Global": {"device": "cpu"},
    "Compression": {"name": "UniformBits", "bits": 3},
    "Train": TRAIN,
    "FineTuning": TRAIN,
}
BAYESIAN = {"name": "BayesianBits", "truncation": 8, "interval": 5, "tolerance": 0.4}


def config(**sections):
    return resolve_compress(RawConfig({**VALUES, **sections}))


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def compressed(small_training, tmp_path_factory):
    out = tmp_path_factory.mktemp("compressed") / "out"
    before = {path: sha256(path) for path in small_training.folder.glob("*.*")}
    metrics = compress(config(), str(small_training.folder), out)
    assert {path: sha256(path) for path in small_training.folder.glob("*.*")} == before
    return out, metrics


def test_what_is_written(compressed, small_training):
    out, metrics = compressed
    assert {"config.yaml", "run.json", "packed.safetensors", "metrics.json"} <= {
        path.name for path in out.iterdir()
    }
    assert json.loads((out / "metrics.json").read_text()) == json.loads(json.dumps(metrics))
    assert set(metrics["bits"].values()) == {3}
    assert metrics["average_bits"] == 3
    weights = sum(metrics["weights"].values())
    per_layer = [-(-count * 3 // 8) * 8 + 64 for count in metrics["weights"].values()]
    assert metrics["ratio"] == pytest.approx(32 * weights / sum(per_layer), rel=0.02)
    assert metrics["packed_bytes"] == (out / "packed.safetensors").stat().st_size
    assert metrics["accuracy_before"] == pytest.approx(small_training.result.value)


def test_packed_weights_have_the_accuracy_that_is_told(compressed, small_training):
    out, metrics = compressed
    source = open_source(str(small_training.folder), None)
    network = source.trained.network
    load_packed_weights(network, out / "packed.safetensors")
    network.eval()
    held_out = PictureTask.alone(source.data.held_out, source.trained.normalisation)
    found = score(network, held_out, "train")
    assert found.value == metrics["accuracy_after"]
    values = {len(np.unique(v.numpy())) for n, v in network.named_parameters() if "node" in n
              and n.endswith("conv.weight")}  # fmt: skip
    assert max(values) <= 8


def test_lines_say_when_it_does_not_pay(compressed):
    _, metrics = compressed
    better = {**metrics, "accuracy_before": 0.9, "accuracy_after": 0.8960}
    assert not any("does not pay" in line for line in result_lines(better))
    worse = {**better, "accuracy_after": 0.85}
    assert result_lines(worse)[-1].startswith("it does not pay: 5.00 points of accuracy")
    assert not any("binning" in line for line in result_lines(better))
    binned = {**better, "details": {"binning_change": {"a": 2.0}, "bounds": {"a": -400.0}}}
    assert result_lines(binned)[-1].endswith("lower by at most 5.0e-03 of their size, by binning")
    larger = {**better, "packed_bytes": metrics["original_bytes"]}
    assert result_lines(larger)[-1] == "it does not pay: the packed file is not smaller"


class Interrupted(Exception):
    pass


def test_interrupted_compression_goes_on(small_training, tmp_path):
    """Stopped after each kind of line in turn; the file is that of an unbroken run."""
    model, own = str(small_training.folder), config(Compression=BAYESIAN)
    compress(own, model, tmp_path / "whole")
    for stop in ("[Compress][Epoch 1/", "[FineTuning][Epoch 1/"):
        out = tmp_path / stop[1:5]

        def halt(line, stop=stop):
            if line.startswith(stop):
                raise Interrupted

        with pytest.raises(Interrupted):
            compress(own, model, out, progress=halt)
        lines = []
        compress(own, model, out, resume=True, progress=lines.append)
        assert any(line.startswith("resumed in stage") for line in lines)
        assert sha256(out / "packed.safetensors") == sha256(tmp_path / "whole/packed.safetensors")
    with pytest.raises(StoreError, match="--resume"):
        compress(own, model, out)


def test_finished_compression_is_that_of_other_options(compressed, small_training, tmp_path):
    out, metrics = compressed
    model = str(small_training.folder)
    assert compress(config(), model, out, resume=True) == json.loads(json.dumps(metrics))
    other = config(Compression={"name": "UniformBits", "bits": 2}, Layers={"keep_ends": False})
    with pytest.raises(StoreError, match=r"another run: Compression\.bits was 3, now it is 2"):
        compress(other, model, out, resume=True)
    old = Path(shutil.copytree(out, tmp_path / "old"))  # by a release that had all on record
    known = read_manifest(old)["identity"]
    plain = config().with_changes_of(load_trained(small_training.folder)[0].train).to_plain()
    assert set(known["Train"]) < set(plain["Train"])
    update_manifest(old, identity={**known, **{n: plain[n] for n in ("Train", "FineTuning")}})
    assert compress(config(), model, old, resume=True) == json.loads(json.dumps(metrics))
    folder = Path(shutil.copytree(small_training.folder, tmp_path / "copy"))
    spoil(folder, lambda w: 2 * w)
    with pytest.raises(StoreError, match="holds another run: Weights was "):
        compress(config(), str(folder), out, resume=True)


def test_pictures_that_were_not_read_are_on_record(small_training, tmp_path):
    """As of a training, and where the pictures were."""
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "pictures" / name / "more").mkdir(parents=True)
        for number in (*range(8), "more/8"):
            noise = rng.integers(256, size=(8, 8, 3), dtype=np.uint8)
            Image.fromarray(noise).save(tmp_path / "pictures" / name / f"{number}.png")
    data = {"name": "folder", "path": str(tmp_path / "pictures"), "image_size": 8, "held_out": 4}
    changes = [f"Data={json.dumps(data)}", "Train={epochs: 1, batch_size: 4}"]
    training = load_train(small_training.config_file, changes)
    retrain(training, small_training.architecture, tmp_path / "training")
    compress(config(), str(tmp_path / "training"), tmp_path / "out")
    (before,), (start,) = (read_manifest(tmp_path / name)["starts"] for name in ("training", "out"))
    wanted = {name: {"in sub-folders": 1} for name in ("cat", "dog")}
    assert start["left_out"] == before["left_out"] == wanted
    assert start["data_path"] == str(tmp_path / "pictures")


def test_layers_that_are_not_there_are_refused_before_anything_is_written(small_training, tmp_path):
    own = config(Layers={"keep": ["nonsense"]})
    with pytest.raises(AutoDLError, match=r"Layers\.keep names 'nonsense'"):
        compress(own, str(small_training.folder), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_released_networks_are_compressed_by_name(small_training, tmp_path, monkeypatch):
    from autodl.jobs.release.publish import publish
    from autodl.release import network

    folder = tmp_path / "models" / "tiny"
    publish(small_training.folder, folder, found_by="By hand.", repetitions=0)
    monkeypatch.setattr(network, "resource", lambda name: tmp_path / name)
    before = {path: sha256(path) for path in folder.iterdir()}
    metrics = compress(config(), "tiny", tmp_path / "out")
    assert {path: sha256(path) for path in folder.iterdir()} == before
    assert metrics["accuracy_before"] == pytest.approx(small_training.result.value)
    assert set(metrics["bits"].values()) == {3}
    with pytest.raises(StoreError, match=r"no released network 'tina'\. Did you mean 'tiny'"):
        compress(config(), "tina", tmp_path / "new")
    other = shutil.copytree(folder, tmp_path / "models" / "other")
    spoil_split(other)
    with pytest.raises(DataError, match="trained on other pictures"):
        compress(config(), "other", tmp_path / "new")


def spoil_split(folder):
    text = (folder / "train.yaml").read_text()
    assert "held_out: 100" in text
    (folder / "train.yaml").write_text(text.replace("held_out: 100", "held_out: 50"))
    made = read_metrics(ReleaseMetrics, folder / "metrics.json")
    digest = checksum(folder / "train.yaml")
    write_metrics(made.model_copy(update={"config_sha256": digest}), folder / "metrics.json")


def test_pictures_are_changed_as_in_the_training_unless_told(compressed, small_training):
    trained = load_trained(small_training.folder)[0].train
    trained = trained.model_copy(update={"border": "reflected"})
    assert (trained.pad_crop, trained.flip) != (2, "none")
    own = config(Train={**TRAIN, "pad_crop": 2}, FineTuning={**TRAIN, "flip": "none"})
    own = own.with_changes_of(trained)
    assert (own.train.pad_crop, own.train.flip) == (2, trained.flip)
    assert (own.fine_tuning.pad_crop, own.fine_tuning.flip) == (trained.pad_crop, "none")
    assert own.train.border == own.fine_tuning.border == "reflected"
    assert own.train.learning_rate == TRAIN["learning_rate"]
    written = (compressed[0] / "config.yaml").read_text()
    assert written.count("cutout: 2") == 2 == trained.cutout


def spoil(folder, change):
    from safetensors.numpy import load, save

    path = folder / "weights.safetensors"
    arrays = dict(load(path.read_bytes()))
    name = next(n for n in arrays if n.endswith("node0.conv.weight"))
    arrays[name] = change(arrays[name])
    path.write_bytes(save(arrays))
    update_manifest(folder, sha256={})  # as if it had been trained so


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda w: np.full_like(w, 0.5), "^.*node0.conv: .*a constant layer.*Layers.keep="),
        (lambda w: np.full_like(w, np.nan), "numbers in .*node0.conv.weight are not finite"),
    ],
)
def test_bad_layers_are_refused(small_training, tmp_path, change, said):
    folder = Path(shutil.copytree(small_training.folder, tmp_path / "copy"))
    spoil(folder, change)
    before = sha256(folder / "weights.safetensors")
    own = config(Compression=BAYESIAN)
    with pytest.raises(AutoDLError, match=said):
        compress(own, str(folder), tmp_path / "out")
    assert sha256(folder / "weights.safetensors") == before
    assert not (tmp_path / "out" / "packed.safetensors").exists()


def test_damaged_choice_and_other_folders_are_refused(compressed, small_training, tmp_path):
    out = Path(shutil.copytree(compressed[0], tmp_path / "copy"))
    (out / "metrics.json").unlink()
    (out / "choice.safetensors").write_bytes(b"short")
    with pytest.raises(CheckpointError, match=r"cannot go on from .*choice\.safetensors"):
        compress(config(), str(small_training.folder), out, resume=True)
    with pytest.raises(StoreError, match="no finished training"):
        compress(config(), str(tmp_path / "nowhere"), tmp_path / "new")
    with pytest.raises(AutoDLError):
        compress(config(), str(small_training.folder), small_training.folder)
    assert load_trained(small_training.folder)


def test_a_fine_tuning_that_does_not_fit_is_refused_before_bits_are_chosen(
    small_training, tmp_path
):
    recipe = {"name": "fast", "uniform_start": False, "dirac_start": False, "whiten": False}
    own = config(FineTuning={"recipe": recipe})  # its batches are of 1,024 pictures, of 200
    with pytest.raises(ConfigError, match="only 200 training pictures"):
        compress(own, str(small_training.folder), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("section", ["Train", "FineTuning"])
def test_what_would_draw_the_trained_network_anew_is_refused(small_training, tmp_path, section):
    own = config(**{section: {"recipe": "fast", "batch_size": 20}})
    said = (
        rf"^{section} has UniformStart, DiracStart, Whitening, and so would set first weights .*"
        rf"{section}\.recipe={{name: fast, uniform_start: false, dirac_start: false, whiten: f"
    )
    with pytest.raises(ConfigError, match=said):
        compress(own, str(small_training.folder), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_in_the_place_of_the_packed_file_is_refused(compressed, small_training, tmp_path):
    out = Path(shutil.copytree(compressed[0], tmp_path / "copy"))
    (out / "packed.safetensors").unlink()
    (out / "packed.safetensors").mkdir()
    with pytest.raises(StoreError, match=r"packed\.safetensors is there already"):
        compress(config(), str(small_training.folder), out, resume=True)


@pytest.mark.parametrize(
    "sections, said",
    [
        ({"Compression": {"name": "UniformBits", "bits": 0}}, "Compression.bits"),
        ({"Compression": {"name": "UniformBits", "bits": 17}}, "Compression.bits"),
        ({"Compression": {"name": "Magic"}}, "Magic"),
        ({"Compression": {"truncation": 1}}, "Compression.truncation"),
        ({"Compression": {"least_bits": 5}}, "least_bits must be at most 4"),
        ({"Compression": {"name": "BitSearch", "average_bits": 1.5}}, "least_bits must be at most"),
        ({"Layers": {"keeep": []}}, "Did you mean 'keep'"),
    ],
)
def test_mistakes_in_a_config(sections, said):
    with pytest.raises(ConfigError, match=said):
        config(**sections)


@pytest.mark.parametrize("name", ["bayesian", "uniform"])
def test_shipped_configs(name):
    loaded = load_compress(f"compress/{name}.yaml")
    plain = loaded.to_plain()
    assert resolve_compress(RawConfig(plain)).to_plain() == plain


def test_the_study_that_earlier_runs_have_in_their_config_is_left_alone():
    earlier = config(Study={"uniform": [2, 3], "search": {}, "multiples": [1.0]})
    assert earlier == config()
    assert "Study" not in earlier.to_plain()


def test_methods_can_be_registered(own_tables):
    from autodl.compression.bits.options import UniformBitsOptions

    register(
        "Compression",
        "Mine",
        UniformBitsOptions,
        "autodl.compression.bits.uniform_bits:UniformBits",
    )
    assert config(Compression={"name": "Mine", "bits": 2}).compression.name == "Mine"
