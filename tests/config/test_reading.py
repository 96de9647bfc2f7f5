"""Reading YAML configs: inheritance, overrides, and what is said about mistakes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from autodl.config.reading import RawConfig, load_config, override
from autodl.config.sections import GlobalOptions, Section, validate
from autodl.errors import ConfigError


def write(folder, **files):
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder / f"{next(iter(files))}.yaml"


def values(folder, text, overrides=()):
    return load_config(write(folder, own=text), overrides).values


def refused(work):
    """The one line of the ConfigError that ``work`` raises."""
    with pytest.raises(ConfigError) as caught:
        work()
    message = str(caught.value)
    assert "\n" not in message
    return message


# --- files --------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n"])
def test_an_empty_file_has_no_values(tmp_path, text):
    assert values(tmp_path, text) == {}


def test_later_bases_and_the_file_itself_win(tmp_path):
    path = write(
        tmp_path,
        own="_BASE_: [one.yaml, two.yaml]\nA: {own: 3, list: [9]}\n",
        one="A: {own: 1, one: 1, both: 1, list: [1, 2, 3]}\nB: {x: 1}\n",
        two="_BASE_: three.yaml\nA: {own: 2, both: 2}\n",
        three="A: {both: 0, three: 0}\n",
    )
    raw = load_config(path)
    assert raw.values == {
        "A": {"own": 3, "one": 1, "both": 2, "three": 0, "list": [9]},
        "B": {"x": 1},
    }
    assert raw.origin(("A", "own")) == f"{path}:2"
    assert raw.origin(("A", "both")) == f"{tmp_path / 'two.yaml'}:2"
    assert raw.origin(("A", "three", "below")) == f"{tmp_path / 'three.yaml'}:1"
    assert raw.origin(("C",)) == ""


def test_a_base_may_be_inherited_twice(tmp_path):
    path = write(tmp_path, own="_BASE_: [l.yaml, r.yaml]", l="_BASE_: b.yaml", r="_BASE_: b.yaml")
    write(tmp_path, b="A: {x: 1}")
    assert load_config(path).values == {"A": {"x": 1}}


def test_bases_are_found_from_the_file_not_from_the_working_folder(tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    write(tmp_path, base="A: {x: 1}")
    path = write(tmp_path / "sub", own="_BASE_: ../base.yaml")
    monkeypatch.chdir("/")
    assert load_config(path).values == {"A": {"x": 1}}


def test_a_component_of_another_name_drops_the_options_of_the_old_one(tmp_path):
    path = write(
        tmp_path,
        own="_BASE_: base.yaml\nStrategy: {name: New, b: 2}\nSpace: {name: Same, b: 2}\n"
        "Network: {name: X}\nData: {name: New}\n",
        base="Strategy: {name: Old, a: 1}\nSpace: {name: Same, a: 1}\nNetwork: {a: 1}\n"
        "Data: {name: Old, a: 1}\n",
    )
    assert load_config(path).values == {
        "Strategy": {"name": "New", "b": 2},
        "Space": {"name": "Same", "a": 1, "b": 2},
        "Network": {"name": "X", "a": 1},
        "Data": {"name": "New", "a": 1},  # not a component: its options stay
    }
    overridden = load_config(path, ["Strategy.name=Third", "Space.name=Same"]).values
    assert overridden["Strategy"] == {"name": "Third"}
    assert overridden["Space"] == {"name": "Same", "a": 1, "b": 2}


def test_a_base_may_be_a_shipped_config_by_name(tmp_path):
    path = write(tmp_path, own="_BASE_: search/demo.yaml\nSearch: {max_trials: 3}\n")
    values = load_config(path).values
    assert values["Search"]["max_trials"] == 3
    assert values["Data"]["name"] == "cifar10-mini"


@pytest.mark.parametrize(
    "text, value",
    [
        ("1e-3", 0.001),
        ("1E5", 100000.0),
        ("+2.5e+3", 2500.0),
        ("-1_0e0", "-1_0e0"),
        ("1_000", "1_000"),
        ("0200", 200),
        ("0o20", 16),
        ("0xFF", 255),
        ("1:30", "1:30"),
        ("1:30:15.5", "1:30:15.5"),
        ("yes", "yes"),
        ("No", "No"),
        ("on", "on"),
        ("2024-13-45", "2024-13-45"),
        ("2024-01-31", "2024-01-31"),
        ("12e4", 120000.0),
        ("-.inf", float("-inf")),
        ("TRUE", True),
        ("~", None),
        ("!!str 5", "5"),
        ("1.5", 1.5),
        (".5", 0.5),
        ("007x", "007x"),
        ("e3", "e3"),
        ("1e", "1e"),
        ("'1e-3'", "1e-3"),
        ("1", 1),
        ("true", True),
        ("null", None),
        ("[1e-3, x]", [0.001, "x"]),
    ],
)
def test_numbers_are_read_as_yaml_1_2_does(tmp_path, text, value):
    for found in (
        values(tmp_path, f"A: {{x: {text}}}")["A"]["x"],
        values(tmp_path, "", [f"A.x={text}"])["A"]["x"],
    ):
        assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    "text, wanted",
    [
        ("A: {x: 1}\nA: {y: 2}\n", "own.yaml:2: the key 'A' is there twice; remove one"),
        ("A:\n  x: 1\n  y: 2\n  x: 3\n", "own.yaml:4: the key 'x' is there twice; remove one"),
        ("- 1\n", "own.yaml: a config is a mapping of sections, got a list"),
        ("just words", "own.yaml: a config is a mapping of sections, got 'just words'"),
        ("A: [1, 2", "own.yaml:1: not valid YAML: while parsing a flow sequence"),
        ("A: {x: 1}\n---\nB: {}\n", "own.yaml:2: not valid YAML: expected a single document"),
        ("A: !!python/object/apply:os.system ['true']", "own.yaml:1: A: could not determine"),
        ("A:\n  x: !!timestamp never", "own.yaml:2: x: could not determine what"),
        ("A:\n  x: !!bool maybe", "own.yaml:2: x: 'maybe' is no bool"),
        ("A:\n  x: !!int 1.5", "own.yaml:2: x: '1.5' is no int"),
        ("A:\n  x: 0x" + "9" * 5000, "own.yaml:2: x: a number of 5,002 digits; 1,000 are the most"),
        ('A:\n  x: "\\ud800"', "own.yaml:2: x: '\\ud800' is no text: half of a surrogate pair"),
        ("A: {x: 1}\nB: \x07", "own.yaml:2: not valid YAML: '\\x07' is no character that a text"),
        ("A: &a {x: *a}", "own.yaml:1: x: nested too deeply (50 levels are the most), or an alias"),
        ("A: &a [*a]", "own.yaml:1: A: nested too deeply (50 levels are the most), or an alias"),
        ("A: [{x: 1, x: 2}]", "own.yaml:1: the key 'x' is there twice"),
        ("_BASE_: " + "x" * 5000, "own.yaml:1: _BASE_: cannot read 'xxx"),
        ('_BASE_: "a\\0b"', "config 'a\\x00b' is not there"),
        ("A: " + "[" * 3000, "own.yaml: nested too deeply; 50 levels are the most"),
        ("? [a, b]\n: 1\n", "own.yaml:1: a key is a word, got a sequence"),
        ("_BASE_: own.yaml", "own.yaml: _BASE_ goes in a circle: own.yaml -> own.yaml"),
        ("_BASE_: gone.yaml", "config 'gone.yaml' is not there"),
        ("_BASE_: .", "cannot read the config"),
        ("_BASE_: 5", "own.yaml:1: _BASE_ lists paths of other files, got 5"),
        ("_BASE_: [[x.yaml]]", "own.yaml:1: _BASE_ lists paths of other files, got ['x.yaml']"),
        ("_BASE_: {a: b}", "own.yaml:1: _BASE_ lists paths of other files, got {'a': 'b'}"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_line(tmp_path, text, wanted):
    assert wanted in refused(lambda: values(tmp_path, text))


def test_no_bases_at_all(tmp_path):
    assert values(tmp_path, "_BASE_:\nA: {x: 1}") == {"A": {"x": 1}}


def test_a_longer_circle_is_shown(tmp_path):
    path = write(tmp_path, a="_BASE_: b.yaml", b="_BASE_: c.yaml", c="_BASE_: b.yaml")
    assert "in a circle: a.yaml -> b.yaml -> c.yaml -> b.yaml;" in refused(
        lambda: load_config(path)
    )


def test_a_file_that_is_no_text(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_bytes(b"A:\n  x: \xff\xfe")
    assert f"{path}:2: this is no UTF-8 text; save" in refused(lambda: load_config(path))


def test_a_file_that_is_not_there_names_the_shipped_one_that_is_near():
    message = refused(lambda: load_config(Path("search/dmo.yaml")))
    assert "Did you mean 'search/demo.yaml'?" in message


def test_a_shipped_config_is_found_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_config(Path("search/demo.yaml")).values["Search"]["max_trials"] == 24


# --- overrides ----------------------------------------------------------------------------------


# texts that the shell hands on and that no rule of YAML may change ...
AS_IT_IS = (
    *("/data/pets #2", "a: b: c", "a:", " pets ", "2024-01-31", "1:30", "C#", "x\ty", "-", "- 1"),
    *("? x", "données", "\U0001f600", "a\nb", "#1", "x, y]", "it's", "..", "---", "12e", "a=b"),
)
# ... and those that mean something else unless they are quoted
CHANGING = ("12e4", "null", "~", "0x1", "true", "[x]", "{x}", "'x'", '"', "*a", "&a", "!x", "| x")


@pytest.mark.parametrize(
    "override, section",
    [
        ("A.x=2", {"x": 2, "list": [1, {"k": 2}], "deep": {"y": None}}),
        ("A.new=text", {"x": 1, "list": [1, {"k": 2}], "deep": {"y": None}, "new": "text"}),
        ("A.x=", {"x": None, "list": [1, {"k": 2}], "deep": {"y": None}}),
        ("A.x=a=b", {"x": "a=b", "list": [1, {"k": 2}], "deep": {"y": None}}),
        ("A.list.0=7", {"x": 1, "list": [7, {"k": 2}], "deep": {"y": None}}),
        ("A.list.1.k=7", {"x": 1, "list": [1, {"k": 7}], "deep": {"y": None}}),
        ("A.list=[]", {"x": 1, "list": [], "deep": {"y": None}}),
        ("A.deep.y.z=1", {"x": 1, "list": [1, {"k": 2}], "deep": {"y": {"z": 1}}}),
        ("A={x: 5}", {"x": 5}),
        *((f"A={text}", text) for text in AS_IT_IS),
        *((override("A", text), text) for text in (*AS_IT_IS, *CHANGING, "")),
    ],
)
def test_an_override_changes_one_key(tmp_path, override, section):
    text = "A: {x: 1, list: [1, {k: 2}], deep: {y: null}}"
    assert values(tmp_path, text, [override]) == {"A": section}


def test_overrides_make_sections_and_the_last_one_wins(tmp_path):
    assert values(tmp_path, "A:\n", ["A.x=1", "B.y=1", "B.y=2"]) == {"A": {"x": 1}, "B": {"y": 2}}


@pytest.mark.parametrize(
    "override, wanted",
    [
        ("A.x", "-o 'A.x': give Section.key=value, for example -o Global.seed=1"),
        ("=1", "give Section.key=value"),
        ("A..x=1", "give Section.key=value"),
        ("A.x=[1", "-o 'A.x=[1': the value is not valid YAML; quote it"),
        ("A.x=[old] pets", "it, also for YAML: -o 'A.x=\"[old] pets\"'"),
        ("A.x=caf\udce9", "-o 'A.x=caf\\udce9': this is no UTF-8 text; rename"),
        ("A.x=" + "9" * 5000, "the value is not valid YAML"),
        ("A.x=!!python/name:os.system", "could not determine what"),
        ("A.x.y=1", "-o 'A.x.y=1': A.x is 1, it has no keys"),
        ("A.list.2=1", "-o 'A.list.2=1': '2' is no index of a list of 2 items"),
        ("A.list.-1=1", "'-1' is no index of a list of 2 items"),
        ("A.list.first=1", "'first' is no index of a list of 2 items"),
        ("A.list.0.k=1", "A.list.0 is 1, it has no keys"),
    ],
)
def test_an_override_that_cannot_be_used_is_named(tmp_path, override, wanted):
    text = "A: {x: 1, list: [1, {k: 2}]}"
    assert wanted in refused(lambda: values(tmp_path, text, [override]))


# --- sections -----------------------------------------------------------------------------------


class Options(Section):
    count: int = Field(3, ge=1, le=9)
    rate: float = 0.1
    flag: bool = False
    names: tuple[str, ...] = ("a",)
    kind: Literal["near", "far"] = "near"
    path: Path | None = None
    limit: int | None = Field(None, ge=1)
    many: Annotated[int, Field(ge=2)] | tuple[str, ...] | None = None


class Needy(Section):
    needed: int


def check(text, folder, overrides=(), model=Options):
    raw = load_config(write(folder, own=text), overrides)
    return validate(model, raw.values.get("Part", {}), raw, ("Part",))


def test_a_section_has_defaults_and_reads_lists_as_tuples_and_texts_as_paths(tmp_path):
    assert check("", tmp_path) == Options()
    found = check("Part: {names: [x, y], path: some/file, rate: 2, limit: 1}", tmp_path)
    assert found == Options(names=("x", "y"), path=Path("some/file"), rate=2.0, limit=1)
    with pytest.raises(ValueError, match="frozen"):
        found.count = 4


@pytest.mark.parametrize(
    "entry, wanted",
    [
        (
            "cuont: 1",
            "own.yaml:1: unknown key Part.cuont. Did you mean 'count'? Known: count, rate",
        ),
        ("zzz: 1", "own.yaml:1: unknown key Part.zzz. Known: count, rate"),
        ("count: 12", "own.yaml:1: Part.count: input should be less than or equal to 9, got 12"),
        ("count: 0", "Part.count: input should be greater than or equal to 1, got 0"),
        ('count: "5"', "Part.count: input should be a valid integer, got '5'"),
        ("count: true", "Part.count: input should be a valid integer, got True"),
        ("count: 1.5", "Part.count: input should be a valid integer, got 1.5"),
        ("count: null", "Part.count: input should be a valid integer, got None"),
        ("count: [1]", "Part.count: input should be a valid integer, got [1]"),
        ("count: " + "9" * 5000, "count: a number of 5,000 digits"),
        ("rate: fast", "Part.rate: input should be a valid number, got 'fast'"),
        ("rate: true", "Part.rate: input should be a valid number, got True"),
        ("rate: .nan", "Part.rate: input should be a finite number, got nan"),
        ("rate: .inf", "Part.rate: input should be a finite number, got inf"),
        ("flag: 1", "Part.flag: input should be a valid boolean, got 1"),
        ('flag: "yes"', "Part.flag: input should be a valid boolean, got 'yes'"),
        ("names: x", "Part.names: input should be a valid array, got 'x'"),
        ("names: [x, 3]", "Part.names.1: input should be a valid string, got 3"),
        ("kind: nera", "Part.kind: input should be 'near' or 'far', got 'nera'"),
        ("limit: 0", "Part.limit: input should be greater than or equal to 1, got 0"),
        ("path: 3", "Part.path: input should be a valid string, got 3; quote it"),
        ("names: [12e4, x]", "Part.names.0: input should be a valid string, got 120000.0; quote"),
        ("many: x", "Part.many: input should be a valid integer or a valid array, got 'x'"),
        ("many: 1", "Part.many: input should be greater than or equal to 2, got 1"),
        ("many: [a, 0]", "own.yaml:1: Part.many.1: input should be a valid string, got 0; quote"),
        ("many: [[a]]", "Part.many.0: input should be a valid string, got ['a']"),
    ],
)
def test_a_wrong_value_is_named_with_line_and_what_is_allowed(tmp_path, entry, wanted):
    assert wanted in refused(lambda: check(f"Part: {{{entry}}}", tmp_path))


@pytest.mark.parametrize("value", ["5", "[1, 2]", "text", "true"])
def test_a_section_that_is_none(tmp_path, value):
    message = refused(lambda: check(f"\nPart: {value}", tmp_path))
    assert "own.yaml:2: Part is a section of keys, got " in message


def test_a_wrong_override_is_named_as_it_was_written(tmp_path):
    message = refused(lambda: check("Part: {count: 2}", tmp_path, ["Part.count=many"]))
    assert message.startswith("-o Part.count=many: Part.count: input should be a valid integer")


def test_a_missing_key_is_named(tmp_path):
    message = refused(lambda: check("Part: {}", tmp_path, model=Needy))
    assert "own.yaml:1: Part.needed is missing; it has no default" in message


@pytest.mark.parametrize("device", ["auto", "cpu", "gpu", "gpu:0", "gpu:12"])
def test_devices(device):
    raw = RawConfig({})
    assert validate(GlobalOptions, {"device": device}, raw, ("Global",)).device == device


@pytest.mark.parametrize("device", ["gup", "gpu:", "gpu:x", "CPU", "gpu:-1", "cpu:0\n", ""])
def test_a_device_of_no_known_kind_is_refused_before_paddle_is_asked(device):
    message = refused(
        lambda: validate(GlobalOptions, {"device": device}, RawConfig({}), ("Global",))
    )
    assert f"got {device!r}" in message
    assert "cpu" in message.replace(repr(device), "")


@pytest.mark.parametrize("seed", [-1, 2**31])
def test_seeds_that_paddle_would_not_take_are_refused(seed):
    refused(lambda: validate(GlobalOptions, {"seed": seed}, RawConfig({}), ("Global",)))


def test_an_override_of_a_name_says_which_options_it_drops(tmp_path, caplog):
    path = tmp_path / "own.yaml"
    path.write_text("Space: {name: CellSpace, nodes: 3, tied: true}\n")
    given = ["Space.width=4", "Space.name=Other", "Space.depth=2"]
    assert load_config(path, given).values["Space"] == {"name": "Other", "width": 4, "depth": 2}
    (line,) = caplog.messages
    assert line == (
        "-o Space.name=Other drops Space.nodes, Space.tied, which were options of CellSpace; give"
        " each again if Other has it"
    )


def test_an_override_with_the_same_name_drops_nothing(tmp_path, caplog):
    path = tmp_path / "own.yaml"
    path.write_text("Space: {name: CellSpace, nodes: 3}\n")
    assert load_config(path, ["Space.name=CellSpace"]).values["Space"]["nodes"] == 3
    assert not caplog.messages
