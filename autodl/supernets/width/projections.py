"""The projections P and Q of affine parameter sharing, and how much they share.

A projection matrix holds all candidates of an axis side by side: ``[groups, C, N]`` with ``C`` meta
channels and ``N`` the sum of the candidate widths; candidate ``a`` owns the columns
``columns(widths)[a]``. There is one group, or one for each candidate of the other axis where every
pair of candidates has projections of its own (the authors' code). Everything here is NumPy: the
sharing is annealed without looking at a picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from autodl.errors import ConfigError

Matrix: TypeAlias = NDArray[np.floating[Any]]
LossKind: TypeAlias = Literal["l1", "l2"]


def columns(widths: Sequence[int]) -> tuple[slice, ...]:
    """The columns of each candidate."""
    ends = np.cumsum(widths).tolist()
    return tuple(slice(end - width, end) for end, width in zip(ends, widths, strict=True))


def first_rows(widths: Sequence[int], overlap: float) -> tuple[int, ...]:
    """The meta channel at which each candidate starts: ``sum_{p<a} int((1 - overlap) c_p)``."""
    steps = [int((1.0 - overlap) * width) for width in widths]
    return tuple(sum(steps[:a]) for a in range(len(widths)))


def layout(widths: Sequence[int], meta: int, overlap: float, times: int = 1) -> Matrix:
    """Identity blocks: candidate ``a`` takes ``c_a`` meta channels from its first row on.

    Overlap 1 is ordinal sharing (all candidates start at 0), 0 is independent (disjoint rows).

    Args:
        widths: of the candidates, before ``times``.
        meta: meta channels, before ``times``.
        times: of axes that hold several equal parts, such as a concatenation.

    Returns:
        float64 ``[times * meta, times * sum(widths)]``.

    Raises:
        ConfigError: the candidates need more meta channels.
    """
    if not 0.0 <= overlap <= 1.0:
        raise ConfigError(f"Supernet.overlap is from 0 to 1, got {overlap}")
    starts = first_rows(widths, overlap)
    needed = max(start + width for start, width in zip(starts, widths, strict=True))
    if needed > meta:
        raise ConfigError(
            f"a meta width of {meta} is too small: candidates {list(widths)} with overlap"
            f" {overlap:g} need {needed}; raise Supernet.meta_width, or leave it out"
        )
    blocks = []
    for start, width in zip(starts, widths, strict=True):
        block = np.zeros((meta, width))
        block[start + np.arange(width), np.arange(width)] = 1.0
        blocks.append(np.kron(np.eye(times), block))
    return np.concatenate(blocks, axis=1)


def gram(matrix: Matrix) -> Matrix:
    """Inner products of all columns, ``[groups, N, N]``."""
    product: Matrix = matrix.swapaxes(-1, -2) @ matrix
    return product


def off_diagonal(products: Matrix) -> Matrix:
    """Inner products of different columns; 0 on the diagonal."""
    result = products.copy()
    every = np.arange(products.shape[-1])
    result[..., every, every] = 0.0
    return result


def orthogonality_loss(matrix: Matrix, kind: LossKind = "l1") -> float:
    """Sum over groups and over ordered pairs of different columns of |<u, v>|, or its square.

    The pairs within a candidate are among them: without these, candidates lose their rank.
    """
    products = off_diagonal(gram(matrix))
    return float(np.abs(products).sum() if kind == "l1" else np.square(products).sum())


def orthogonality_gradient(matrix: Matrix, kind: LossKind = "l1") -> Matrix:
    """Gradient of ``orthogonality_loss``; of l1, the subgradient that is 0 at 0."""
    products = off_diagonal(gram(matrix))
    result: Matrix = 2.0 * matrix @ np.sign(products) if kind == "l1" else 4.0 * matrix @ products
    return result


def unit_columns(matrix: Matrix) -> Matrix:
    """Every column divided by its norm.

    Raises:
        ValueError: a column is 0.
    """
    norms = np.sqrt(np.square(matrix).sum(axis=-2, keepdims=True))
    if not norms.all():
        raise ValueError("a column of a projection is 0 and has no direction")
    result: Matrix = matrix / norms
    return result


def descend(
    matrix: Matrix,
    velocity: Matrix,
    *,
    rate: float,
    momentum: float,
    weight: float,
    kind: LossKind,
    also: Matrix | None = None,
    decay: float = 0.0,
) -> tuple[Matrix, Matrix]:
    """One step of projected gradient descent: SGD with momentum, then unit columns.

    Args:
        weight: of the orthogonality loss.
        also: a further gradient, of the cross-entropy where it is let in.
        decay: of the matrix. It shortens columns, which normalising undoes: it turns none of them,
            but for what is left of it in the velocity.

    Returns:
        The new matrix and the new velocity.
    """
    gradient = weight * orthogonality_gradient(matrix, kind)
    if also is not None:
        gradient = gradient + also
    if decay:
        gradient = gradient + decay * matrix
    velocity = momentum * velocity + gradient
    return unit_columns(matrix - rate * velocity).astype(matrix.dtype), velocity


def block_norms(products: Matrix, widths: Sequence[int]) -> Matrix:
    """Squared Frobenius norm of every candidate's block of a Gram matrix, ``[..., A, A]``."""
    ends = np.concatenate([[0], np.cumsum(widths)[:-1]])
    squares = np.square(products)
    result: Matrix = np.add.reduceat(np.add.reduceat(squares, ends, axis=-2), ends, axis=-1)
    return result


