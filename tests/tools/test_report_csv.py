"""From a run of a whole space to a table, and a search in it."""

from autodl.jobs.search.parts import load_search
from autodl.jobs.search.run import run_search

SPACE = ["Space.nodes=2", "Space.operations=[conv_1x1, conv_3x3]", "Space.tied=true"]


def search(folder, *overrides):
    common = ["Search.executor=inline", "Search.max_trials=20", *SPACE, *overrides]
    return run_search(load_search("search/cell-agent-tokens.yaml", common), folder)


def test_a_table_gives_the_rewards_of_its_run(call, tmp_path):
    whole = search(tmp_path / "whole", "Strategy.name=ExhaustiveSearch")
    assert whole.finished == 7
    table = tmp_path / "table.csv"
    done = call("report", tmp_path / "whole", "--csv", table)
    assert (done.code, done.err) == (0, "")
    assert "7 architectures" in done.out
    again = search(
        tmp_path / "again",
        "Strategy.name=RandomSearch",
        "Evaluator.name=TableEvaluator",
        f"Evaluator.path={table}",
    )
    assert again.finished == 7  # each of them once
    assert again.best.reward == whole.best.reward == 4.0
