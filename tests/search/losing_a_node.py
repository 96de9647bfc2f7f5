"""A driver for a test: a search on a Ray cluster of two nodes, one of which is killed.

    python losing_a_node.py FOLDER

The nodes find this project and the evaluator through PYTHONPATH. Each evaluation adds a line to
FOLDER/begun; the trials are in FOLDER/trials.sqlite afterwards. Prints, as JSON, the ids of the
trials in the order in which they ended, and how many workers there were.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import closing
from pathlib import Path

from ray.cluster_utils import Cluster

from autodl.runs.store import TrialStore
from autodl.search.executors.ray_executor import RayExecutor
from autodl.search.loop import search
from autodl.spaces.cell.space import CellSpace
from autodl.strategies.random_search import RandomSearch

TRIALS, KILL_AFTER = 14, 5
NODE = {"num_cpus": 1, "object_store_memory": 80_000_000}
# a node that says nothing for 1 second is dead, not for 15
HASTY = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_failure_threshold": 2,
}


def main(folder: Path) -> None:
    cluster = Cluster(
        initialize_head=True,
        head_node_args={**NODE, "include_dashboard": False, "_system_config": HASTY},
    )
    doomed = cluster.add_node(**NODE)
    executor = RayExecutor(
        "evaluators_for_tests:make_leaving_traces",
        {"folder": str(folder), "seconds": 0.4},
        7,
        address=cluster.address,
        log_folder=folder / "logs",
    )
    ended = []
    with closing(TrialStore(folder / "trials.sqlite")) as store, closing(executor):
        strategy = RandomSearch(CellSpace(nodes=4))
        for trial in search(strategy, executor, store, max_trials=TRIALS, seed=7):
            ended.append(trial.id)
            if len(ended) == KILL_AFTER:
                os.kill(doomed.all_processes["raylet"][0].process.pid, signal.SIGKILL)
    cluster.shutdown()
    print(json.dumps({"ended": ended, "workers": executor.workers}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
