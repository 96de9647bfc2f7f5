"""Training chosen architectures in full: one folder each, checkpointed and resumed exactly.

A folder holds ``config.yaml``, ``run.json``, ``architecture.json``, ``checkpoint.safetensors``
(all that is needed to go on), and at the end ``weights.safetensors`` (the network alone) and
``metrics.json``. The test part of the data is never looked at here; see ``final_test.py``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autodl.config.components import read_component
from autodl.data.load import read_from
from autodl.data.views import six_views
from autodl.errors import AutoDLError, ConfigError, StoreError
from autodl.jobs.train.record import TrainingRecord
from autodl.plans.plan import Plan
from autodl.recipes.chosen import training_of
from autodl.recipes.config import TrainConfig
from autodl.recipes.recipe import recipe_of
from autodl.runs.folder import (
    ARCHITECTURE,
    METRICS,
    TRIALS,
    WEIGHTS,
    check_seals,
    import_run_plugins,
    read_manifest,
    run_config,
)
from autodl.runs.lost_trials import check_trials
from autodl.runs.run import Run
from autodl.runs.store import TrialStore
from autodl.runs.supernet_folder import is_relaxed
from autodl.spaces.codec import encode_text, load_architecture, save_architecture
from autodl.spaces.fixed import FixedArchitecture
from autodl.spaces.plan_maker import plan_maker
from autodl.spaces.space import canonical_form
from autodl.spaces.stage.options import within_budget
from autodl.system.files import check_writable
from autodl.tasks.load import load_task
from autodl.tasks.task import Metric, Task
from autodl.trained.spent import teacher_seconds
from autodl.trial import Architecture, Trial

_FILES = (ARCHITECTURE, WEIGHTS)  # what a training comes to, beside its metrics

if TYPE_CHECKING:
    from autodl.training.fit import Trainer
    from autodl.training.parallel import Share


def best_of_run(run: Path, top: int) -> list[tuple[str, Architecture]]:
    """The ``top`` best architectures of a search, with a name by trial number.

    Each network once: of architectures that are one network written differently, the better trial.
    Of a relaxed supernet the one that it has chosen, by the name ``chosen``.

    Raises:
        ConfigError: the section ``Space`` or ``Network`` of the run is damaged.
        StoreError: no run there, or no complete trial in it.
        PluginError: a plugin of the run, which may define its operations, cannot be imported.
    """
    read_manifest(run)
    import_run_plugins(run)
    if is_relaxed(run):
        if not (run / ARCHITECTURE).exists():
            raise StoreError(f"{run} has not chosen yet: go on by --resume until it is finished")
        check_seals(run, (ARCHITECTURE,))
        return [("chosen", load_architecture(run / ARCHITECTURE))]
    check_trials(run)
    canonical = canonical_form(_space(run))
    distinct: dict[str, Trial] = {}
    count, read = top, 0
    with closing(TrialStore(run / TRIALS, read_only=True)) as store:
        while len(distinct) < top:  # a long search has more trials than anyone wants decoded
            trials = store.best(count)
            for trial in trials[read:]:
                distinct.setdefault(encode_text(canonical(trial.architecture)), trial)
            if len(trials) < count:
                break
            count, read = 2 * count, count
    if not distinct:
        raise StoreError(f"{run} has no complete trial; `autodl report {run}` says why")
    kept = list(distinct.values())[:top]
    return [(f"trial-{trial.id:04d}", trial.architecture) for trial in kept]


def _space(run: Path) -> object:
    """The space of a search, as its network has it: with a budget ratios of widths count.

    The default one if a kill came before its config, and any trial.
    """
    config = run_config(run)
    space = read_component(config, "Space")
    made = space.factory()(**space.arguments())
    return within_budget(made, read_component(config, "Network").options)


def choose(
    config: TrainConfig, *, architecture: Path | None, run: Path | None, top: int
) -> list[tuple[str, Architecture]]:
    """What to train, each with a name for its folder.

    A network that people designed is trained as it is; any other needs either the file of an
    ``architecture`` or a ``run``, of which the ``top`` best are taken.

    Raises:
        ConfigError: the network has nothing to choose, or needs one of the two.
        AutoDLError: the file or the run is unusable.
    """
    name = config.network.name
    if not config.network.entry.searched:
        if architecture is not None or run is not None:
            raise ConfigError(
                f"Network.name {name} takes no architecture; leave out --architecture and --run,"
                " or name a network that is searched for"
            )
        return [(name, FixedArchitecture())]
    if run is not None:
        return best_of_run(run, top)
    if architecture is None:
        raise ConfigError(f"{name} needs an architecture: give --architecture FILE or --run RUN")
    return [(architecture.stem, load_architecture(architecture))]


def check_all(
    config: TrainConfig,
    chosen: Sequence[tuple[str, Architecture]],
    out: Path,
    *,
    resume: bool,
) -> None:
    """Refuse before the first of several trainings what the last of them could not be done with.

    Args:
        chosen: see ``choose``; each is trained in a folder of its name in ``out``.

    Raises:
        StoreError: a folder holds something else, or a run that is not resumed.
        AutoDLError: a network does not fit the data.
    """
    check_writable(out, "the trainings go there")
    for name, _ in chosen:
        Run(out / name, config, resume=resume)
    if len(chosen) > 1:
        data = load_task(config.data)
        for _, architecture in chosen:
            _plan(config, architecture, data)


@dataclass(frozen=True, slots=True)
class Retrained:
    """How a training ended; ``value`` is the metric on held-out examples after the last epoch."""

    folder: Path
    metric: Metric
    value: float
    metrics: Mapping[str, Any]

    @property
    def reward(self) -> float:
        """The value, or its negative where lower is better."""
        return self.metric.reward(self.value)


def retrain(
    config: TrainConfig,
    architecture: Architecture,
    folder: Path,
    *,
    resume: bool = False,
    accept_changed_plugins: bool = False,
    progress: Callable[[str], None] = lambda line: None,
    share: Share | None = None,
    leave: Callable[[], bool] = lambda: False,
) -> Retrained:
    """Train one architecture in a folder, or go on with it from its checkpoint.

    A checkpoint is written after every epoch, whole or not at all; a resumed training gives
    the weights of an unbroken one, bit for bit on the same machine. One that is finished, and
    whole, is only read.

    Args:
        progress: called with a line on the data and one for every epoch.
        share: of a training by several processes, each of which calls this; ``Train.batch_size``
            is that of one process, and only the leading one looks at the folder and tells its
            progress. None trains alone.
        leave: asked after every update whether to end with it; what is reached then is measured.

    Raises:
        AutoDLError: data, device, folder or checkpoint are unusable.
        TrialFailure: the training loss is not finite.
    """
    from autodl.training.device import noted_kernels, select_device
    from autodl.training.identity import recipe_identity, recipe_sections
    from autodl.training.parallel import ALONE
    from autodl.training.weights import save_weights

    share = share or ALONE
    run = (
        Run(
            folder,
            config,
            resume=resume,
            accept_changed_plugins=accept_changed_plugins,
            tell=progress,
        )
        if share.leads
        else None
    )
    device = select_device(config.general.device)
    data = load_task(config.data)
    plan = _plan(config, architecture, data)
    identity = {
        **config.identity(),
        "Architecture": architecture.to_json(),
        data.examples.capitalize(): data.identity(),
    }
    # what counts is the batch of all: a resumed training may cut it into other parts
    identity["Train"]["batch_size"] *= share.size
    measured = f"held_out_{data.metric.name}"
    train = recipe_of(training_of(config.train, architecture))
    later = recipe_sections(train)
    if (known := _finished(run, identity, measured, share, later)) is not None:
        return Retrained(folder, data.metric, known[measured], known)
    identity |= recipe_identity(train, data)
    trainer = _trainer(config, architecture, plan, data, share, run)
    if run is None:
        metrics = _train(config, trainer, data, share, identity, leave=leave)
        return Retrained(folder, data.metric, metrics[measured], metrics)
    computed = {"device": device, "processes": share.size, **noted_kernels(config.train.amp)}
    with run.open(identity, **computed, **read_from(config.data, data)):
        run.tell(f"data: {data.headline}")
        save_architecture(architecture, folder / ARCHITECTURE)
        record = TrainingRecord(run, config.train.epochs, data, config.train.max_seconds)
        found = _train(config, trainer, data, share, identity, record, leave)
        save_weights(trainer.network, folder / WEIGHTS)
        metrics = {"device": device, **_conditions(data, plan), **found}
        run.finish(metrics, files=_FILES, **{measured: metrics[measured]})
    return Retrained(folder, data.metric, metrics[measured], metrics)


def _finished(
    run: Run | None,
    identity: Mapping[str, Any],
    measured: str,
    share: Share,
    found_later: Sequence[str],
) -> dict[str, Any] | None:
    """The metrics of a training that the leading process has found finished.

    Raises:
        StoreError: it is another one, or damaged.
    """
    known = run.finished(identity, _FILES, found_later) if run is not None else None
    if run is not None and known is not None and not isinstance(known.get(measured), float):
        raise StoreError(f"{run.folder / METRICS} is damaged: it has no {measured}")
    found: dict[str, Any] | None = json.loads(share.broadcast(json.dumps(known).encode()))
    return found


def _plan(config: TrainConfig, architecture: Architecture, data: Task) -> Plan:
    """The network's plan, before anything is written.

    Raises:
        ConfigError: the options do not fit each other, the architecture or the pictures.
    """
    make_plan = plan_maker(config.network, data.signature)
    try:
        plan = make_plan(architecture)
    except AutoDLError:
        raise
    except (ValueError, TypeError) as error:
        raise ConfigError(f"Network does not fit the architecture or Data: {error}") from error
    if config.evaluation.six_views and len(plan.input_shape) != 3:
        raise ConfigError(
            "Evaluation.six_views=true shifts pictures by a pixel, and the examples are"
            f" {data.examples}; leave it out"
        )
    return plan


def _trainer(
    config: TrainConfig,
    architecture: Architecture,
    plan: Plan,
    data: Task,
    share: Share,
    run: Run | None,
) -> Trainer:
    from autodl.reparam.training_form import training_network
    from autodl.training.fit import Trainer

    seed = config.general.seed
    train = training_of(config.train, architecture)
    network = training_network(plan, train, seed)
    return Trainer(network, data, recipe_of(train), seed, share, keeper=run)


def _train(
    config: TrainConfig,
    trainer: Trainer,
    data: Task,
    share: Share,
    identity: Mapping[str, Any],
    record: TrainingRecord | None = None,
    leave: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Train, from the checkpoint in the leading process's record if there is one, and measure.

    Raises:
        ConfigError: this process trains something else than the leading one.
    """
    from autodl.training.goal import final_score, score

    measured = f"held_out_{data.metric.name}"
    same = json.dumps(identity, sort_keys=True).encode()
    if share.broadcast(same) != same:
        raise ConfigError(
            f"process {share.rank} has other options, pictures or plugins than process 0; give all"
            " of them the same command and the same files"
        )
    if record is not None:
        record.restore(trainer)
    trainer.align()

    def end_epoch(trainer: Trainer) -> None:
        number, epoch = len(trainer.curve), trainer.curve[-1]
        if number % config.evaluation.interval == 0 or number == config.train.epochs:
            held_out = score(trainer.network, data, "held_out", share)
            epoch[measured], epoch["held_out_loss"] = held_out.value, held_out.loss
        if record is not None:
            record.epoch(trainer)

    stopped = trainer.fit(end_epoch, leave=leave)
    mirrored = config.evaluation.mirrored
    held_out = final_score(trainer.network, data, "held_out", share, views=mirrored)
    more = {}
    if config.evaluation.six_views:
        found = final_score(trainer.network, data, "held_out", share, views=six_views)
        more[f"{measured}_six_views"] = found.value
    return {
        measured: held_out.value,
        "held_out_loss": held_out.loss,
        "mirrored": mirrored,
        **more,
        "epochs": len(trainer.curve),
        "stopped_early": stopped,
        "seconds": trainer.seconds,
        **({"teacher_seconds": taught} if (taught := teacher_seconds(trainer.curve)) else {}),
        "curve": trainer.curve,
    }


def _conditions(data: Task, plan: Plan) -> dict[str, Any]:
    """What the metrics say about network and data; of pictures the normalisation, to test it.

    Parameters and multiply-accumulates are those of the plain form, without branches.
    """
    return {"parameters": plan.parameters, "macs": plan.macs, **data.record()}
