"""NAO's network: architectures into a space where accuracy has a gradient, and back.

An LSTM encodes the sequence of decisions, a predictor reads the accuracy from the code, a decoder
with attention writes the sequence again. Moving the code along the predictor's gradient and
decoding it gives an architecture that should be better.
Source: neural architecture optimisation (Luo, Tian, Qin, Chen and Liu, 2018), the sizes of NAO_V1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import paddle
import paddle.nn.functional as F
from numpy.typing import NDArray
from paddle import nn

from autodl.agents.nao_sequences import START, Vocabulary
from autodl.agents.options import NaoOptions
from autodl.spaces.space import Integers

_NEVER = -1e9  # logit of a token that a position does not have


def unit(vectors: paddle.Tensor) -> paddle.Tensor:
    """Vectors ``[..., D]`` of length 1."""
    return F.normalize(vectors, p=2, axis=-1)


def embedding_of(states: paddle.Tensor) -> paddle.Tensor:
    """The architecture's vector ``[B, D]``: the mean of states ``[B, T, D]``, of length 1."""
    return unit(states.mean(axis=1))


def uphill(
    states: paddle.Tensor, predict: Callable[[paddle.Tensor], paddle.Tensor], distance: float
) -> paddle.Tensor:
    """States ``[B, T, D]`` moved by ``distance`` times the gradient of what is predicted of them.

    Args:
        predict: from architecture vectors ``[B, D]`` to predictions ``[B]``, larger is better.
        distance: 0 changes nothing, as states have length 1 already.
    """
    leaves = states.detach()
    leaves.stop_gradient = False
    gradient = paddle.grad(predict(embedding_of(leaves)).sum(), leaves)[0]
    return unit(leaves + distance * gradient).detach()


@dataclass(frozen=True, slots=True)
class Losses:
    """Of one batch: all in all, of the predictor, and of the decoder a token."""

    total: paddle.Tensor
    predictor: paddle.Tensor
    decoder: paddle.Tensor


class NaoNetwork(nn.Layer):
    """Encoder, predictor and decoder over rows of decisions."""

    def __init__(self, sizes: Sequence[int], options: NaoOptions) -> None:
        """``sizes`` are those of the decisions, ``Coded.sizes``."""
        super().__init__()
        self.vocabulary = vocabulary = Vocabulary(sizes)
        self._ratio, hidden = options.tokens_per_step, options.hidden
        self._weight = options.predictor_weight
        self._spare = -len(sizes) % self._ratio
        self.embedding = nn.Embedding(vocabulary.tokens, options.embedding)
        self.encoder = nn.LSTM(options.embedding * self._ratio, hidden)
        layers = list[nn.Layer]()
        width = hidden
        for _ in range(options.predictor_layers):
            layers += [nn.Linear(width, options.predictor_width), nn.ReLU()]
            layers.append(nn.Dropout(options.dropout))
            width = options.predictor_width
        self.predictor = nn.Sequential(*layers, nn.Linear(width, 1))
        self.decoder_embedding = nn.Embedding(vocabulary.tokens, hidden)
        self.decoder = nn.LSTM(hidden, hidden)
        self.attended = nn.Linear(2 * hidden, hidden)
        self.output = nn.Linear(hidden, vocabulary.tokens)
        closed = np.where(vocabulary.allowed, 0.0, _NEVER).astype("float32")
        self._closed = paddle.to_tensor(closed)

    def encode(self, rows: Integers) -> paddle.Tensor:
        """States of unit length, ``[B, steps, hidden]``, of rows int64 ``[B, decisions]``."""
        embedded = self.embedding(paddle.to_tensor(self.vocabulary.encode(rows)))
        if self._spare:
            embedded = F.pad(embedded, [0, 0, 0, self._spare, 0, 0], pad_from_left_axis=True)
        batch, length, width = embedded.shape
        grouped = embedded.reshape([batch, length // self._ratio, self._ratio * width])
        states, _ = self.encoder(grouped)
        return unit(states)

    def predict(self, vectors: paddle.Tensor) -> paddle.Tensor:
        """Accuracy in 0 ... 1, ``[B]``, of architecture vectors ``[B, hidden]``."""
        return F.sigmoid(self.predictor(vectors)).squeeze(-1)

    def losses(self, rows: Integers, targets: NDArray[np.float64]) -> Losses:
        """Squared error of predictions, and negative log-likelihood of the rows themselves.

        Args:
            rows: int64 ``[B, decisions]``.
            targets: in 0 ... 1, ``[B]``.
        """
        states = self.encode(rows)
        aims = paddle.to_tensor(targets.astype("float32"))
        error = F.mse_loss(self.predict(embedding_of(states)), aims)
        tokens = self.vocabulary.encode(rows)
        before = np.concatenate([np.full((len(rows), 1), START), tokens[:, :-1]], axis=1)
        read, _ = self.decoder(
            self.decoder_embedding(paddle.to_tensor(before)), _initial(embedding_of(states))
        )
        logits = self._logits(read, states) + self._closed
        loss = F.cross_entropy(logits, paddle.to_tensor(tokens).unsqueeze(-1))
        return Losses(self._weight * error + (1.0 - self._weight) * loss, error, loss)

    def _logits(self, read: paddle.Tensor, states: paddle.Tensor) -> paddle.Tensor:
        """Of tokens, ``[B, n, tokens]``, from the decoder's states with attention to all states."""
        weights = F.softmax(paddle.matmul(read, states, transpose_y=True), axis=-1)
        context = paddle.matmul(weights, states)
        return self.output(paddle.tanh(self.attended(paddle.concat([context, read], axis=-1))))

    def decode(self, states: paddle.Tensor) -> Integers:
        """The likeliest token at each position, greedily; always rows of the space.

        Args:
            states: of unit length, ``[B, steps, hidden]``.
        """
        batch = states.shape[0]
        memory = _initial(embedding_of(states))
        last, tokens = np.full((batch, 1), START), list[Integers]()
        with paddle.no_grad():
            for closed in self._closed:
                embedded = self.decoder_embedding(paddle.to_tensor(last))
                read, memory = self.decoder(embedded, memory)
                last = (self._logits(read, states) + closed).argmax(axis=-1).numpy()
                tokens.append(last)
        return self.vocabulary.decode(np.concatenate(tokens, axis=1))


def _initial(vectors: paddle.Tensor) -> tuple[paddle.Tensor, paddle.Tensor]:
    """The decoder's first state and cell: the architecture vector."""
    return vectors.unsqueeze(0), vectors.unsqueeze(0)
