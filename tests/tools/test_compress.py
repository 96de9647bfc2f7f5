"""The tool that compresses."""

import json

SMALL = ["-c", "compress/uniform.yaml", "-o", "FineTuning.epochs=1", "FineTuning.batch_size=40"]


def test_lines_and_json(call, small_training, tmp_path):
    arguments = [*SMALL, "--model", small_training.folder.parent, "--out", tmp_path / "out"]
    done = call("compress", *arguments)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert any(line.startswith("average bits, weighted by size: 4.000") for line in lines)
    assert any(line.startswith("files: ") for line in lines)
    assert any(line.startswith("seconds: ") for line in lines)
    again = call("compress", *arguments, "--resume", "--json")
    assert json.loads(again.out)["average_bits"] == 4


def test_a_training_that_diverges(call, small_training, tmp_path):
    diverging = [*SMALL, "FineTuning.learning_rate=1e30"]
    folders = ["--model", small_training.folder, "--out", tmp_path / "out"]
    done = call("compress", *diverging, *folders)
    assert done.code == 1
    assert done.err.startswith("failed: ")
    assert "a lower FineTuning.learning_rate" in done.err


def test_mistakes(refused, small_training, tmp_path):
    line = "type: autodl study -c study/bits.yaml -o Study.source=NAME --out FOLDER"
    refused(line, "compress", *SMALL, "--study", "--model", "NAME")
    refused("give --model NAME_OR_RUN and --out FOLDER", "compress", *SMALL)
    refused(
        "give a folder that autodl train made, or the name of a released network",
        *("compress", *SMALL, "--model", tmp_path / "no", "--out", tmp_path / "out"),
    )
    refused(
        "not empty",
        *("compress", *SMALL, "--model", small_training.folder, "--out", tmp_path.parent),
    )


def test_other_tools_take_its_folder(call, small_training, tmp_path):
    from PIL import Image

    out, pictures = tmp_path / "out", tmp_path / "black.png"
    call("compress", *SMALL, "--model", small_training.folder, "--out", out)
    Image.new("RGB", (8, 8)).save(pictures)
    assert json.loads(call("infer", pictures, "--model", out, "--json").out)["top"]
    assert not json.loads(call("eval", out, "--json").out)["on_record"]
    exported = call("export_model", out, "--out", tmp_path / "e", "--repetitions", 0, "--json")
    assert json.loads(exported.out)["packed"] is True
