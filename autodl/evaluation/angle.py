"""Scores an architecture by how far its weights have turned in a supernet's training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from autodl.plans.plan import Plan
from autodl.recipes.options import TrainOptions
from autodl.spaces.codec import Architecture
from autodl.supernets.single_path.angle import AngleTable
from autodl.supernets.single_path.folder import load_supernet
from autodl.tasks.task import Task
from autodl.trial import Evaluation


class Angle:
    """Reward = the angle in radians between first and trained weights, see ``AngleTable``.

    No example is looked at: an architecture is a sum of a few numbers.
    """

    def __init__(
        self,
        task: Task,
        make_plan: Callable[[Architecture], Plan],
        train: TrainOptions,
        *,
        run: Path,
        shared: bool = True,
    ) -> None:
        """Sum up the supernet's weights before and after its training.

        Args:
            task: only its signature and its identity are read.
            train: not read, since nothing is trained.
            run: folder of the supernet's training.
            shared: whether what all architectures have counts, see ``AngleTable.own``.

        Raises:
            AutoDLError: see ``load_supernet``.
        """
        self._make_plan = make_plan
        networks = [load_supernet(run, task, make_plan, first=first) for first in (True, False)]
        before, after = (
            {name: value.numpy() for name, value in network.state_dict().items()}
            for network in networks
        )
        table = AngleTable.of(networks[0].space, networks[0].blocks, before, after)
        self._table = table if shared else table.own()

    def __call__(self, architecture: Architecture, rng: np.random.Generator) -> Evaluation:
        """Look an architecture up.

        Raises:
            ConfigError: it is not of the supernet's space.
        """
        plan = self._make_plan(architecture)
        angle = self._table.angles(self._table.space.encode(architecture)[None])[0]
        costs = {"parameters": float(plan.parameters), "macs": float(plan.macs)}
        return Evaluation(float(angle), costs)
