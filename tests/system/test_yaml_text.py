"""YAML 1.2's core rules in reading and writing: whatever is written is read again as it was."""

from __future__ import annotations

import math

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from autodl.system.yaml_text import compose, dump, is_text, plain_scalar, quoted, scalar

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
# texts that are numbers and the like in some version of YAML
LOOKALIKES = st.from_regex(r"\A[-+0-9.:_eExoa-fnN~ yYtT#]{1,6}\Z")


def read(text):
    """What the nodes of ``text`` stand for."""

    def value(node):
        if isinstance(node, yaml.MappingNode):
            return {key.value: value(item) for key, item in node.value}
        if isinstance(node, yaml.SequenceNode):
            return [value(item) for item in node.value]
        return scalar(node)

    return value(compose(text))


def same(found, wanted):
    """Equal in value and type at every depth: 1, 1.0 and True differ."""
    return repr(found) == repr(wanted)


@given(PLAIN | LOOKALIKES)
@example({"classes": ["12e4", "20e1", "0200", "1:30", "yes", "0o7", "1_0", "~", "", "<<", "="]})
@example("\x85 \u2028\ufeff\0\U0001f600\n\n")
def test_any_text_and_any_plain_value_survives(value):
    for text in (dump(value), dump([value], nested_flow=True)):
        wanted = value if text == dump(value) else [value]
        assert text.isascii()
        assert same(read(text), wanted)
        # who reads by the rules of YAML 1.1 finds the same
        assert same(yaml.safe_load(text), wanted)


@given(st.text() | LOOKALIKES)
def test_a_quoted_text_is_one_line_and_itself(text):
    assert read(quoted(text)) == text
    assert quoted(text).isprintable()


def test_numbers_that_are_none():
    assert math.isnan(read(dump(math.nan)))


def test_mappings_keep_their_order_and_equal_lists_are_written_twice():
    shared = [1]
    assert dump({"b": shared, "a": shared}) == "b:\n- 1\na:\n- 1\n"


@pytest.mark.parametrize(
    "text, value", [(" 3 ", 3), ("", None), (" x ", " x "), ("1 # x", "1 # x"), ("0x", "0x")]
)
def test_a_plain_scalar_is_taken_whole(text, value):
    assert same(plain_scalar(text), value)


def test_names_of_other_bytes_are_no_text():
    assert is_text("caf\u00e9 \U0001f600")
    assert not is_text(b"caf\xe9".decode("utf-8", "surrogateescape"))
