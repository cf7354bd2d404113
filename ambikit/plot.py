"""Pictures of sound on the sphere: heat maps in the equirectangular frame, and beam patterns.

Matplotlib is an optional dependency (``pip install "ambikit[plot]"``), imported on use.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from ambikit import checks
from ambikit._typing import ArrayLike, FloatArray
from ambikit.beamforming import beam_weights, steering_vector
from ambikit.decoding import decoder_quality
from ambikit.decoding.layouts import Loudspeakers, loudspeaker_table
from ambikit.maps import Directions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.projections.polar import PolarAxes

_EXTENT = (180.0, -180.0, -90.0, 90.0)


def equirectangular_grid(height: int, width: int) -> tuple[FloatArray, FloatArray]:
    """Return the directions of the pixels of an equirectangular frame.

    Parameters
    ----------
    height, width : int
        Size of the frame in pixels.

    Returns
    -------
    azimuth : ndarray, shape (1, width)
        In radians, from near +180° in the left column over the front to near −180°.
    elevation : ndarray, shape (height, 1)
        In radians, from near +90° in the top row to near −90°.

    Raises
    ------
    InputError
        If a size is not a positive integer.

    Notes
    -----
    At the middle of each pixel: ``azimuth = (1 - 2u) π`` with ``u = (column + 0.5) / width``, and
    ``elevation = (1 - 2v) π / 2`` with ``v = (row + 0.5) / height``.

    Examples
    --------
    >>> import ambikit, numpy as np
    >>> azimuth, elevation = ambikit.plot.equirectangular_grid(2, 4)
    >>> np.rad2deg(azimuth).tolist(), np.rad2deg(elevation).ravel().tolist()
    ([[135.0, 45.0, -45.0, -135.0]], [45.0, -45.0])
    """
    u = (np.arange(checks.positive_int(width, "width")) + 0.5) / width
    v = (np.arange(checks.positive_int(height, "height")) + 0.5) / height
    return (1 - 2 * u[None, :]) * np.pi, (1 - 2 * v[:, None]) * np.pi / 2


def heat_map(
    values: ArrayLike,
    *,
    frame: ArrayLike | None = None,
    sources: Directions | None = None,
    degrees: bool = False,
    label: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a map on the sphere, on its own or over a picture.

    Parameters
    ----------
    values : array_like, shape (height, width)
        The map at the directions of `equirectangular_grid`, for example of `power_map` or
        `intensity_map`.
    frame : array_like of uint8, shape (h, w, 3), optional
        Equirectangular picture to draw over, of any size; the map is the more opaque the higher it
        is.
    sources : Directions, optional
        Directions to mark, for example of `localize`.
    degrees : bool, optional
        Take `sources` in degrees.
    label : str, optional
        What the values are; with it a colour bar is drawn.
    ax : matplotlib Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib Axes
        Azimuth in degrees from +180 at the left to −180, elevation upwards.

    Raises
    ------
    InputError
        If the map is not (height, width), or matplotlib is not installed.

    Examples
    --------
    >>> import ambikit, numpy as np
    >>> x = ambikit.encode(np.ones(100), 90, degrees=True)
    >>> grid = ambikit.plot.equirectangular_grid(45, 90)
    >>> ax = ambikit.plot.heat_map(ambikit.power_map(x, *grid))
    >>> [float(side) for side in ax.get_xlim()]
    [180.0, -180.0]
    """
    shown = checks.picture_of_map(values)
    axes = _axes(ax)
    strength: float | FloatArray = 1.0
    if frame is not None:
        axes.imshow(checks.frames(frame, "frame"), extent=_EXTENT, aspect="equal")
        span = float(np.ptp(shown)) or 1.0
        strength = 0.8 * (shown - shown.min()) / span
    image = axes.imshow(shown, extent=_EXTENT, aspect="equal", cmap="inferno", alpha=strength)
    if sources is not None:
        turn = 1.0 if degrees else 180 / np.pi
        axes.scatter(
            sources.azimuth * turn, sources.elevation * turn, marker="+", s=120, color="deepskyblue"
        )
    if label is not None:
        axes.figure.colorbar(image, ax=axes, label=label, shrink=0.7)
    axes.set(xlim=_EXTENT[:2], ylim=_EXTENT[2:], xlabel="azimuth / °", ylabel="elevation / °")
    axes.set(xticks=np.arange(180, -181, -60), yticks=np.arange(-90, 91, 30))
    return axes


