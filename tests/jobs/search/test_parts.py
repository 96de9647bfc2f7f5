"""From names to parts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from autodl.config.components import table
from autodl.config.kinds import KINDS
from autodl.config.reading import RawConfig
from autodl.config.sections import Section
from autodl.errors import AutoDLError, ConfigError, EncodingError, PluginError, UnknownNameError
from autodl.evaluation.synthetic import TokenCount
from autodl.jobs.search import parts as assemble
from autodl.jobs.search.parts import (
    evaluator_in_worker,
    load_search,
    make_space,
    make_strategy,
    register,
    resolve_search,
)
from autodl.plans.signature import picture_signature
from autodl.recipes.config import resolve_train
from autodl.spaces.cell.space import CellSpace
from autodl.strategies.random_search import RandomSearch
from autodl.system.resources import resource

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = sorted(resource("configs", "search").glob("*.yaml"))
ENTRIES = [(section, name) for section in KINDS for name in table(section)]


@pytest.mark.parametrize("section, name", ENTRIES)
def test_every_name_leads_to_options_and_a_factory(section, name):
    entry = table(section)[name]
    options = entry.load_options()
    assert issubclass(options, Section)
    required = {key for key, field in options.model_fields.items() if field.is_required()}
    # a table, a finished search and a trained supernet are the user's; all else has a default
    of_a_run = {"FoundBits": {"run", "seconds"}, "SharedWeights": {"run"}, "Angle": {"run"}}
    assert required <= of_a_run.get(name, {"path"})
    assert callable(entry.load_factory())


def test_defaults_are_known():
    assert all(kind.default in table(section) for section, kind in KINDS.items())


def test_checking_a_config_and_listing_options_imports_no_framework():
    code = (
        "import sys\n"
        "from autodl.config.components import table\n"
        "from autodl.config.kinds import KINDS\n"
        "from autodl.search.config import load_search\n"
        "for kind in KINDS:\n"
        "    for entry in table(kind).values(): entry.load_options()\n"
        "for path in sys.argv[1:]: load_search(path)\n"
        "print([name for name in ('paddle', 'parl', 'visualdl') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *SHIPPED], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_configs_are_right_and_say_what_they_do(path):
    config = load_search(path)
    again = resolve_search(RawConfig(yaml.safe_load(yaml.safe_dump(config.to_plain()))))
    assert again == config
    assert again.to_plain() == config.to_plain()
    assert path.read_text().startswith("# ")
    make_space(config)


def test_the_published_search_of_cells_trains_as_its_authors_do():
    """900 + 100 pictures, each standardised by itself; 20 of 200 epochs of a cosine to 1e-4."""
    config = load_search("search/cell-agent-gpu.yaml")
    data, train = config.data, config.train
    assert (data.train, data.held_out, data.normalise) == (900, 100, "pictures")
    assert (train.epochs, train.schedule_epochs, train.lowest_rate) == (20, 200, 1e-4)
    assert (train.learning_rate, train.batch_size, train.momentum, train.nesterov) == (
        *(0.1, 128, 0.9, True),
    )
    strategy = config.strategy.options
    assert (strategy.batch_size, strategy.advantage_power, strategy.head_deviation) == (10, 3, 0.16)


def test_every_section_has_defaults_but_those_that_are_off():
    config = resolve_search(RawConfig({"Global": {}}))
    plain = config.to_plain()
    assert {s: plain[s]["name"] for s in KINDS if s in plain} == {
        s: kind.default for s, kind in KINDS.items() if s not in ("Fidelity", "Compression")
    }
    sections = {"Global", "Search", "Strategy", "Space", "Network", "Evaluator", "Data", "Train"}
    assert set(config.to_plain()) == sections


@pytest.mark.parametrize(
    "override",
    [
        "Search.max_trials=7",
        "Search.workers=1",
        "Search.snapshot_every=3",
        "Global.device=gpu",
        "Data.path=elsewhere",
    ],
)
def test_budget_workers_device_and_path_are_no_part_of_the_identity(override):
    plain, changed = (
        load_search("search/cell-demo.yaml"),
        load_search("search/cell-demo.yaml", [override]),
    )
    assert changed != plain
    assert changed.identity() == plain.identity()


@pytest.mark.parametrize(
    "override",
    [
        "Global.seed=1",
        "Strategy.batch_size=5",
        "Space.tied=true",
        "Network.width=8",
        "Evaluator={name: TokenCount}",
        "Data.image_size=8",
        "Train.epochs=1",
    ],
)
def test_everything_else_is(override):
    plain, changed = (
        load_search("search/cell-demo.yaml"),
        load_search("search/cell-demo.yaml", [override]),
    )
    assert changed.identity() != plain.identity()


@pytest.mark.parametrize(
    "values, wanted",
    [
        ({"Serach": {}}, "unknown section Serach. Did you mean 'Search'? Known: Global, Search"),
        ({"_BASE_": "x"}, "unknown section _BASE_."),
        ({"Strategy": {"name": "RandomSerach"}}, "unknown Strategy.name 'RandomSerach'. Did you"),
        ({"Space": {"name": "Cell"}}, "unknown Space.name 'Cell'. Did you mean 'CellSpace'?"),
        ({"Evaluator": {"name": 5}}, "unknown Evaluator.name '5'. Known: Angle"),
        ({"Network": {"name": None}}, "unknown Network.name 'None'. Known: Airbench"),
        ({"Strategy": "RandomSearch"}, "Strategy is a section of keys, got 'RandomSearch'"),
        ({"Strategy": {"batch": 3}}, "unknown key Strategy.batch. Did you mean 'batch_size'?"),
        ({"Strategy": {"name": "RandomSearch", "batch_size": 3}}, "unknown key Strategy.batch_si"),
        ({"Search": [1]}, "Search is a section of keys, got [1]"),
    ],
)
def test_a_mistake_is_named(values, wanted):
    with pytest.raises(ConfigError) as caught:
        resolve_search(RawConfig(values))
    assert str(caught.value).lstrip(": ").startswith(wanted)
    assert not str(caught.value).startswith(":")


@pytest.mark.parametrize(
    "space, wanted",
    [
        ({"operations": ["conv_3x3", "conv_9x9"]}, "conv_9x9"),
        ({"operations": []}, "must name at least one operation"),
        ({"operations": ["conv_3x3", "conv_3x3"]}, "names 'conv_3x3' twice"),
    ],
)
def test_operations_that_cannot_be_had_are_named(space, wanted):
    with pytest.raises(AutoDLError, match=wanted) as caught:
        make_space(resolve_search(RawConfig({"Space": space})))
    assert "\n" not in str(caught.value)


def test_a_registered_component_can_be_named(own_tables):
    name = "tests_assemble_parts"
    module = type(sys)(name)

    class Options(Section):
        scale: int = 2

    class Mine(RandomSearch):
        def __init__(self, space, *, seed, scale):
            self.given = (space, seed, scale)

    module.Options, module.make = Options, Mine
    sys.modules[name] = module
    try:
        register("Strategy", "Mine", f"{name}:Options", f"{name}:make")
        raw = RawConfig({"Strategy": {"name": "Mine", "scale": 5}, "Global": {"seed": 3}})
        config = resolve_search(raw)
        assert make_strategy(config, "space").given == ("space", 3, 5)
        assert config.to_plain()["Strategy"] == {"name": "Mine", "scale": 5}
    finally:
        del sys.modules[name]


@pytest.mark.parametrize(
    "section, name, kind",
    [("Strategy", "RandomSearch", ValueError), ("Strat", "Mine", UnknownNameError)],
)
def test_names_are_registered_once_and_in_a_section_that_there_is(own_tables, section, name, kind):
    with pytest.raises(kind):
        register(section, name, "x:Y", "x:y")


def test_a_worker_makes_the_evaluator_of_the_config():
    config = load_search("search/cell-agent-tokens.yaml", ["Evaluator.token=3"])
    evaluator = evaluator_in_worker(config.to_plain())
    assert isinstance(evaluator, TokenCount)
    assert evaluator._token == 3


@pytest.mark.parametrize("network", ["{width: 8, bottleneck: 16}", "{width: 2}"])
def test_a_network_whose_nodes_would_have_no_channels_is_refused(network):
    with pytest.raises(ConfigError, match="is below bottleneck"):
        load_search("search/cell-demo.yaml", [f"Network={network}"])


def test_options_that_fit_no_architecture_are_refused_before_anything_is_made(monkeypatch):
    """A network of a plugin may have limits that only its plan knows."""
    config = load_search("search/cell-demo.yaml", [])

    def impossible(*arguments, **options):
        raise ValueError("the pictures are too small")

    monkeypatch.setattr(assemble, "plan_maker", lambda *a, **k: impossible)
    with pytest.raises(ConfigError, match="do not fit each other: the pictures are too small"):
        assemble.check_plan(config, assemble.make_space(config), assemble.load_data(config))


def test_a_plan_with_and_without_an_architecture():
    from autodl.spaces.classic.vgg import vgg16_plan
    from autodl.spaces.fixed import FixedArchitecture

    classic = resolve_train(RawConfig({"Network": {"name": "VGG16"}})).network
    searched = resolve_train(RawConfig({"Global": {}})).network
    make_plan = assemble.plan_maker(classic, picture_signature(7, 32))
    assert make_plan(FixedArchitecture()) == vgg16_plan(classes=7)
    cell = CellSpace().sample(np.random.default_rng(0))
    with pytest.raises(ConfigError, match=r"VGG16 takes no architecture"):
        make_plan(cell)
    with pytest.raises(ConfigError, match=r"CellNetwork needs an architecture"):
        assemble.plan_maker(searched, picture_signature(7, 32))(FixedArchitecture())


def test_a_plugin_may_bring_a_network_with_nothing_to_choose(own_tables):
    from autodl.config.sections import NoOptions
    from autodl.spaces.classic.cifar_quick import cifar_quick_plan
    from autodl.spaces.fixed import FixedArchitecture

    register("Network", "Own", NoOptions, cifar_quick_plan, searched=False)
    network = resolve_train(RawConfig({"Network": {"name": "Own"}})).network
    make_plan = assemble.plan_maker(network, picture_signature(10, 32))
    assert make_plan(FixedArchitecture()) == cifar_quick_plan()


def test_an_operation_that_cannot_be_counted_is_refused():
    config = load_search("search/cell-agent-tokens.yaml", ["Evaluator.token=99"])
    with pytest.raises(EncodingError, match="operation ids go from 0"):
        assemble.make_evaluator(config)


def test_a_plugin_may_move_but_not_change(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text("X = 1\n")
    here, there = (
        load_search(
            "search/cell-agent-tokens.yaml", [f"Global.plugins=[{tmp_path / f / 'mine.py'}]"]
        )
        for f in ("a", "b")
    )
    before = here.identity()
    assert before == there.identity()
    (tmp_path / "a" / "mine.py").write_text("X = 2\n")
    assert here.identity() != before


def test_classes_themselves_can_be_registered(own_tables):
    class Options(Section):
        size: int = 3

    class Mine(RandomSearch):
        def __init__(self, space, *, seed, size):
            self.given = (seed, size)

    assemble.register("Strategy", "Mine", Options, Mine)
    config = load_search("search/cell-agent-tokens.yaml", ["Strategy={name: Mine, size: 5}"])
    assert assemble.make_strategy(config, None).given == (0, 5)


def test_options_come_as_one_value_where_the_factory_takes_it(own_tables):
    class Options(Section):
        size: int = 3

    class Mine(RandomSearch):
        def __init__(self, space, options: Options, *, seed):
            self.given = (seed, options)

    class Named(Section):
        options: tuple[str, ...] = ("a", "b")

    assemble.register("Strategy", "Mine", Options, Mine)
    assemble.register("Strategy", "Named", Named, Mine)
    config = load_search("search/cell-agent-tokens.yaml", ["Strategy={name: Mine, size: 5}"])
    assert assemble.make_strategy(config, None).given == (0, Options(size=5))
    named = load_search("search/cell-agent-tokens.yaml", ["Strategy={name: Named}"])
    assert assemble.make_strategy(named, None).given == (0, ("a", "b"))


def test_a_parameter_for_the_options_of_the_training_is_left_alone(own_tables):
    """Evaluators that train are given those by place, whatever they call them."""

    class Options(Section):
        scale: int = 3

    def keyword(data, make_plan, options, *, scale):
        return None

    def any_keyword(data, make_plan, options, **more):
        return None

    evaluators = {"One": keyword, "Two": any_keyword}
    for name, factory in evaluators.items():
        assemble.register("Evaluator", name, Options, factory, trains=True)
        config = load_search("search/cell-demo.yaml", [f"Evaluator={{name: {name}}}"])
        assert config.evaluator.arguments() == {"scale": 3}
    assert load_search("search/cell-demo.yaml").evaluator.arguments() == {"common_seed": None}


def test_a_registered_path_that_is_not_there_is_told_in_one_line(own_tables):
    assemble.register("Strategy", "Lost", "autodl.config.sections:NoOptions", "lost_module:Lost")
    config = load_search("search/cell-agent-tokens.yaml", ["Strategy={name: Lost}"])
    with pytest.raises(PluginError, match="a plugin registered 'lost_module:Lost'"):
        assemble.make_strategy(config, None)


def test_an_empty_config_is_no_config(tmp_path):
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    with pytest.raises(ConfigError, match="the config is empty"):
        load_search(tmp_path / "empty.yaml")
