"""One thread per process, property tests that are the same every time, one shared training."""

import gc
import os
import sys
import tempfile
import traceback

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy and Paddle

from contextlib import closing, redirect_stderr, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")

gc.set_threshold(10_000, 20, 20)  # a search for garbage looks at all of Paddle, so it is seldom


def pytest_collection_finish():
    """Leave what stays to the end, libraries and tests, out of every later search."""
    gc.freeze()


TRAINING = """
Global: {seed: 3, device: cpu}
Network: {width: 4, cells_per_stage: 1, stages: 2, bottleneck: 1, dropout: 0.2}
Data: {name: cifar10-mini, image_size: 8, train: 200, held_out: 100}
Train: {epochs: 4, batch_size: 20, learning_rate: 0.05, cutout: 2}
"""


@pytest.fixture(scope="session")
def small_training(tmp_path_factory):
    """An unbroken training of a second: copy its folder before changing anything in it."""
    from autodl.jobs.train.run import retrain
    from autodl.recipes.config import load_train
    from autodl.spaces.cell.space import CellSpace

    folder = tmp_path_factory.mktemp("training")
    config_file = folder / "small.yaml"
    config_file.write_text(TRAINING)
    space = CellSpace(nodes=2, operations=("conv_3x3", "max_pool_3x3"))
    architecture = space.sample(np.random.default_rng(1))
    lines = []
    result = retrain(load_train(config_file), architecture, folder / "whole", progress=lines.append)
    return SimpleNamespace(
        config_file=config_file,
        architecture=architecture,
        folder=folder / "whole",
        result=result,
        lines=lines,
    )


@pytest.fixture(scope="session")
def tiny():
    """A width search of a few seconds: three widths on 40 small pictures."""
    from autodl.agents.options import ControllerOptions
    from autodl.data.load import load_split
    from autodl.data.options import DataOptions
    from autodl.spaces.width.space import make_width_space
    from autodl.supernets.width.options import SupernetOptions
    from autodl.tasks.pictures import PictureTask

    data = PictureTask.of(load_split(DataOptions(image_size=8, train=40, held_out=40)))
    space = make_width_space("resnet20", (1, 2, 3), image_size=8)
    options = SupernetOptions(
        epochs=4, warmup_epochs=2, batch_size=8, learning_rate=0.05, pad_crop=1, noise=1e-2
    )
    budget = float(np.mean(space.bounds))
    return SimpleNamespace(
        data=data, space=space, options=options, controller=ControllerOptions(), budget=budget
    )


@pytest.fixture(scope="session", autouse=True)
def _power():
    """The machine does not lose it here, so nobody need wait for the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda handle: None)
        yield


@pytest.fixture(autouse=True)
def plain_pictures(monkeypatch):
    """A search draws its best as an empty picture, and not what mattered: both cost the most of it.

    Tests of drawings have a fixture of this name that does nothing.
    """
    from matplotlib.figure import Figure

    monkeypatch.setattr("autodl.drawing.cells._compose", lambda rows: Figure((2, 2)))
    monkeypatch.setattr("autodl.search.observers.visualdl_log._importance", lambda folder: None)


@pytest.fixture
def open_store(tmp_path):
    """Opens stores that are closed in the end."""
    from autodl.runs.store import TrialStore

    opened = []

    def open_store(name="trials"):
        store = TrialStore(tmp_path / f"{name}.sqlite")
        store._db.execute("PRAGMA synchronous = OFF")
        opened.append(store)
        return store

    yield open_store
    for store in opened:
        store.close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "trials.sqlite"


@pytest.fixture
def store(path):
    from autodl.runs.store import TrialStore

    with closing(TrialStore(path)) as store:
        yield store


@pytest.fixture(scope="session")
def ray_here():
    """Ray on this machine, with two processors and two GPUs that it only believes in."""
    if find_spec("ray") is None:
        pytest.skip("Ray is not installed (make ray)")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray

    here = Path(__file__).resolve().parent
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(here.parent), str(here / "search")]))
        size = {"num_cpus": 2, "num_gpus": 2, "object_store_memory": 80_000_000}
        ray.init("local", include_dashboard=False, log_to_driver=False, **size)
    ray._private.worker._worker_logs_enabled = False
    yield
    ray.shutdown()


@pytest.fixture
def own_tables(monkeypatch):
    """Tables of components that plugins may change, without a trace in other tests."""
    from autodl.config.components import table
    from autodl.config.kinds import KINDS, PARTS

    for section, kind in {**KINDS, **PARTS}.items():
        monkeypatch.setattr(kind.catalogue.replace(":", "."), dict(table(section)))
    yield
    for name in [name for name in sys.modules if name.startswith("autodl_plugin_")]:
        del sys.modules[name]


@pytest.fixture(scope="session")
def forked(tmp_path_factory):
    """`autodl WORDS` in a fork: its exit code and what it printed.

    Nothing is imported again, and what a plugin adds there is known nowhere else. ``cwd`` is the
    folder that it runs in, and ``before`` a function that is called first.
    """
    place = tmp_path_factory.mktemp("forked")

    def forked(*words, cwd=".", before=lambda: None):
        child = os.fork()
        if not child:
            _run_tool(list(map(str, words)), place, cwd, before)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        out, err = ((place / name).read_text() for name in ("out", "err"))
        return SimpleNamespace(code=code, out=out, err=err)

    return forked


def _run_tool(words, place, cwd, before):
    """End this process by a tool."""
    code = 99
    with (
        open(place / "out", "w") as out,
        open(place / "err", "w") as err,
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            from autodl import __main__ as command

            sys.argv = ["autodl"]
            os.chdir(cwd)
            before()
            code = command.main(words)
        except SystemExit as ended:  # of argparse
            code = ended.code
        except BaseException:
            traceback.print_exc()
        finally:
            out.flush()
            err.flush()
            os._exit(code)


@pytest.fixture
def in_an_unwritable_folder():
    """What a function returns where a folder may not be written, as a small number.

    It is called in a fork; root may write anywhere, so not as root.
    """
    return _in_an_unwritable_folder


def _in_an_unwritable_folder(folder, function):
    top = Path(tempfile.gettempdir()).resolve()
    for place in (folder, *folder.parents):
        if top not in place.parents:
            break
        place.chmod(0o755)  # other users may look in
    folder.chmod(0o555)
    child = os.fork()
    if child == 0:
        code = 99
        try:
            if os.geteuid() == 0:
                os.setuid(65_534)  # nobody
            assert not os.access(folder, os.W_OK)
            code = function()
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    folder.chmod(0o755)
    return os.waitstatus_to_exitcode(status)
