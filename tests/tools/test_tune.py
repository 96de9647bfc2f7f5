"""tools/tune.py: the best choice on half of the seeds is compared on the other half."""

import json
import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[2] / "tools" / "tune.py"
SEARCH = ["-c", "search/cell-agent-tokens.yaml", "-o", "Strategy={name: RandomSearch}"]


def run(*arguments):
    return subprocess.run(
        [sys.executable, str(TOOL), *arguments], capture_output=True, text=True, check=False
    )


def test_tuned_and_reported_on_different_seeds():
    done = run(*(*SEARCH, "--grid", "Space.nodes=3,9", "--seeds", "6", "--trials", "15", "--json"))
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["tuned_on_seeds"] == [0, 2]
    assert result["reported_on_seeds"] == [3, 5]
    assert result["candidates"][0]["overrides"] == ["Space.nodes=9"]
    strategies = {row["name"]: row for row in result["strategies"]}
    assert set(strategies) == {"tuned", "as configured", "RandomSearch"}
    assert strategies["tuned"]["seeds"] == 3
    same = [{**row, "name": "", "seconds_mean": 0} for row in result["strategies"][1:]]
    assert same[0] == same[1]  # the config as it stands is random search
    assert done.stderr.splitlines()[0].startswith("1/2 ")


def test_mistakes_end_with_exit_code_2_and_one_line():
    for arguments, message in (
        ([*SEARCH, "--grid", "nodes"], "expected Section.key=value,value,..."),
        ([*SEARCH, "--seeds", "1"], "--seeds must be at least 2"),
        (["-c", "search/demo.yaml"], "trains networks"),
        ([*SEARCH, "--grid", "Space.nodse=3"], "Did you mean 'nodes'?"),
    ):
        done = run(*arguments)
        assert done.returncode == 2
        assert message in done.stderr
        assert len(done.stderr.splitlines()) == 1
