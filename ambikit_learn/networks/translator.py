"""Translators: from the encodings of one modality at all viewpoints to those of the other one."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from ambikit_learn.networks.blocks import Dropout


class Translator(nn.Module):
    """A small transformer over the K viewpoints of a clip, without positional encoding.

    Its layers are post-norm with one head, and each ends in a ReLU, as in the baseline's code.

    Parameters
    ----------
    dim : int
        Width of the tokens.
    hidden : int
        Width inside the feed-forward part.
    dropout : float
        Dropout of the layers.
    depth : int
        Number of layers.
    """

    def __init__(self, dim: int, hidden: int, dropout: float, depth: int = 2) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(_Layer(dim, hidden, dropout) for _ in range(depth)))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (B, K, dim) of tokens (B, K, dim)."""
        out: Tensor = self.layers(tokens)
        return out


class _Layer(nn.Module):
    """A `torch.nn.TransformerEncoderLayer` with one head and dropout that is equal on all ranks."""

    def __init__(self, dim: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.attend_in, self.attend_out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.widen, self.narrow = nn.Linear(dim, hidden), nn.Linear(hidden, dim)
        self.norm_attention, self.norm_out = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.dropout = Dropout(dropout)
        # The initialisation of torch.nn.MultiheadAttention
        nn.init.xavier_uniform_(self.attend_in.weight)
        nn.init.zeros_(self.attend_in.bias)
        nn.init.zeros_(self.attend_out.bias)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.attend_in(x).chunk(3, -1)
        attention = (query @ key.mT / query.shape[-1] ** 0.5).softmax(-1)
        attended = self.attend_out(self.dropout(attention) @ value)
        x = self.norm_attention(x + self.dropout(attended))
        inner = self.narrow(self.dropout(functional.relu(self.widen(x))))
        return functional.relu(self.norm_out(x + self.dropout(inner)))
