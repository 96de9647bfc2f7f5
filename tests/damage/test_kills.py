"""A few of the kills that ``kills.py`` does by the hundred."""

from __future__ import annotations

import pytest
import tiny_runs
from kills import JOBS, check, outcome


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("kills")
    tiny_runs.write_inputs(root)
    tiny_runs.training(root, root / "training" / "cell")
    return root


@pytest.mark.parametrize("job", ["compression", "release"])  # the others are killed in tests/jobs
def test_a_killed_job_comes_to_what_the_unbroken_one_does(root, job):
    assert job in JOBS
    assert check(job, root, 2) == (2, [])


def test_another_outcome_is_noticed(root):
    folder = root / "training" / "cell"
    before = outcome(folder)
    assert {"weights.safetensors", "metrics.json", "architecture.json"} <= set(before)
    with open(folder / "weights.safetensors", "ab") as file:
        file.write(b" ")
    assert outcome(folder) != before
