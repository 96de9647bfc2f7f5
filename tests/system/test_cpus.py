"""Cores by affinity and by the quotas of control groups, from made-up files of /proc and /sys."""

from __future__ import annotations

import os

import pytest

from autodl.system import cpus
from autodl.system.cpus import cores_in_affinity, usable_cpus


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch):
    monkeypatch.setattr(cpus, "cores_in_affinity", lambda: 8)


@pytest.fixture
def process(tmp_path):
    """Makes a /proc/self: what groups it is in, what is mounted as what, and the quotas."""

    def make(groups, mounts, **quotas):
        folder = tmp_path / "self"
        folder.mkdir()
        (folder / "cgroup").write_text("".join(f"{line}\n" for line in groups))
        lines = [
            f"31 23 0:28 {root} {tmp_path / place} rw,relatime - {kind} {kind} {options}\n"
            for root, place, kind, options in mounts
        ]
        (folder / "mountinfo").write_text("1 0 0:1 / / rw - ext4 /dev/sda rw\n" + "".join(lines))
        for path, content in quotas.pop("files").items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        return folder

    return make


V2 = [("/", "unified", "cgroup2", "rw,nsdelegate")]
V1 = [("/", "cpuacct", "cgroup", "rw,cpuacct"), ("/", "cpu", "cgroup", "rw,cpu,cpuacct")]


@pytest.mark.parametrize(
    "quota, cores",
    [
        ("50000 100000", 1),
        ("100000 100000", 1),
        ("150000 100000", 1),
        ("399999 100000", 3),
        ("400000 100000", 4),
        ("1600000 100000", 8),
        ("max 100000", 8),
        ("nonsense", 8),
        ("1 0", 8),
    ],
)
def test_the_quota_of_version_2(process, quota, cores):
    folder = process(["0::/job"], V2, files={"unified/job/cpu.max": f"{quota}\n"})
    assert usable_cpus(folder) == cores


def test_the_least_of_all_parents_counts(process):
    files = {
        "unified/a/b/c/cpu.max": "max 100000",
        "unified/a/b/cpu.max": "300000 100000",
        "unified/a/cpu.max": "200000 100000",
        "unified/cpu.max": "700000 100000",
        "unified/other/cpu.max": "100000 100000",
    }
    assert usable_cpus(process(["0::/a/b/c"], V2, files=files)) == 2


@pytest.mark.parametrize("quota, cores", [("250000", 2), ("-1", 8)])
def test_the_quota_of_version_1(process, quota, cores):
    files = {
        "cpu/job/cpu.cfs_quota_us": f"{quota}\n",
        "cpu/job/cpu.cfs_period_us": "100000\n",
        "cpuacct/job/cpu.cfs_quota_us": "1\n",
        "cpuacct/job/cpu.cfs_period_us": "1\n",
    }
    groups = ["3:cpuset:/", "2:cpu,cpuacct:/job", "1:name=systemd:/job", "0::/"]
    assert usable_cpus(process(groups, V1, files=files)) == cores


@pytest.mark.parametrize("group", ["/docker/7f", "/kubepods/pod1/7f"])
def test_a_container_sees_its_own_group_as_the_root(process, group):
    """Version 1 without a namespace: the group is told from the host's root, or from elsewhere."""
    mounts = [("/docker/7f", "cpu", "cgroup", "rw,cpu")]
    files = {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "50000"}
    assert usable_cpus(process([f"4:cpu:{group}"], mounts, files=files)) == 2


def test_a_system_without_control_groups(tmp_path):
    assert usable_cpus(tmp_path) == 8


def test_affinity_is_that_of_the_system():
    # the function itself: the fixture replaced only the name in the module
    assert cores_in_affinity() == len(os.sched_getaffinity(0))
