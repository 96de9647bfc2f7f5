"""YAML as the project reads and writes it: the core schema of YAML 1.2 (section 10.3).

PyYAML follows YAML 1.1, where ``1:30`` is ninety, ``0200`` is 128 and ``no`` is false. Here those
are the text ``1:30``, the number 200 and the text ``no``. What is written is quoted wherever a
reader of either version would take it for something else.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias

import yaml

Scalar: TypeAlias = bool | int | float | str | None

MOST_DIGITS = 1000  # of an integer; Python itself stops at 4,300, but not with hexadecimal ones

_TAG = "tag:yaml.org,2002:"
_STR = f"{_TAG}str"


def _integer(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ValueError(f"a number of {len(text):,} digits; {MOST_DIGITS:,} are the most")
    return int(text, 10 if text[:2] not in ("0o", "0x") else 0)


def _float(text: str) -> float:
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


# in the order in which the schema tries them
_RULES: dict[str, tuple[re.Pattern[str], Callable[[str], Scalar]]] = {
    f"{_TAG}null": (re.compile(r"(?:null|Null|NULL|~|)\Z"), lambda text: None),
    f"{_TAG}bool": (
        re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"),
        lambda text: text.lower() == "true",
    ),
    f"{_TAG}int": (re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z"), _integer),
    f"{_TAG}float": (
        re.compile(
            r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
            r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
        ),
        lambda text: _float(text.lower()),
    ),
}


class _Loader(yaml.SafeLoader):
    """Composes nodes; what a plain scalar is follows the core schema."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        """The tag of a node that names none; ``implicit[0]`` says that a scalar is plain."""
        if kind is yaml.ScalarNode:
            return _tag(value) if implicit[0] else _STR
        return f"{_TAG}{'seq' if kind is yaml.SequenceNode else 'map'}"


class _Dumper(yaml.SafeDumper):
    """Quotes what YAML 1.1 or 1.2 would not read as text, and spells every value out."""

    def ignore_aliases(self, data: Any) -> bool:
        """Equal values are written as often as they occur."""
        return True


for _tag_name, (_pattern, _) in _RULES.items():
    _Dumper.add_implicit_resolver(_tag_name, _pattern, None)


def _tag(text: str) -> str:
    return next((tag for tag, (pattern, _) in _RULES.items() if pattern.match(text)), _STR)


def compose(text: str) -> yaml.Node | None:
    """The one document in ``text`` as nodes with lines and tags; None if it is empty.

    Raises:
        yaml.YAMLError: it is not YAML, or more than one document.
        RecursionError: it is nested too deeply.
    """
    loader = _Loader(text)
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


def check_tag(node: yaml.Node) -> None:
    """Refuse a list or mapping that a tag makes something else (``!!set``, ``!!python/...``).

    Raises:
        ValueError: it is one.
    """
    if not isinstance(node, yaml.ScalarNode) and node.tag not in (f"{_TAG}seq", f"{_TAG}map"):
        raise ValueError(f"could not determine what {node.tag!r} is; leave the tag out")


def scalar(node: yaml.ScalarNode) -> Scalar:
    """The value of a scalar node.

    Raises:
        ValueError: its tag is not of the core schema or does not fit, the number is too long, or
            the text holds half of a surrogate pair, which no file can.
    """
    if node.tag == _STR:
        if not is_text(node.value):
            raise ValueError(f"{node.value!r} is no text: half of a surrogate pair stands alone")
        return str(node.value)
    if node.tag not in _RULES:
        raise ValueError(f"could not determine what {node.tag!r} is; leave the tag out")
    pattern, convert = _RULES[node.tag]
    if not pattern.match(node.value):
        raise ValueError(f"{node.value[:40]!r} is no {node.tag.removeprefix(_TAG)}")
    return convert(node.value)


def plain_scalar(text: str) -> Scalar:
    """What ``text``, without quotes, stands for; spaces around a number do not count.

    Raises:
        ValueError: the number is too long.
    """
    bare = text.strip()
    tag = _tag(bare)
    return text if tag == _STR else _RULES[tag][1](bare)


def is_text(text: str) -> bool:
    """Whether UTF-8 can hold ``text``; names of files that are other bytes come as surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def dump(value: Any, *, nested_flow: bool = False) -> str:
    """Plain values (None, bool, numbers, text, lists, mappings) as YAML in ASCII.

    Reading gives equal values of the same types (tuples come back as lists), by the rules of
    YAML 1.1 and 1.2 alike. Mappings keep their order.

    Args:
        nested_flow: write the innermost lists and mappings on one line, as people do.
    """
    return yaml.dump(
        value,
        Dumper=_Dumper,
        sort_keys=False,
        default_flow_style=None if nested_flow else False,
        width=100 if nested_flow else 80,
    )


def quoted(text: str) -> str:
    """``text`` in double quotes on one line, for the value of ``-o Section.key=...``."""
    line = yaml.dump(text, Dumper=_Dumper, default_style='"', width=2**31)
    return line.rstrip("\n")
