"""A small head on frozen embeddings."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def train_head(features: Tensor, labels: Tensor, *, seed: int, epochs: int = 10) -> nn.Module:
    """Concatenation -> dropout 0.5 -> 512 -> ReLU -> 1, with each view as a separate example."""
    mean, scale = features.mean((0, 1)), features.std((0, 1)) + 1e-6
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = Head(mean, scale)
        optimizer = torch.optim.Adam(head.parameters(), lr=1e-3, weight_decay=1e-5)
        # Without the decay, which is the baseline's, the last step changes accuracies by points
        schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [8], gamma=0.1)
        targets = labels[:, None].expand(features.shape[:2])
        for _ in range(epochs):
            for index in torch.split(torch.randperm(len(features)), 32):
                loss = nn.functional.binary_cross_entropy_with_logits(
                    head(features[index]), targets[index]
                )
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
            schedule.step()
    return head.eval()


class Head(nn.Module):
    """The baseline's binary classifier, on standardised embeddings."""

    def __init__(self, mean: Tensor, scale: Tensor, hidden: int = 512) -> None:
        super().__init__()
        self.mean, self.scale = nn.Buffer(mean), nn.Buffer(scale)
        self.layers = nn.Sequential(
            nn.Dropout(0.5), nn.Linear(len(mean), hidden), nn.ReLU(), nn.Linear(hidden, 1)
        )

    def forward(self, features: Tensor) -> Tensor:
        """(..., 2 * width) -> (...)."""
        logits: Tensor = self.layers((features - self.mean) / self.scale)
        return logits.squeeze(-1)
