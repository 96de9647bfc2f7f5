"""A run keeps the source of its plugins, and says how to go on with a changed one."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import yaml

from autodl.config.plugins import import_plugins, plugin_identity, provided
from autodl.errors import PluginError, StoreError
from autodl.jobs.search.parts import load_search
from autodl.jobs.search.run import run_search
from autodl.reports.run import read_run
from autodl.runs.folder import (
    MANIFEST,
    check_identity,
    read_manifest,
    run_plugins,
    update_manifest,
)
from autodl.runs.lock import locked
from autodl.runs.plugin_sources import FOLDER, find_sources, keep_sources
from autodl.system.files import write_json

pytestmark = pytest.mark.usefixtures("own_tables")
STRATEGY = """
from autodl.assemble import register
from autodl.config.sections import NoOptions
from autodl.strategies.random_search import RandomSearch

register("Strategy", "Mine", NoOptions, RandomSearch)
"""
CONFIG = {
    "Search": {"max_trials": 3, "executor": "inline"},
    "Strategy": {"name": "Mine"},
    "Space": {"nodes": 3},
    "Evaluator": {"name": "TokenCount"},
}


ACCEPT = {"resume": True, "accept_changed_plugins": True}


@pytest.fixture
def made(tmp_path):
    """A run of three trials with a plugin that adds a strategy."""
    plugin, config = tmp_path / "mine.py", tmp_path / "config.yaml"
    plugin.write_text(STRATEGY)
    config.write_text(yaml.safe_dump({**CONFIG, "Global": {"plugins": [str(plugin)]}}))
    run_search(load_search(config), tmp_path / "run")
    return SimpleNamespace(plugin=plugin, config=config, run=tmp_path / "run")


def forget():
    """As if another process came."""
    import sys

    from autodl.config import plugins
    from autodl.strategies.catalogue import STRATEGIES

    STRATEGIES.pop("Mine", None)
    plugins._files.clear()
    for name in [name for name in sys.modules if name.startswith("autodl_plugin_")]:
        del sys.modules[name]


def test_the_folder_has_the_source_by_checksum_and_the_manifest_what_it_adds(made):
    (identity,) = plugin_identity([str(made.plugin)])
    kept = made.run / FOLDER / f"{identity.removeprefix('sha256:')}.py"
    assert kept.read_text() == STRATEGY
    assert read_manifest(made.run)["plugins"] == {identity: ["Strategy Mine"]}
    assert provided([identity]) == {identity: ["Strategy Mine"]}


def test_a_run_whose_plugin_was_deleted_is_read_and_resumed_from_another_place(
    made, tmp_path, own_tables
):
    made.plugin.rename(tmp_path / "moved.py")
    forget()
    assert len(read_run(made.run)["trials"]) == 3
    forget()
    config = load_search(made.config, [f"Global.plugins=[{tmp_path / 'moved.py'}]"])
    assert run_search(config, made.run, resume=True).finished == 3


def test_an_older_run_takes_the_moved_file_if_it_is_given(made, tmp_path):
    for kept in (made.run / FOLDER).iterdir():
        kept.unlink()
    made.plugin.rename(tmp_path / "moved.py")
    forget()
    with pytest.raises(PluginError, match=r"needs the plugin .*mine\.py.* --plugin FILE") as caught:
        read_run(made.run)
    assert "\n" not in str(caught.value)
    import_plugins([str(tmp_path / "moved.py")])
    assert run_plugins(made.run) == [str(tmp_path / "moved.py")]
    assert len(read_run(made.run)["trials"]) == 3


def test_a_changed_plugin_is_refused_with_the_way_on_and_accepted_on_request(made):
    (before,) = plugin_identity([str(made.plugin)])
    made.plugin.write_text(f"# a comment\n{STRATEGY}")
    (now,) = plugin_identity([str(made.plugin)])
    forget()
    config = load_search(made.config, ["Search.max_trials=4"])
    with pytest.raises(StoreError, match=r"Global\.plugins was .*--accept-changed-plugins"):
        run_search(config, made.run, resume=True)
    assert run_search(config, made.run, **ACCEPT).finished == 4
    manifest = read_manifest(made.run)
    (change,) = manifest["plugin_changes"]
    assert (change["before"], change["now"]) == ([before], [now])
    assert manifest["identity"]["Global"]["plugins"] == [now]
    assert len(list((made.run / FOLDER).iterdir())) == 2
    run_search(config, made.run, **ACCEPT)  # nothing is new
    assert read_manifest(made.run)["plugin_changes"] == [change]


def test_nothing_is_accepted_of_a_run_that_is_refused(made):
    """Whether it is another run, or another process is writing to it."""
    made.plugin.write_text(f"# a comment\n{STRATEGY}")
    forget()
    before = (made.run / MANIFEST).read_bytes()
    other = load_search(made.config, ["Space.nodes=4"])
    with pytest.raises(StoreError, match=r"Space\.nodes was 3"):
        run_search(other, made.run, **ACCEPT)
    same = load_search(made.config)
    with locked(made.run), pytest.raises(StoreError, match="another process"):
        run_search(same, made.run, **ACCEPT)
    assert (made.run / MANIFEST).read_bytes() == before


@pytest.mark.parametrize("damage", [{"identity": 3}, {"identity": {}}, {"plugin_changes": 3}])
def test_accepting_for_a_damaged_manifest_is_one_error(made, damage):
    update_manifest(made.run, **damage)
    with pytest.raises(StoreError, match=r"run\.json is damaged"):
        run_search(load_search(made.config), made.run, **ACCEPT)


def test_an_original_is_taken_where_it_is_as_it_was_and_a_copy_where_it_was_changed(tmp_path):
    path = tmp_path / "one.py"
    path.write_text("X = 1\n")
    identity = plugin_identity([str(path)])
    (tmp_path / "run").mkdir()
    keep_sources(tmp_path / "run", [str(path), "a.module"])
    assert find_sources(tmp_path / "run", [str(path), "a.module"], [*identity, "a.module"]) == [
        str(path),
        "a.module",
    ]
    path.write_text("X = 2\n")
    (found,) = find_sources(tmp_path / "run", [str(path)], identity)
    assert found.startswith(str(tmp_path / "run" / FOLDER))
    assert plugin_identity([found]) == identity


def test_a_kept_source_that_was_tampered_with_is_not_imported(tmp_path):
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / f"{'0' * 64}.py").write_text("raise SystemExit\n")
    with pytest.raises(PluginError, match="was moved or deleted"):
        find_sources(tmp_path, ["gone.py"], [f"sha256:{'0' * 64}"])


def test_results_pass_between_runs_with_and_without_a_strategys_plugin(made, tmp_path):
    plain = {**CONFIG, "Strategy": {"name": "RandomSearch"}}
    cache = {**plain["Search"], "cache": [str(made.run)]}
    (tmp_path / "other.yaml").write_text(yaml.safe_dump({**plain, "Search": cache}))
    run_search(load_search(tmp_path / "other.yaml"), tmp_path / "other")
    trials = read_run(tmp_path / "other")["trials"]
    assert [trial["reused"] for trial in trials] == [True] * 3  # the same seed, the same draws
    assert json.loads((tmp_path / "other" / MANIFEST).read_text()).get("plugins") is None


def test_runs_with_and_without_a_strategys_plugin_are_compared(made, tmp_path):
    from autodl.studies.reading import read_results

    (tmp_path / "other.yaml").write_text(
        yaml.safe_dump({**CONFIG, "Strategy": {"name": "RandomSearch"}})
    )
    run_search(load_search(tmp_path / "other.yaml"), tmp_path / "other")
    outcomes = read_results([made.run, tmp_path / "other"]).outcomes
    assert [outcome.variation for outcome in outcomes] == ["Mine", "RandomSearch"]


def test_a_cache_that_is_refused_names_plugins_and_objectives(made, tmp_path):
    from autodl.errors import ConfigError

    helper = tmp_path / "helper.py"
    helper.write_text("X = 1\n")  # adds nothing, so it may change anything
    values = {
        **CONFIG,
        "Global": {"plugins": [str(made.plugin), str(helper)]},
        "Search": {**CONFIG["Search"], "cache": [str(made.run)]},
        "Objectives": {"minimise": ["tokens"]},
        "Evaluator": {"name": "TokenCount", "token": 2},
    }
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(values))
    from autodl.search.reuse import EarlierRun, WorkKeys

    config = load_search(tmp_path / "other.yaml")
    with pytest.raises(ConfigError) as caught:
        EarlierRun(made.run, WorkKeys({**config.work_identity(), "Pictures": None}))
    message = str(caught.value)
    for part in ("Global.plugins ([] there", "Objectives.minimise (none there, ['tokens'] here)"):
        assert part in message
    assert "Evaluator.token" in message
    assert "\n" not in message


def test_only_the_plugins_that_are_others_are_named(tmp_path):
    def identity(*plugins):
        return {"Global": {"plugins": list(plugins)}}

    one, old, new = (f"sha256:{letter * 64}" for letter in "abc")
    write_json(tmp_path / MANIFEST, {"starts": [], "identity": identity(one, old)})
    with pytest.raises(StoreError, match=r"'sha256:bbbbbbbb'.*'sha256:cccccccc'") as caught:
        check_identity(tmp_path, identity(one, new))
    assert "aaaa" not in str(caught.value)
    with pytest.raises(StoreError, match=r"was .*aaaa.*bbbb.*, now it is .*bbbb.*aaaa"):
        check_identity(tmp_path, identity(old, one))
