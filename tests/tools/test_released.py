"""The tools around released networks: infer, eval, release, and paddle.hub."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import paddle
import pytest
from PIL import Image

from autodl.data.sample import load_sample
from autodl.jobs.release.publish import publish
from autodl.jobs.release.publish_ensemble import publish_ensemble
from autodl.jobs.train.final_test import measure_once
from autodl.release.network import load

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def root(small_training, tmp_path_factory):
    """A folder in which ``models`` has a released network and an ensemble of it."""
    folder = tmp_path_factory.mktemp("released")
    training = shutil.copytree(small_training.folder, folder / "training")
    measure_once(training)
    publish(training, folder / "models" / "tiny_net", found_by="By hand.", repetitions=0)
    publish_ensemble(["tiny_net"], folder / "models")
    return folder


@pytest.fixture(autouse=True)
def _shipped(root, monkeypatch):
    from autodl.release import ensemble, evaluation, network, overview

    for module in (ensemble, evaluation, network, overview):
        monkeypatch.setattr(module, "resource", lambda *parts: root.joinpath(*parts))


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, image in enumerate(load_sample().test.images[:3]):
        Image.fromarray(image).save(folder / f"{number}.png")
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_a_table_and_json(call, pictures):
    done = call("infer", pictures, "--model", "tiny_net", "--top", 2)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert [line.split()[0] for line in lines] == [str(pictures / f"{i}.png") for i in range(3)]
    assert lines[0].count("%") == 2
    done = call("infer", pictures / "1.png", "--ensemble", "--json")
    about = json.loads(done.out)
    assert about["picture"] == str(pictures / "1.png")
    assert len(about["top"]) == 3
    assert about["agreement"] == 1.0


def test_a_folder_with_what_is_no_picture(call, pictures, caplog):
    """Hidden files of another system, a folder with a picture's name, a link to nowhere."""
    plain = call("infer", pictures, "--model", "tiny_net", "--json")
    (pictures / "._0.png").write_bytes(b"\0\5\x16\7 of the Finder")
    (pictures / "old.png").mkdir()
    (pictures / "gone.png").symlink_to(pictures / "nowhere.png")
    done = call("infer", pictures, "--model", "tiny_net", "--json")
    assert (done.code, done.out) == (0, plain.out)
    assert f"{pictures}: left out 1 links to nowhere" in caplog.text
    (pictures / "2.png").write_bytes(b"damaged")
    done = call("infer", pictures, "--model", "tiny_net", "--json")
    assert (done.code, done.out) == (2, "")
    assert "2.png" in done.err


def test_mistakes(refused, call, pictures, tmp_path):
    refused(
        "no released network 'tiny_ne'. Did you mean 'tiny_net'?",
        "infer",
        pictures,
        "--model",
        "tiny_ne",
    )
    refused("there is no ", "infer", tmp_path / "nowhere.png", "--model", "tiny_net")
    (tmp_path / "empty").mkdir()
    refused("holds no picture", "infer", tmp_path / "empty", "--model", "tiny_net")
    (pictures / "9.png").write_text("not a picture")
    refused("cannot read the picture", "infer", pictures, "--model", "tiny_net")
    assert call("infer", pictures).code == 2
    for top in (0, 11):
        refused(f"--top {top}: there are 10 classes", "infer", pictures, "--ensemble", "--top", top)
    for tool in (("infer", pictures), ("eval",), ("export_model", "--out", tmp_path / "out")):
        refused("nowhere is no folder", *tool, "--model", "x", "--models", tmp_path / "nowhere")
    refused("nowhere is no folder", "release", "--table", "--models", tmp_path / "nowhere")


def test_a_folder_of_ones_own_networks(call, root, pictures, tmp_path, monkeypatch):
    """Wherever one stands, the networks are those of ``--models``, or those that ship."""
    monkeypatch.chdir(tmp_path)
    own = shutil.copytree(root / "models" / "tiny_net", tmp_path / "mine" / "own_net").parent
    done = call("infer", pictures, "--model", "own_net", "--models", own)
    assert done.code == 0
    done = call("eval", "--model", "own_net", "--models", own)
    assert "own_net: test accuracy" in done.out
    done = call("release", "--table", "--models", own)
    assert ("`own_net`" in done.out, "`tiny_net`" in done.out) == (True, False)
    shutil.copyfile(root / "models" / "ensemble.json", own / "ensemble.json")
    done = call("infer", pictures, "--ensemble", "--models", own)
    assert "no released network 'tiny_net'" in done.err
    done = call("release", "--table")
    assert "`tiny_net`" in done.out


