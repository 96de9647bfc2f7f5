"""The architecture of networks with nothing to choose."""

import pytest

from autodl.errors import EncodingError
from autodl.spaces.codec import decode_text, encode_text
from autodl.spaces.fixed import FixedArchitecture


def test_round_trip():
    text = encode_text(FixedArchitecture())
    assert text == '{"kind":"fixed","version":1}'
    assert decode_text(text) == FixedArchitecture()


@pytest.mark.parametrize(
    "text, wanted",
    [
        ('{"kind":"fixed","version":2}', "version"),
        ('{"kind":"fixed","version":1,"width":3}', "wid"),
    ],
)
def test_what_is_refused(text, wanted):
    with pytest.raises(EncodingError, match=wanted):
        decode_text(text)
