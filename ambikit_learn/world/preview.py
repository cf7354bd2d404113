"""Pictures of a world: frames with boxes and paths of objects, over maps of the acoustic power."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

import ambikit
from ambikit import checks
from ambikit_learn._files import atomic_write
from ambikit_learn._typing import Frames
from ambikit_learn.sphere.boxes import Boxes
from ambikit_learn.sphere.equirect import local_axes
from ambikit_learn.world.acoustics import render_sound
from ambikit_learn.world.files import WorldSettings, load_settings
from ambikit_learn.world.pictures import boxes, boxes_at, render_frames
from ambikit_learn.world.scene import LABEL_RATE
from ambikit_learn.world.sounds import Signal, perform

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Seconds of sound, centred at the time of the frame, that the map shows.
LISTENED = 0.3
FRAME_SIZE = (360, 720)
MAP_SIZE = (90, 180)
SOUNDING, SILENT = "deepskyblue", "white"


def preview_world(folder: str | Path, *, clips: int = 4, moments: int = 2) -> list[Path]:
    """Draw some clips of a world.

    Parameters
    ----------
    folder : path
        Folder that `render_world` wrote.
    clips : int
        Number of clips, from the first one; each gives a picture.
    moments : int
        Frames per picture: the loudest moments of as many equal parts of the clip.

    Returns
    -------
    list of Path
        ``preview/{name}.png`` below the folder. Boxes and paths of sounding objects are blue, those
        of silent ones white and dashed; the map is brighter where more sound arrives.

    Raises
    ------
    InputError
        `folder` holds no world.
    """
    root, settings = Path(folder), load_settings(Path(folder))
    checks.positive_int(moments, "moments")
    paths = []
    for index in range(checks.positive_int(clips, "clips")):
        path = root / "preview" / f"{settings.name(index)}.png"
        draw_clip(path, settings, index, moments)
        paths.append(path)
    return paths


def draw_clip(path: Path, settings: WorldSettings, index: int, moments: int) -> None:
    """Draw the loudest moments of a clip, one below the other."""
    from matplotlib.figure import Figure

    scene, rate = settings.scene(index), settings.sample_rate
    performances = [perform(scene, i, rate) for i in range(len(scene.objects))]
    sound = render_sound(scene, performances, rate)
    times = loud_moments(sound[0], rate, moments)
    figure = Figure(figsize=(9, 4.5 * moments), layout="constrained")
    rows = figure.subplots(moments, squeeze=False)[:, 0]
    frames = render_frames(scene, performances, times, FRAME_SIZE)
    truth = boxes(scene, performances)
    for axes, time, frame in zip(rows, times, frames, strict=True):
        middle, half = round(time * rate), round(LISTENED / 2 * rate)
        heard = sound[:, max(0, middle - half) : middle + half]
        grid = ambikit.plot.equirectangular_grid(*MAP_SIZE)
        ambikit.plot.heat_map(ambikit.power_map(heard, *grid), frame=frame, ax=axes)
        axes.set_title(f"{scene.room.place}, {time:.1f} s")
        # The objects are drawn over the map, which would hide them.
        axes.imshow(cut_out(frame, boxes_at(truth, time)), extent=(180, -180, -90, 90))
        moment = min(round(time * LABEL_RATE), len(truth[0]["azimuth"]) - 1)
        for one in truth:
            _draw_object(axes, one, moment)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=100)


def _draw_object(axes: Axes, one: dict[str, Any], moment: int) -> None:
    """Draw the box of an object at the time of a label, and its path through the clip."""
    from matplotlib.patheffects import withStroke

    colour, style = (SOUNDING, "-") if one["sounding"] else (SILENT, "--")
    axes.plot(*_unbroken(one["azimuth"], one["elevation"]), color=colour, linewidth=1.0)
    azimuth, elevation = outline(
        *(one[name][moment] for name in ("azimuth", "elevation", "width", "height"))
    )
    axes.plot(*_unbroken(azimuth, elevation), color=colour, linestyle=style, linewidth=1.5)
    centre = one["azimuth"][moment]
    # At the picture's edges the label is aligned inwards, so that it is not cut.
    side = "left" if centre > 150 else "right" if centre < -150 else "center"
    axes.text(
        centre,
        elevation.max() + 1.0,
        one["label"],
        color=colour,
        horizontalalignment=side,
        clip_on=True,
        path_effects=[withStroke(linewidth=2.0, foreground="black")],
    )


def loud_moments(sound: Signal, sample_rate: float, count: int) -> npt.NDArray[np.float64]:
    """Return the times, in seconds, of the loudest sections of equal parts of a sound (n,)."""
    length = min(round(LISTENED * sample_rate), len(sound) // 2)
    energy = np.cumsum(np.square(sound, dtype=np.float64))
    parts = np.array_split(np.arange(len(sound) - length), count)
    begins = [part[np.argmax(energy[part + length] - energy[part])] for part in parts]
    return (np.array(begins) + length / 2) / sample_rate


def cut_out(frame: Frames, there: Boxes) -> Frames:
    """Return a frame (H, W, 4) that is opaque only within boxes."""
    azimuth, elevation = ambikit.plot.equirectangular_grid(*frame.shape[:2])
    rays = ambikit.angles_to_vector(azimuth, elevation)
    opaque = np.zeros(frame.shape[:2], bool)
    axes = local_axes(np.deg2rad(there.azimuth), np.deg2rad(there.elevation))
    for own, width, height in zip(axes, there.width, there.height, strict=True):
        ahead, left, up = np.moveaxis(rays @ own.T, -1, 0)
        wide, high = np.tan(np.deg2rad([width / 2, height / 2]))
        opaque |= (np.abs(left) <= wide * ahead) & (np.abs(up) <= high * ahead)
    return np.dstack([frame, np.uint8(255) * opaque])


def outline(
    azimuth: float, elevation: float, width: float, height: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the outline of a box as a closed line of directions in degrees."""
    side = np.linspace(-1.0, 1.0, 16)
    one = np.ones(16)
    left = np.tan(np.deg2rad(width / 2)) * np.concatenate([side, one, -side, -one])
    up = np.tan(np.deg2rad(height / 2)) * np.concatenate([-one, side, one, -side])
    rays = np.stack([np.ones_like(left), left, up]).T
    turned = rays @ ambikit.look_at(azimuth, elevation, degrees=True).inv().as_matrix().T
    seen = ambikit.vector_to_angles(turned, degrees=True)
    return seen[0], seen[1]


def _unbroken(
    azimuth: npt.ArrayLike, elevation: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Interrupt a line with NaN where it crosses the seam."""
    a, e = (np.array(angles, dtype=np.float64) for angles in (azimuth, elevation))
    jumps = np.flatnonzero(np.abs(np.diff(a)) > 180.0) + 1
    return np.insert(a, jumps, np.nan), np.insert(e, jumps, np.nan)