@dataclass(frozen=True, slots=True)
class SharingLevel:
    """How much the candidates of one layer share.

    ``level`` is Phi: the sum, over ordered pairs of different candidates of the whole kernel, of
    ``||P_a^T P_a'||^2 ||Q_b^T Q_b'||^2``, which is the squared Frobenius norm of the covariance of
    two projected kernels whose meta weights are independent with variance 1. ``output`` and
    ``input`` are its parts: the sums for P and Q alone, over different candidates.
    """

    level: float
    output: float
    input: float


def sharing(
    output: Matrix, output_widths: Sequence[int], inner: Matrix, input_widths: Sequence[int]
) -> SharingLevel:
    """Phi of one layer in closed form.

    Args:
        output: P, ``[1 or B, C_out, sum of output widths]``.
        inner: Q, ``[1 or A, C_in, sum of input widths]``; A and B are the numbers of candidates.
    """
    p = _pair_norms(output, output_widths)
    q = _pair_norms(inner, input_widths)
    if len(output) == len(inner) == 1:  # S_P S_Q - D_P D_Q
        level = p.sum() * q.sum() - np.trace(p) * np.trace(q)
    else:
        a, b = len(output_widths), len(input_widths)
        # pairs of P come as (b, a): bring both to (a, b), and repeat what does not depend on b or a
        p = np.broadcast_to(p.reshape(len(output), a, len(output), a), (b, a, b, a))
        q = np.broadcast_to(q.reshape(len(inner), b, len(inner), b), (a, b, a, b))
        both = (p.transpose(1, 0, 3, 2) * q).reshape(a * b, a * b)
        level = both.sum() - np.trace(both)
    return SharingLevel(float(level), _cross(output, output_widths), _cross(inner, input_widths))


def _pair_norms(matrix: Matrix, widths: Sequence[int]) -> Matrix:
    """Norms between all candidates of all groups, ``[groups * A, groups * A]``."""
    groups, meta, total = matrix.shape
    flat = matrix.astype(np.float64).transpose(1, 0, 2).reshape(meta, groups * total)
    return block_norms(gram(flat), [*widths] * groups)


def _cross(matrix: Matrix, widths: Sequence[int]) -> float:
    """Sum over different candidates within a group, averaged over the groups."""
    within = block_norms(gram(matrix.astype(np.float64)), widths)
    return float((within.sum() - np.trace(within, axis1=-2, axis2=-1).sum()) / len(matrix))


def smallest_singular_value(matrix: Matrix, widths: Sequence[int]) -> float:
    """The rank guard: over all candidates of all groups; 1 where columns are orthonormal."""
    return float(
        min(np.linalg.svd(matrix[..., part], compute_uv=False).min() for part in columns(widths))
    )


def welch_bound(count: int, meta: int) -> float:
    """The least possible sum of squared products of ``count`` unit columns, ordered pairs."""
    return max(count * count / meta - count, 0.0)


def noisy(matrix: Matrix, noise: float, rng: np.random.Generator, groups: int) -> Matrix:
    """Copies of a layout with Gaussian noise of their own: float32 ``[groups, C, N]``.

    Columns have unit norm from the start, as after every step of ``descend``: else Phi would fall
    by the first step's normalisation alone, and not because anything is shared less. Without noise
    the ordinal point is stationary: the loss would never move it.
    """
    shape = (groups, *matrix.shape)
    return unit_columns(matrix + noise * rng.standard_normal(shape)).astype(np.float32)


def uniform_bound(fan_in: int) -> float:
    """Limit of Kaiming's uniform distribution with ``a = sqrt(5)``: ``1 / sqrt(fan_in)``."""
    return sqrt(6.0 / ((1.0 + 5.0) * fan_in))
