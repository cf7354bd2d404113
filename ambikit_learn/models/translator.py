"""From the viewpoints of one modality to what the other modality would see or hear there."""

from __future__ import annotations

from torch import Tensor, nn


class Translator(nn.Module):
    """A small transformer over the K viewpoints of a clip, which have no order.

    Post-norm layers of one head, each closed by a ReLU, as in the baseline's code.

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
        layers: list[nn.Module] = []
        for _ in range(depth):
            layer = nn.TransformerEncoderLayer(dim, 1, hidden, dropout, batch_first=True)
            layers += [layer, nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (B, K, dim) of tokens (B, K, dim)."""
        out: Tensor = self.layers(tokens)
        return out
