"""Rows that come one by one against ranking all of them."""

import numpy as np
import pytest

from autodl.objectives import order as pareto_order
from autodl.objectives.dominance import dominators, preference, ranks
from autodl.objectives.order import ParetoOrder


@pytest.mark.parametrize("many", [0, 2, 1000])
@pytest.mark.parametrize("objectives", [2, 3, 4])
def test_ranks_dominators_and_the_best_are_those_of_all_rows(monkeypatch, objectives, many):
    """With ties, equal rows and NaN; ranked one by one, or many at once."""
    order, draw = ParetoOrder(objectives), np.random.default_rng(many + objectives)
    monkeypatch.setattr(pareto_order, "_MANY", many)
    values = draw.integers(0, 12, size=(150, objectives)).astype(float)
    values[draw.random(values.shape) < 0.02] = np.nan
    taken = set()
    for count, row in enumerate(values, start=1):
        assert order.add(tuple(row.tolist())) == count - 1
        if draw.random() < 0.4:
            continue
        places = count // 3
        expected = [i for i in preference(values[:count])[:places].tolist() if i not in taken]
        found = order.best(places)
        assert found == (expected[0] if expected else None)
        np.testing.assert_array_equal(order._ranks[:count], ranks(values[:count]))
        np.testing.assert_array_equal(order._dominators[:count], dominators(values[:count]))
        if found is not None:
            order.take(found)
            taken.add(found)
    assert len(taken) > 30


def test_rows_that_rise_push_all_others_down():
    order = ParetoOrder(2)
    for value in range(50):
        order.add((value, value))
        assert order.best(1) == value
    assert order.give_up(20) == list(range(30))
    assert order.give_up(20) == []
