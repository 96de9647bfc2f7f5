"""Which processors get AVX2 in Paddle's MKL."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from autodl.system.processor import VARIABLE, use_vector_units

AMD = "processor\t: 0\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu sse2 avx avx2 fma\n"


@pytest.mark.parametrize(
    "text, expected",
    [
        (AMD, {VARIABLE: "5"}),
        (AMD * 500, {VARIABLE: "5"}),
        (AMD.replace(" avx2", ""), {}),
        (AMD.replace(" avx2", " avx2x"), {}),
        (AMD.replace("AuthenticAMD", "GenuineIntel"), {}),
        ("", {}),
        ("Processor\t: ARMv8\n\u00fc", {}),
    ],
)
def test_only_amd_with_avx2(tmp_path, text, expected):
    file = tmp_path / "cpuinfo"
    file.write_text(text)
    environment: dict[str, str] = {}
    use_vector_units(environment, file)
    assert environment == expected


def test_what_the_user_says_stays(tmp_path):
    file = tmp_path / "cpuinfo"
    file.write_text(AMD)
    for value in ("4", ""):
        environment = {VARIABLE: value}
        use_vector_units(environment, file)
        assert environment == {VARIABLE: value}


def test_no_such_file_as_on_other_systems(tmp_path):
    environment: dict[str, str] = {}
    use_vector_units(environment, tmp_path / "none")
    assert environment == {}


def test_importing_the_package_does_it():
    kept = {name: value for name, value in os.environ.items() if name != VARIABLE}
    expected = dict(kept)
    use_vector_units(expected)
    program = f"import os, autodl; print(os.environ.get({VARIABLE!r}))"
    found = subprocess.run(
        [sys.executable, "-c", program], env=kept, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == str(expected.get(VARIABLE))
