"""Whether tables of measured layers are of the machine that a search runs on."""

from __future__ import annotations

from autodl.errors import ConfigError
from autodl.jobs.search.parts import check_device
from autodl.objectives.latency.machine import Kind, this_machine
from autodl.objectives.latency.table import LatencyTable, Mode
from autodl.plans.step_table import Kernels, StepTable
from autodl.search.config import SearchConfig
from autodl.spaces.stage.architecture import BRANCHES

_FOREIGN = "set Objectives.allow_foreign=true"


def check_latency_table(config: SearchConfig) -> None:
    """Refuse tables of layers that are not of this machine, unless the config allows it.

    It is asked at every start: a search that moves to other kernels would mix milliseconds.
    Worker processes compute with one thread, whatever this process does.

    Raises:
        DataError: one is not, is of the other mode, or its file is unusable.
    """
    modes: dict[str, Mode] = {"latency_ms": "inference", "training_ms": "training"}
    for name, path in config.objectives.tables.items():
        table = LatencyTable.read(path)
        table.check_mode(modes[name], f"Objectives.{name.replace('_ms', '_table')}")
        if config.objectives.allow_foreign:
            continue
        here = this_machine(table.machine.kind)
        if config.search.executor != "inline":
            here = here.model_copy(update={"threads": 1})
        table.check_machine(here=here, permit=_FOREIGN)
        if table.kernels is not None and config.evaluator.entry.trains:
            table.check_kernels(_kernels(config), _FOREIGN)


def check_step_table(config: SearchConfig) -> None:
    """Refuse a step table of another processor, or of other kernels than a training here has.

    It is for the start of a search: one that was begun by a table goes on by it, and what it has
    found is trained with the widths of that table. Where nothing trains no kernels are asked for,
    and Paddle is not imported.

    Raises:
        DataError: it is of others.
    """
    if not config.evaluator.entry.trains:
        return
    table = getattr(config.network.options, "step_table", None)
    if isinstance(table, StepTable) and not config.objectives.allow_foreign:
        table.check_kernels(_kernels(config), _FOREIGN)
        kind: Kind = "cpu" if check_device(config) == "cpu" else "gpu"
        table.check_processor(this_machine(kind).device, _FOREIGN)


def check_training_table(config: SearchConfig) -> None:
    """Refuse a table of training steps where networks decide how long these take.

    It is for the start of a search, too.

    Raises:
        ConfigError: by branches, or by pictures that grow, of which the table knows nothing.
    """
    decides = _decides_training(config)
    if decides and "training_ms" in config.objectives.tables:
        raise ConfigError(
            f"Objectives.training_table knows nothing of {decides}, which networks decide about;"
            " leave that out, or give a budget by Network.picture_ms and Network.step_table"
        )


def _decides_training(config: SearchConfig) -> str:
    """The option of the space by which networks decide how long a step of their training takes."""
    options = config.space.options
    if any(getattr(options, "first_sizes", ())):
        return "Space.first_sizes"
    branched = set(getattr(options, "forms", ())).intersection(BRANCHES)
    return f"Space.forms={sorted(branched)[0]}" if branched else ""


def _kernels(config: SearchConfig) -> Kernels:
    """Whose kernels trainings on the device of a search compute by."""
    from autodl.networks.onednn import training_kernels
    from autodl.training.device import computing_on

    with computing_on(check_device(config)):
        return training_kernels(config.train.amp)
