"""What a convolution is told besides its kernel, read from Paddle's many ways to say it."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from autodl.plans.layers import Padding, Pair
from autodl.reparam.errors import ReparameterisationError


@dataclass(frozen=True, slots=True)
class ConvGeometry:
    """Channels, window, stride, zeros around the input, dilation and groups.

    ``padding`` is top, bottom, left, right; every other pair is height, width.
    """

    in_channels: int
    out_channels: int
    kernel: Pair
    stride: Pair = (1, 1)
    padding: Padding = (0, 0, 0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1

    def __post_init__(self) -> None:
        for name in ("in_channels", "out_channels", "groups"):
            if getattr(self, name) < 1:
                raise ReparameterisationError(
                    f"{name} must be at least 1, got {getattr(self, name)}"
                )
        for name in ("kernel", "stride", "dilation"):
            if min(getattr(self, name)) < 1:
                raise ReparameterisationError(
                    f"{name} must be at least 1, got {getattr(self, name)}"
                )
        if min(self.padding) < 0:
            raise ReparameterisationError(f"padding must be at least 0, got {self.padding}")
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise ReparameterisationError(
                f"groups {self.groups} must divide in_channels {self.in_channels} and"
                f" out_channels {self.out_channels}"
            )

    @classmethod
    def read(
        cls,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: int | str | Sequence[Any] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
    ) -> Self:
        """From the arguments of ``paddle.nn.Conv2D``, in every form that it takes.

        Raises:
            ReparameterisationError: a value out of range or no integer, or a padding that is no
                fixed number.
        """
        channels = whole("in_channels", in_channels), whole("out_channels", out_channels)
        kernel, steps = _pair("kernel_size", kernel_size), _pair("stride", stride)
        spread = _pair("dilation", dilation)
        sides = _sides(padding, kernel, steps, spread)
        return cls(*channels, kernel, steps, sides, spread, whole("groups", groups))

    @classmethod
    def of(cls, convolution: Any) -> Self:
        """Of a ``paddle.nn.Conv2D``."""
        return cls.read(
            convolution._in_channels,
            convolution._out_channels,
            convolution._kernel_size,
            convolution._stride,
            convolution._padding,
            convolution._dilation,
            convolution._groups,
        )

    @property
    def reach(self) -> Pair:
        """Rows above (or below) and columns left (or right) of the centre of an odd window."""
        (height, width), (down, right) = self.kernel, self.dilation
        return down * (height - 1) // 2, right * (width - 1) // 2

    @property
    def margin(self) -> Padding:
        """Zeros on each side beyond what the window reaches; negative where they are fewer.

        This is the padding of a 1x1 window whose outputs line up with this one's.
        """
        (rows, columns), (top, bottom, left, right) = self.reach, self.padding
        return top - rows, bottom - rows, left - columns, right - columns

    @property
    def is_odd(self) -> bool:
        """Whether the window has a centre."""
        return bool(self.kernel[0] % 2 and self.kernel[1] % 2)

    @property
    def is_depthwise(self) -> bool:
        """Whether every output channel reads one channel of its own."""
        return self.groups == self.in_channels == self.out_channels

    @property
    def paddle_padding(self) -> list[int]:
        """``padding`` in Paddle's shorter form where both sides agree."""
        return short_padding(self.padding)

    def require_odd(self) -> None:
        """Check that the window has a centre for the smaller windows to stand in.

        Raises:
            ReparameterisationError: a side of the kernel is even.
        """
        if not self.is_odd:
            raise ReparameterisationError(
                f"the kernel {list(self.kernel)} has an even side, so it has no centre for the"
                " smaller ones; use an odd one"
            )

    def require_centred(self) -> None:
        """Check that padding equals the window's reach, so that a stride of 1 keeps the size.

        Raises:
            ReparameterisationError: it does not.
        """
        self.require_odd()
        rows, columns = self.reach
        if any(self.margin):
            raise ReparameterisationError(
                f"padding {list(self.padding)} (top, bottom, left, right) does not match the"
                f" kernel {list(self.kernel)} of dilation {list(self.dilation)}; it must be"
                f" {[rows, rows, columns, columns]}"
            )


def short_padding(padding: Padding) -> list[int]:
    """Paddle's shorter form where both sides agree, which its faster kernels take."""
    top, bottom, left, right = padding
    return [top, left] if top == bottom and left == right else [top, bottom, left, right]


def whole(name: str, value: Any, allowed: str = "an integer") -> int:
    """Python's integer for an argument, which may also be one of NumPy's, but not True or False.

    Raises:
        ReparameterisationError: it is none.
    """
    try:
        if not isinstance(value, bool):
            return operator.index(value)
    except TypeError:
        pass  # refused as a bool is
    raise ReparameterisationError(f"{name} must be {allowed}, got {value!r}")


def _pair(name: str, value: int | Sequence[int]) -> Pair:
    allowed = "one integer or two"
    values = list(value) if isinstance(value, Sequence) else [value, value]
    if len(values) != 2:
        raise ReparameterisationError(f"{name} must be {allowed}, got {value!r}")
    return whole(name, values[0], allowed), whole(name, values[1], allowed)


def _sides(
    padding: int | str | Sequence[Any], kernel: Pair, stride: Pair, dilation: Pair
) -> Padding:
    """Top, bottom, left and right of Paddle's ``padding`` argument."""
    if isinstance(padding, str):
        return _named_sides(padding, kernel, stride, dilation)
    values: list[Any] = list(padding) if isinstance(padding, Sequence) else [padding]
    if len(values) == 4 and all(isinstance(value, list | tuple) for value in values):
        batch, channel, rows, columns = values
        if list(batch) == list(channel) == [0, 0]:
            values = [*rows, *columns]
    allowed = "a number, two (height, width) or four (top, bottom, left, right)"
    if len(values) not in (1, 2, 4):
        raise ReparameterisationError(f"padding must be {allowed}, got {padding!r}")
    values = [whole("padding", value, allowed) for value in values]
    if len(values) == 4:
        return values[0], values[1], values[2], values[3]
    return values[0], values[0], values[-1], values[-1]


def _named_sides(padding: str, kernel: Pair, stride: Pair, dilation: Pair) -> Padding:
    if padding.upper() == "VALID":
        return 0, 0, 0, 0
    if padding.upper() != "SAME":
        raise ReparameterisationError(
            f"padding {padding!r} is unknown; use numbers, 'SAME' or 'VALID'"
        )
    if stride != (1, 1):
        raise ReparameterisationError(
            f"padding 'SAME' with stride {list(stride)} depends on the input's size; use numbers"
        )
    # Paddle ignores the dilation that it is given with SAME
    rows, columns = kernel[0] - 1, kernel[1] - 1
    if dilation != (1, 1):
        raise ReparameterisationError(
            f"padding 'SAME' makes Paddle drop dilation {list(dilation)}; use numbers"
        )
    return rows // 2, rows - rows // 2, columns // 2, columns - columns // 2