def beam_pattern(pattern: str, *, order: int = 1, ax: PolarAxes | None = None) -> PolarAxes:
    """Draw the horizontal section of a beam that points to the front.

    Parameters
    ----------
    pattern : str
        Pattern of `beam_weights`.
    order : int, optional
        Ambisonic order.
    ax : matplotlib polar Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib polar Axes
        The size of the gain over azimuth; the front is up, left is left.

    Raises
    ------
    InputError
        If the pattern is unknown, or matplotlib is not installed.

    Examples
    --------
    >>> import ambikit
    >>> ax = ambikit.plot.beam_pattern("cardioid")
    >>> [round(float(r), 2) for r in ax.lines[0].get_ydata()[[0, 90, 180]]]  # front, left, back
    [1.0, 0.5, 0.0]
    """
    azimuth = np.deg2rad(np.arange(361))
    gain = steering_vector(azimuth, order=order) @ beam_weights(pattern, 0.0, order=order)
    axes = _pyplot().figure().add_subplot(projection="polar") if ax is None else ax
    axes.plot(azimuth, np.abs(gain), label=f"{pattern}, order {order}")
    axes.set_theta_zero_location("N")
    return axes


def decoder(matrix: ArrayLike, loudspeakers: Loudspeakers, *, degrees: bool = False) -> Figure:
    """Draw what a decoder does to plane waves from all over the sphere.

    Parameters
    ----------
    matrix : array_like, shape (L, (order + 1)**2)
        Decoder for AmbiX signals, as from `decoder_matrix`.
    loudspeakers : str or array_like, shape (L, 2)
        The layout that it is for.
    degrees : bool, optional
        Take the angles of `loudspeakers` in degrees.

    Returns
    -------
    matplotlib Figure
        Above, the level in dB; in the middle, the angle between the energy vector and the direction
        of the wave in degrees; below, the width 2 acos(length of the energy vector) in degrees; all
        with the loudspeakers marked.

    Raises
    ------
    InputError
        If the matrix does not fit the layout, or matplotlib is not installed.

    Examples
    --------
    >>> import ambikit
    >>> figure = ambikit.plot.decoder(ambikit.decoder_matrix("7.1.4", 3), "7.1.4")
    >>> [ax.get_title() for ax in figure.axes if ax.get_title()]
    ['level', 'direction error of rE', 'width of rE']
    """
    table = loudspeaker_table(loudspeakers, degrees=degrees)
    quality = decoder_quality(matrix, table, *equirectangular_grid(90, 180))
    length = np.linalg.norm(quality.energy_vector, axis=-1)
    maps = {
        "level": (quality.level, "dB"),
        "direction error of rE": (np.rad2deg(quality.error), "°"),
        "width of rE": (np.rad2deg(2.0 * np.arccos(np.minimum(length, 1.0))), "°"),
    }
    figure: Figure = _pyplot().figure(figsize=(6.4, 9.6), layout="constrained")
    marked = Directions(table[:, 0], table[:, 1], np.ones(len(table)))
    for row, (title, (values, unit)) in enumerate(maps.items()):
        axes = figure.add_subplot(len(maps), 1, row + 1)
        heat_map(values, sources=marked, label=unit, ax=axes)
        axes.set_title(title)
    return figure


def _axes(ax: Axes | None) -> Axes:
    """Return axes to draw in."""
    return _pyplot().subplots(figsize=(9, 4.5), layout="constrained")[1] if ax is None else ax


def _pyplot() -> ModuleType:
    """Import matplotlib's plotting interface."""
    return checks.package("matplotlib.pyplot", "plots need")
