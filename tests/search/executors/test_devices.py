"""GPUs of workers; no GPU is needed for any of it."""

from __future__ import annotations

import pytest

import autodl.training.device
from autodl.errors import ConfigError
from autodl.jobs.search.parts import load_search, make_executor
from autodl.search.executors.devices import VISIBLE, gpu_of_worker, gpu_share, gpus_to_share
from autodl.system.cpus import usable_cpus

MIG = "MIG-GPU-8932f937-d72c-4106-c12f-20bd9faed9f6/1/2"
UUID = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"


@pytest.mark.parametrize("asked", ["auto", "gpu"])
@pytest.mark.parametrize(
    "count, visible, expected",
    [
        (0, None, ()),
        (1, None, ("0",)),
        (3, None, ("0", "1", "2")),
        (2, "2,3", ("2", "3")),
        (2, "3, 1", ("3", "1")),
        (1, "1,-1,0", ("1",)),  # CUDA stops at the first that is none
        (0, "", ()),
        (0, "-1", ()),
        (2, f"{UUID},{MIG}", (UUID, MIG)),
    ],
)
def test_gpus_are_those_that_cuda_sees_by_the_names_that_it_knows(asked, count, visible, expected):
    environment = {} if visible is None else {VISIBLE: visible}
    assert gpus_to_share(asked, count, environment) == expected


@pytest.mark.parametrize("asked", ["cpu", "gpu:0", "gpu:1"])
def test_a_device_that_is_named_is_not_shared_out(asked):
    assert gpus_to_share(asked, 4, {}) == ()


def test_each_worker_sees_one_and_they_take_turns():
    seen = [gpu_of_worker(worker, ("2", UUID, "0")) for worker in range(7)]
    assert [variables[VISIBLE] for variables in seen] == ["2", UUID, "0", "2", UUID, "0", "2"]
    assert all(set(variables) == {VISIBLE} for variables in seen)
    assert gpu_of_worker(5, ()) == {}


@pytest.mark.parametrize("workers", range(1, 14))
@pytest.mark.parametrize("gpus", range(1, 6))
def test_shares_of_all_workers_fit_the_gpus(workers, gpus):
    share = gpu_share(workers, gpus)
    assert 0 < share <= 1
    per_gpu = round(1 / share)
    assert per_gpu * gpus >= workers  # all of them find a place
    assert per_gpu == 1 or (per_gpu - 1) * gpus < workers  # and none has less than it could


# --- as the executor of a search -----------------------------------------------------------------


@pytest.fixture
def executor(monkeypatch, tmp_path):
    """A function that makes the executor of a search on a machine with so many GPUs."""

    def make(gpus, device, *overrides, resolved="gpu:0"):
        monkeypatch.delenv(VISIBLE, raising=False)
        monkeypatch.setattr(autodl.training.device, "gpu_count", lambda: gpus)
        config = load_search("search/demo.yaml", [f"Global.device={device}", *overrides])
        return make_executor(config, tmp_path, device=resolved)

    return make


@pytest.mark.parametrize("device", ["auto", "gpu"])
def test_a_search_has_a_worker_for_each_gpu_unless_it_says_otherwise(executor, device):
    plain = executor(3, device)
    assert plain.workers == 3
    assert [plain._environment(n)[VISIBLE] for n in range(3)] == ["0", "1", "2"]
    more = executor(2, device, "Search.workers=4")
    assert more.workers == 4
    assert [more._environment(n)[VISIBLE] for n in range(4)] == ["0", "1", "0", "1"]


def test_a_gpu_that_is_named_has_one_worker_and_is_not_hidden(executor):
    plain = executor(3, "gpu:1", resolved="gpu:1")
    assert plain.workers == 1
    assert plain._environment(0) == {}


def test_without_gpus_there_is_a_worker_for_each_core(executor):
    assert executor(0, "cpu", resolved="cpu").workers == usable_cpus()


@pytest.mark.parametrize(
    "overrides, message",
    [
        (["executor=inline", "workers=2"], r"workers=2, and Search\.executor=inline .*processes"),
        (["executor=inline", "trial_seconds=1"], r"set Search\.executor=processes"),
        (["executor=inline", "trial_memory_mb=1"], r"set Search\.executor=processes"),
        (["ray_address=a:1"], r"ray_address=a:1 is only for Search\.executor=ray, .* processes"),
        (["executor=ray"], r"set Global\.device=gpu, got gpu:1"),
    ],
)
def test_options_that_the_executor_cannot_follow_are_refused(executor, overrides, message):
    with pytest.raises(ConfigError, match=message) as caught:
        executor(2, "gpu:1", *(f"Search.{override}" for override in overrides))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("workers", [0, -1])
def test_no_workers_is_refused_with_what_to_write_instead(workers):
    with pytest.raises(ConfigError, match=r"at least 1 .* Search\.executor=inline\), got"):
        load_search("search/demo.yaml", [f"Search.workers={workers}"])


@pytest.mark.parametrize("address", ["ray", "ray://a:1", "a:b", "a:", ":1", "a:1:2"])
def test_a_ray_address_is_host_and_port(address):
    with pytest.raises(ConfigError, match=r"Search\.ray_address: input should be host:port"):
        load_search("search/demo.yaml", [f"Search.ray_address='{address}'"])