def test_eval_says_what_is_on_record_or_measures_on_the_data_given(call, refused, root):
    record = json.loads((root / "training" / "test.json").read_text())
    done = call("eval", "--model", "tiny_net")
    assert done.code == 0
    assert f"tiny_net: test accuracy {record['accuracy']:.4f}" in done.out
    again = call("eval", "--model", "tiny_net", "--json", "-o", "Data.image_size=8")
    assert json.loads(again.out)["accuracy"] == record["accuracy"]
    whole = call("eval", "--ensemble", "--json", "-o", "Data.image_size=8")
    assert json.loads(whole.out)["accuracy"] == record["accuracy"]
    refused("has the classes", "eval", "--model", "tiny_net", "-o", "Data.classes=3")
    refused("Data.* and Global.device", "eval", "--model", "tiny_net", "-o", "Network.width=8")
    refused("gpu:93", "eval", "--model", "tiny_net", "-o", "Global.device=gpu:93")
    refused("gpu:93", "eval", "--ensemble", "-o", "Global.device=gpu:93")
    assert call("eval").code == 2
    assert call("eval", "x", "--model", "tiny_net").code == 2


def test_release_makes_a_network_and_an_ensemble(call, refused, root, tmp_path):
    models = tmp_path / "models"
    made = call(
        *("release", root / "training", "--name", "mine", "--found-by", "By hand."),
        *("--models", models, "--repetitions", 0),
    )
    assert made.code == 0
    assert "held-out 0." in made.out
    voted = call("release", "--ensemble", "mine", "--models", models)
    assert voted.code == 0
    assert "ensemble.json: mine x1" in voted.out
    told = call("release", "--name", "mine", "--found-by", "By luck: no.", "--models", models)
    assert (told.code, told.out) == (0, f"wrote {models / 'mine' / 'card.md'}\n")
    assert "| By luck |" in call("release", "--table", "--models", models).out
    assert call("release", "--name", "mine", "--models", models).code == 2
    refused(
        "is there already",
        *("release", root / "training", "--name", "mine", "--found-by", "x", "--models", models),
    )
    for name in ("a/b", "../b", ".b", "2b", "b-c", "B"):
        done = call("release", root / "training", "--name", name, "--found-by", "x")
        assert (done.code, "small letters, digits and _" in done.err) == (2, True)
    assert call("release").code == 2
    assert call("release", root / "training").code == 2


@pytest.mark.parametrize(
    "words, said",
    [
        (("--views", 2, "--table"), "--views is of the FOLDER"),
        (("--views", 2, "--ensemble", "tiny_net"), "--views is of the FOLDER"),
        (("--views", 2, "--name", "tiny_net", "--found-by", "x"), "--views is of the FOLDER"),
        (("--by-hand", "--table"), "--by-hand is of one network"),
        (("--by-hand", "--ensemble", "tiny_net"), "--by-hand is of one network"),
    ],
)
def test_what_is_of_a_network_is_refused_without_one(call, words, said):
    done = call("release", *words)
    assert (done.code, said in done.err, done.out) == (2, True, "")


def test_a_released_network_is_exported(call, root, tmp_path):
    done = call(
        "export_model", "--model", "tiny_net", "--out", tmp_path / "out", "--repetitions", 0
    )
    assert (done.code, done.err) == (0, "")
    kept = {path.name for path in (tmp_path / "out").iterdir()}  # all compared, or not there
    assert {"inference.json", "inference.pdiparams", "deployment.json"} <= kept
    assert "differ" in done.out
    about = json.loads((tmp_path / "out" / "deployment.json").read_text())
    network = load("tiny_net")
    assert about["output"]["temperature"] == network.single_temperature != 1.0
    assert about["held_out_accuracy"] == network.metrics.single.held_out.accuracy
    assert about["held_out_accuracy_mirrored"] is None
    both = call("export_model", root / "training", "--model", "tiny_net", "--out", tmp_path / "b")
    assert (both.code, "either the FOLDER" in both.err) == (2, True)


def test_the_hub_lists_and_loads(root, monkeypatch):
    """As somebody with a checkout would: ``source="local"``."""
    shutil.copyfile(ROOT / "hubconf.py", root / "hubconf.py")
    assert "tiny_net" in paddle.hub.list(str(root), source="local")
    assert "released network tiny_net" in paddle.hub.help(str(root), "tiny_net", source="local")
    network = paddle.hub.load(str(root), "tiny_net", source="local")
    assert network.trained
    other = paddle.hub.load(str(root), "tiny_net", source="local", pretrained=False, classes=3)
    assert len(other.classes) == 3


def test_the_hub_in_a_process_that_knows_nothing_of_the_project(tmp_path):
    """What ships, from another folder, with no path but the one that is given."""
    code = (
        "import sys, paddle\n"
        "sys.meta_path = [it for it in sys.meta_path if 'editable' not in repr(it).lower()]\n"
        "names = paddle.hub.list(sys.argv[1], source='local')\n"
        "print(paddle.hub.load(sys.argv[1], names[0], source='local').trained)"
    )
    command = [sys.executable, "-I", "-c", code, str(ROOT)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1:] == ["True"], done.stderr
