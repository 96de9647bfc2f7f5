"""The benchmarks measure something; how fast it is, they alone say."""

import pytest

from autodl.jobs.bench.parts import agent, augment, loop_speed


@pytest.fixture(scope="module")
def measured():
    return {"agent": agent(iterations=50), "augment": augment()}


@pytest.mark.parametrize(
    "name, keys",
    [
        ("agent", {"iteration_ms", "sample_ms", "learn_ms"}),
        ("augment", {"batch_128_pictures_per_second", "batch_512_pictures_per_second"}),
    ],
)
def test_keys_carry_their_unit_and_values_are_positive(measured, name, keys):
    numbers = measured[name]
    assert keys <= set(numbers)
    assert all(value > 0 for value in numbers.values())


def test_a_search_that_trains_nothing_is_timed():
    numbers = loop_speed(trials=150)
    assert numbers["trials"] == 150
    assert numbers["loop_ms_per_trial"] > 0
    assert numbers["loop_memory_growth_mb"] < 20
    assert numbers["resume_seconds"] >= 0
    assert numbers["resume_agent_seconds"] >= 0


def test_an_iteration_is_sampling_and_learning(measured):
    """Medians of sums and sums of medians differ by little; 20 % is far more than that."""
    numbers = measured["agent"]
    parts = numbers["sample_ms"] + numbers["learn_ms"]
    assert numbers["iteration_ms"] == pytest.approx(parts, rel=0.2)
