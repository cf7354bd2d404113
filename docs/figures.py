"""Draw the pictures of the documentation from what the packages compute: python docs/figures.py.

`conventions.png` needs `ambikit[plot]`, `scene.png` also `ambikit[learn]`; no data is read.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import pyplot as plt

import ambikit

INK, GREY, PAPER = "#222222", "#9a9a9a", "#f3f5f8"
YAW, PITCH, ROLL, SOURCE = "#1f6fb4", "#c8553d", "#3b8f56", "#8b3fa8"
SOURCE_AT = (50, 35)
CAMERA = ambikit.angles_to_vector(-152, 22, degrees=True)  # behind the listener, a little right


def project(points):
    """Return points as the camera sees them: across, up, and whether on the near side."""
    right = np.cross([0, 0, 1], CAMERA)
    right /= np.linalg.norm(right)
    points = np.asarray(points)
    return points @ right, points @ np.cross(CAMERA, right), points @ CAMERA >= -1e-9


def circle(ax, points, color, width):
    """Draw a circle on the sphere, dotted where the sphere hides it."""
    across, up, near = project(points)
    for visible, style in ((near, "-"), (~near, (0, (1, 2)))):
        shown = np.where(visible, 1.0, np.nan)
        ax.plot(across * shown, up * shown, color=color, lw=width, ls=style, zorder=2)


def path_arrow(ax, points, color):
    """Draw a path with an arrow at its end."""
    ax.plot(*project(points[:-4])[:2], color=color, lw=2.2, zorder=3)
    arrow(ax, points[-5], points[-1], color, 2.2)


def arrow(ax, start, end, color, width=1.6):
    """Draw a straight arrow between two points in space."""
    (x0, x1), (y0, y1), _ = project([start, end])
    style = {"arrowstyle": "-|>", "color": color, "lw": width, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", (x1, y1), (x0, y0), arrowprops=style | {"mutation_scale": 13}, zorder=4)


def note(ax, point, text, color=INK, **options):
    """Write at a point in space."""
    across, up, _ = project(point)
    options = {"ha": "center", "va": "center", "fontsize": 9.5} | options
    ax.text(across, up, text, color=color, zorder=5, **options)


def sphere(ax, title):
    """Draw the outline, the horizon, the median plane and the three axes."""
    ax.add_patch(plt.Circle((0, 0), 1, facecolor=PAPER, edgecolor=GREY, lw=1))
    turn = np.linspace(-180, 180, 361)
    circle(ax, ambikit.angles_to_vector(turn, 0, degrees=True), GREY, 0.9)
    tilt = ambikit.rotation_matrix(0, turn, 0, degrees=True) @ [1, 0, 0]
    circle(ax, tilt, "#cccccc", 0.7)
    names = (("x front", "left"), ("y left", "right"), ("z up", "center"))
    for axis, (name, side) in zip(np.eye(3), names, strict=True):
        arrow(ax, np.zeros(3), 1.28 * axis, INK)
        note(ax, 1.34 * axis + [0, 0, 0.08], name, ha=side, fontweight="bold")
    ax.set(xlim=(-1.62, 1.62), ylim=(-1.22, 1.62), aspect="equal")
    ax.set_title(title, fontsize=11.5)
    ax.axis("off")


def directions(ax):
    """Draw azimuth and elevation of one source."""
    sphere(ax, "Directions")
    azimuth, elevation = SOURCE_AT
    source = ambikit.angles_to_vector(azimuth, elevation, degrees=True)
    foot = ambikit.angles_to_vector(azimuth, 0, degrees=True)
    sweep = np.linspace(0, 1, 60)
    radius = 0.62
    along = radius * ambikit.angles_to_vector(azimuth * sweep, 0, degrees=True)
    rise = radius * ambikit.angles_to_vector(azimuth, elevation * sweep, degrees=True)
    path_arrow(ax, along, YAW)
    path_arrow(ax, rise, PITCH)
    ax.plot(*project([np.zeros(3), foot])[:2], color=GREY, lw=1, ls="--", zorder=2)
    ax.plot(*project([np.zeros(3), source])[:2], color=SOURCE, lw=1.6, zorder=3)
    ax.plot(*project(source)[:2], "o", color=SOURCE, ms=8, zorder=5)
    note(ax, [0.3, -0.2, -0.04], f"azimuth {azimuth}°", YAW, ha="left")
    note(ax, rise[36] + [0, 0.16, 0], f"elevation {elevation}°", PITCH, ha="right")
    note(ax, source * 1.08, "source", SOURCE, ha="right", va="bottom")


def rotations(ax):
    """Draw where the front goes by yaw and by pitch, and the left by roll."""
    sphere(ax, "Rotation of the sound field by positive angles")
    quarter = np.linspace(0, 90, 91)
    front, left = np.eye(3)[:2]
    paths = {
        "yaw: front → left": (ambikit.rotation_matrix(quarter, degrees=True) @ front, YAW),
        "pitch: front → down": (ambikit.rotation_matrix(0, quarter, degrees=True) @ front, PITCH),
        "roll: left → up": (ambikit.rotation_matrix(0, 0, quarter, degrees=True) @ left, ROLL),
    }
    places = ((0.34, 0.36, "left"), (-0.17, -0.2, "right"), (-0.05, 0.09, "right"))
    for (text, (path, color)), (dx, dy, side) in zip(paths.items(), places, strict=True):
        path_arrow(ax, path[5:86], color)
        across, up, _ = project(path[45])
        ax.text(across + dx, up + dy, text, color=color, ha=side, fontsize=9.5, zorder=5)


def frame(ax):
    """Draw the same source and the axes in an equirectangular frame, over its power map."""
    x = ambikit.encode(np.ones(8), *SOURCE_AT, order=7, degrees=True)
    grid = ambikit.plot.equirectangular_grid(450, 900)
    ambikit.plot.heat_map(ambikit.power_map(x, *grid, pattern="max_re"), ax=ax)
    ax.images[0].set(cmap=plt.get_cmap("Purples", 10), interpolation="nearest")
    ax.plot(*SOURCE_AT, "o", color=SOURCE, ms=8, mec="white")
    ax.annotate("source", SOURCE_AT, (34, 14), textcoords="offset points", color=SOURCE)
    named = {"front": (0, 0), "left": (90, 0), "right": (-90, 0), "back": (180, 0)}
    for text, place in named.items():
        ax.plot(*place, "x", color=INK, ms=6, clip_on=False)
        ax.annotate(text, place, (6, -13), textcoords="offset points", fontweight="bold")
    ax.annotate("back", (-180, 0), (-32, -13), textcoords="offset points", fontweight="bold")
    ax.plot(-180, 0, "x", color=INK, ms=6, clip_on=False)
    ax.set(xticks=np.arange(180, -181, -45), yticks=np.arange(-90, 91, 45))
    ax.grid(color=GREY, lw=0.4, alpha=0.6)
    ax.set_title("Equirectangular frame: what is heard at an azimuth is seen there", fontsize=11.5)


def conventions(path):
    """Draw the axes, the angles and the frame of the page of conventions."""
    figure = plt.figure(figsize=(9.6, 8.4), layout="constrained")
    rows = figure.add_gridspec(2, 2, height_ratios=(1, 1.02))
    directions(figure.add_subplot(rows[0, 0]))
    rotations(figure.add_subplot(rows[0, 1]))
    frame(figure.add_subplot(rows[1, :]))
    figure.savefig(path, dpi=110, facecolor="white")


def scene(path):
    """Draw the first clip of a world, in 256 colours: ambikit-learn world --seed 16 --preview 1."""
    from PIL import Image

    from ambikit_learn.world import preview_world, render_world

    with tempfile.TemporaryDirectory() as folder:
        render_world(folder, clips=1, seed=16, workers=0)
        (drawn,) = preview_world(folder, clips=1, moments=1)
        picture = Image.open(drawn).convert("RGB")
        # Colours are chosen first, and then dithered: the map would show bands without.
        picture.quantize(palette=picture.quantize(256)).save(path, optimize=True)


def main():
    """Draw all pictures beside this file."""
    matplotlib.use("Agg")
    plt.rcParams |= {"font.family": "DejaVu Sans", "font.size": 9.5, "axes.edgecolor": GREY}
    here = Path(__file__).parent
    conventions(here / "conventions.png")
    scene(here / "scene.png")


if __name__ == "__main__":
    main()
