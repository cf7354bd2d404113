"""Draw docs/decoders.png: python docs/decoder_figures.py."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import ambikit
from ambikit import plot

DECODERS = [("4+7+0", 1), ("4+7+0", 3), ("9+10+3", 3)]


def main() -> None:
    """Draw level and direction error of AllRAD with max-rE on three layouts."""
    figure, rows = plt.subplots(3, 2, figsize=(11, 9), layout="constrained")
    for (layout, order), (left, right) in zip(DECODERS, rows, strict=True):
        matrix = ambikit.decoder_matrix(layout, order, weighting="max_re")
        grid = plot.equirectangular_grid(90, 180)
        quality = ambikit.decoder_quality(matrix, layout, *grid)
        table = ambikit.loudspeaker_layout(layout)
        marked = ambikit.Directions(table[:, 0], table[:, 1], np.ones(len(table)))
        for axes, values, unit, what in (
            (left, quality.level, "dB", "level"),
            (right, np.rad2deg(quality.error), "°", "direction error of rE"),
        ):
            plot.heat_map(values, sources=marked, label=unit, ax=axes)
            axes.set_title(f"{layout}, order {order}: {what}")
    figure.savefig(Path(__file__).with_name("decoders.png"), dpi=70)


if __name__ == "__main__":
    main()
