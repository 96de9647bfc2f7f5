"""A oneDNN kernel over a batch, a few examples at a time.

OneDNN's kernels want arrays in layouts of their own. A part of a batch that is reordered, computed
with and reordered back stays in the processor's cache meanwhile; a whole batch would go through
memory twice more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from math import prod

import paddle

from autodl.networks.onednn import Description, Primitive, Reordering, Unsupported

_EXAMPLES = 16  # at a time at most; 8 to 32 take the same time on maps of 3x3 to 31x31
_NUMBERS = 1 << 20  # of one array at a time, so that large pictures stay in the cache too
_COMPILED = ("jit", "brg")  # how oneDNN's names of fast kernels begin


class Role(Enum):
    """What an array is to a kernel that goes over a batch."""

    INPUT = auto()  # an example of it to an example
    CONSTANT = auto()  # the same for all examples
    OUTPUT = auto()  # an example of it from an example
    SUM = auto()  # added up over the examples


@dataclass(frozen=True, slots=True)
class Operand:
    """An array of a kernel: oneDNN's name for it, its shape (of one example), its role."""

    argument: int
    shape: tuple[int, ...]
    role: Role

    @property
    def given(self) -> bool:
        return self.role in (Role.INPUT, Role.CONSTANT)

    @property
    def of_examples(self) -> bool:
        return self.role in (Role.INPUT, Role.OUTPUT)


def versions(tensors: Sequence[paddle.Tensor]) -> list[int]:
    """How often each tensor has been changed in place."""
    return [tensor.inplace_version for tensor in tensors]


def check_unchanged(tensors: Sequence[paddle.Tensor], before: Sequence[int]) -> None:
    """Refuse a gradient by values that are no longer those of the forward pass, as Paddle does.

    Raises:
        RuntimeError: one was changed in place since ``before``.
    """
    if versions(tensors) != list(before):
        raise RuntimeError(
            "what a gradient is computed from was changed in place after the forward pass; change a"
            " copy, by the operation without an underscore at its end"
        )


class _Part:
    """The kernel for so many examples, and what reorders its arrays."""

    def __init__(self, description: Description, operands: Sequence[Operand], size: int) -> None:
        layouts = [description.layout(operand.argument) for operand in operands]
        arguments = [operand.argument for operand in operands]
        self._kernel = Primitive(description.value, list(zip(arguments, layouts, strict=True)))
        self._operands = operands
        self._orders = [
            Reordering(
                (size, *operand.shape) if operand.of_examples else operand.shape,
                layout,
                back=not operand.given,
            )
            for operand, layout in zip(operands, layouts, strict=True)
        ]

    def over(self, arrays: Sequence[paddle.Tensor], starts: Sequence[int]) -> None:
        """Compute the parts of whole arrays that begin at these examples."""
        roles = [operand.role for operand in self._operands]
        rooms = [paddle.empty([order.room]) for order in self._orders]
        # a part's sum, before it is added
        sums = {
            place: paddle.empty_like(arrays[place])
            for place, role in enumerate(roles)
            if role is Role.SUM
        }
        own = [sums.get(place, array).data_ptr() for place, array in enumerate(arrays)]
        steps = [4 * prod(o.shape) if o.of_examples else 0 for o in self._operands]
        inner = [room.data_ptr() for room in rooms]
        for order, role, here, there in zip(self._orders, roles, own, inner, strict=True):
            if role is Role.CONSTANT and order.move is not None:
                order.move(here, there)
        for start in starts:
            outer = [here + start * step for here, step in zip(own, steps, strict=True)]
            moves = list(zip(self._orders, roles, outer, inner, strict=True))
            for order, role, here, there in moves:
                if role is Role.INPUT and order.move is not None:
                    order.move(here, there)
            self._kernel(
                *(there if order.move is not None else here for order, _, here, there in moves)
            )
            for order, role, here, there in moves:
                if role in (Role.OUTPUT, Role.SUM) and order.move is not None:
                    order.move(there, here)
            for place, part in sums.items():
                arrays[place].add_(part)


class BatchKernel:
    """A kernel that is compiled for the sizes of parts that batches turn out to have.

    ``implementation`` is oneDNN's name of it.

    Args:
        describe: the kernel for so many examples.
        operands: its arrays, those that are given first.

    Raises:
        Unsupported: oneDNN has none, or none that it compiles for the processor.
    """

    def __init__(self, describe: Callable[[int], Description], operands: Sequence[Operand]) -> None:
        self._describe, self._operands = describe, operands
        largest = max(prod(operand.shape) for operand in operands if operand.of_examples)
        self._size = max(1, min(_EXAMPLES, _NUMBERS // largest))
        self._parts: dict[int, _Part] = {}
        self.implementation = describe(self._size).implementation
        if not self.implementation.startswith(_COMPILED):
            raise Unsupported(f"oneDNN would compute it by {self.implementation}")
        self._part(self._size)  # what cannot be made is known here, not in the middle of a training

    def __call__(self, *given: paddle.Tensor) -> list[paddle.Tensor]:
        """Float32 arrays on the CPU, the first of them of a batch, to the others.

        Raises:
            NotImplementedError: a gradient of the results is wanted, as it is where a gradient is
                differentiated once more.
        """
        if paddle.is_grad_enabled() and not all(array.stop_gradient for array in given):
            raise NotImplementedError(
                "what oneDNN computes has no gradients of gradients; call eval() of convolutions,"
                " which are Paddle's then and have them"
            )
        batch = given[0].shape[0]
        arrays = [array.detach().contiguous() for array in given]
        for operand in self._operands[len(given) :]:
            if operand.role is Role.SUM:
                arrays.append(paddle.zeros(operand.shape))
            else:
                arrays.append(paddle.empty([batch, *operand.shape]))
        whole = batch - batch % self._size
        if whole:
            self._part(self._size).over(arrays, range(0, whole, self._size))
        if whole < batch:
            self._rest(arrays, len(given), whole)
        return arrays[len(given) :]

    def _rest(self, arrays: Sequence[paddle.Tensor], given: int, start: int) -> None:
        """The examples behind the whole parts, with others of zeros where it has to be."""
        count = arrays[0].shape[0] - start
        own = None
        with suppress(Unsupported):
            own = self._part(count)
        if own is not None:
            own.over(arrays, [start])
            return
        filled = []
        for place, (array, operand) in enumerate(zip(arrays, self._operands, strict=True)):
            if not operand.of_examples:
                filled.append(array)
                continue
            more = paddle.zeros([self._size, *operand.shape])
            if place < given:
                more[:count] = array[start:]
            filled.append(more)
        self._part(self._size).over(filled, [0])
        for place in range(given, len(arrays)):
            if self._operands[place].of_examples:
                arrays[place][start:] = filled[place][:count]

    def _part(self, size: int) -> _Part:
        if size not in self._parts:
            description = self._describe(size)
            if ("amx" in description.implementation) != ("amx" in self.implementation):
                raise Unsupported("a rest of a batch is not computed in another way than the batch")
            self._parts[size] = _Part(description, self._operands, size)
        return self._parts[size]
