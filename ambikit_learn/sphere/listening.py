"""Where a sound comes from: the directions of its active intensity, by bin and frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.sparse import csr_array

import ambikit
from ambikit_learn._typing import Booleans, Floats, Floats32, Indices, Sound
from ambikit_learn.sphere.boxes import Boxes
from ambikit_learn.sphere.equirect import local_axes

BAND = (300.0, 4000.0)
"""Frequencies in Hz that are listened to: below is wind and hum, above arrays of microphones of
cameras hear no direction."""
ABSENT = 1e-3
"""RMS relative to W below which a dipole channel is absent (-60 dB)."""
AROUND = 8.0
"""Degrees by which the direction of a bin may miss its source."""
PEAK = 15.0
"""Radius of a peak, in degrees."""
_WINDOW = 0.04
_CELLS = 5.0


@dataclass(frozen=True, eq=False)
class Heard:
    """Directions from which a span of sound comes.

    Parameters
    ----------
    vectors : (M, 3) array
        Unit vectors, one of each bin and frame.
    share : (M,) array
        What they contribute to the sound that is not diffuse; their sum is 1.
    level : bool
        The sound has no height: elevations are not known, and all vectors are on the horizon.
    """

    vectors: Floats
    share: Floats
    level: bool = False

    def towards(self, boxes: Boxes) -> Floats:
        """Return the share (N,) of the sound that comes from boxes, `AROUND` wider on each side."""
        return np.asarray(self.inside(boxes) @ self.share, dtype=np.float64)

    def peaks(self, boxes: Boxes, count: int, spacing: float) -> tuple[Floats, Floats, Floats]:
        """Find where the sound comes from that comes from no box.

        Parameters
        ----------
        boxes : Boxes
        count : int
            Greatest number of peaks.
        spacing : float
            Smallest angle between two peaks in degrees.

        Returns
        -------
        azimuth, elevation : (P,) arrays
            Degrees; the elevation is 0 if the sound has no height.
        share : (P,) array
            Share of the sound within `PEAK` degrees, without what comes from boxes.
        """
        rest = np.where(self.inside(boxes).any(axis=0), 0.0, self.share)
        centres: list[Floats] = []
        shares: list[float] = []
        cells, grid, kernel = _grid()
        number = _cell_of(self.vectors)
        while len(centres) < count and rest.sum() > 0.01:
            smooth = kernel @ np.bincount(number, rest, len(cells))
            top = grid[int(np.argmax(smooth))]
            near = self.vectors @ top >= np.cos(np.deg2rad(PEAK))
            if not rest[near].sum() > 0.0:
                break
            mean = rest[near] @ self.vectors[near]
            centre = mean / np.linalg.norm(mean)
            shares.append(float(rest[near].sum()))
            centres.append(centre)
            gone = self.vectors @ centre >= np.cos(np.deg2rad(max(spacing, PEAK)))
            rest = np.where(gone | near, 0.0, rest)
        x, y, z = np.array(centres).reshape(-1, 3).T
        azimuth, elevation = np.rad2deg(np.arctan2(y, x)), np.rad2deg(np.arctan2(z, np.hypot(x, y)))
        return azimuth, elevation, np.array(shares)

    def inside(self, boxes: Boxes) -> Booleans:
        """Return whether boxes, `AROUND` wider on each side, contain the vectors (N, M)."""
        elevation = np.zeros(len(boxes)) if self.level else boxes.elevation
        axes = local_axes(np.deg2rad(boxes.azimuth), np.deg2rad(elevation))
        ahead, left, up = np.moveaxis(axes @ self.vectors.T, 1, 0)
        longitude = np.rad2deg(np.abs(np.arctan2(left, ahead)))
        inside = longitude <= (boxes.width / 2.0 + AROUND)[:, None]
        if not self.level:
            latitude = np.rad2deg(np.abs(np.arctan2(up, np.hypot(ahead, left))))
            inside &= latitude <= (boxes.height / 2.0 + AROUND)[:, None]
        return np.asarray(inside)


def listen(sound: Sound, sample_rate: float) -> Heard | None:
    """Listen from where a span of sound comes.

    Parameters
    ----------
    sound : (4, n) array
        AmbiX.
    sample_rate : float
        Hz.

    Returns
    -------
    Heard or None
        None of sound without direction: silence, W alone, or less than three windows of 40 ms.

    Notes
    -----
    Each bin and frame of `BAND` gives the direction of the active intensity ⟨I⟩, averaged over
    three frames, and counts with ⟨E⟩(1 − ψ)² = |⟨I⟩|² / ⟨E⟩, as in `ambikit.localize`: what is
    diffuse counts little. If Z is absent, only azimuths are known.

    Examples
    --------
    >>> noise = np.random.default_rng(0).standard_normal(24000).astype(np.float32)
    >>> sound = ambikit.encode(noise, 90, degrees=True)
    >>> boxes = Boxes([90, -60], [0, 0], [20, 20], [40, 40], [0.9, 0.9], ("drum", "cat"))
    >>> listen(sound, 24000).towards(boxes).round(3).tolist()
    [1.0, 0.0]
    """
    w, y, z, x = np.sqrt(np.mean(np.square(sound, dtype=np.float64), axis=1))
    length = 1 << max(4, round(np.log2(_WINDOW * sample_rate)))
    hop = length // 2
    if not max(x, y, z) > ABSENT * w or not w > 0.0 or sound.shape[1] < length + 2 * hop:
        return None
    # Scaled, so that squares of quiet sound stay numbers of single precision
    spectra = ambikit.stft(sound / np.float32(w), n_fft=length, hop=hop, center=False)
    first, last = (max(1, round(f * length / sample_rate)) for f in BAND)
    spectra = spectra[:, first : last + 1]
    flow = (spectra[:1].conj() * spectra[[3, 1, 2]]).real
    energy = 0.5 * (spectra.real**2 + spectra.imag**2).sum(axis=0)
    return _heard(flow, energy, bool(z <= ABSENT * w))


def listen_to_covariance(
    covariance: Floats32, filters: Floats32, sample_rate: float
) -> Heard | None:
    """Listen from where a span of sound comes, of which the covariance in mel bands is known.

    Parameters
    ----------
    covariance : (10, frames, mels) array
        From `ambikit.mel_covariance`.
    filters : (bins, mels) array
        Its mel filters, `ambikit.features.FeatureSettings.filters`.
    sample_rate : float
        Hz.

    Returns
    -------
    Heard or None
        None of sound without direction, as for `listen`, or of less than three frames.

    Notes
    -----
    As `listen`, with the bands whose centre lies in `BAND` in place of bins. Mel filters have the
    same area, so that a band counts with its width.

    Examples
    --------
    >>> from ambikit.features import PRESETS
    >>> noise = np.random.default_rng(0).standard_normal(24000).astype(np.float32)
    >>> covariance = ambikit.mel_covariance(ambikit.encode(noise, 90, degrees=True), 24000)
    >>> boxes = Boxes([90, -60], [0, 0], [20, 20], [40, 40], [0.9, 0.9], ("drum", "cat"))
    >>> heard = listen_to_covariance(covariance, PRESETS["avsa"].filters.matrix, 24000)
    >>> heard.towards(boxes).round(3).tolist()
    [1.0, 0.0]
    """
    frequency = np.linspace(0.0, sample_rate / 2.0, len(filters))
    centre = frequency @ filters / filters.sum(axis=0)
    width = np.gradient(centre)
    w, y, z, x = np.sqrt(covariance[[0, 4, 7, 9]].mean(axis=1, dtype=np.float64) @ width)
    if not max(x, y, z) > ABSENT * w or not w > 0.0 or covariance.shape[1] < 3:
        return None
    heard = (centre >= BAND[0]) & (centre <= BAND[1])
    bands = covariance[..., heard].swapaxes(1, 2) * (width[heard, None] / w**2)
    return _heard(bands[[3, 1, 2]], 0.5 * bands[[0, 4, 7, 9]].sum(axis=0), bool(z <= ABSENT * w))


def _heard(flow: Floats, energy: Floats, level: bool) -> Heard | None:
    """Return what intensities (3, bands, frames) and energies (bands, frames) tell together."""
    flow, energy = (a[..., :-2] + a[..., 1:-1] + a[..., 2:] for a in (flow, energy))
    if level:
        flow[2] = 0.0
    size = np.sqrt((flow.astype(np.float64) ** 2).sum(axis=0)).ravel()
    counts = np.divide(size**2, energy.ravel(), out=np.zeros_like(size), where=energy.ravel() > 0)
    sure = counts > 1e-6 * counts.max(initial=0.0)
    if not sure.any():
        return None
    vectors = (flow.reshape(3, -1)[:, sure] / size[sure]).T.astype(np.float64)
    return Heard(vectors, counts[sure] / counts[sure].sum(), level)


def _cell_of(vectors: Floats) -> Indices:
    """Return the number of the cell of each unit vector: a row for each band of elevation."""
    columns, rows = round(360 / _CELLS), round(180 / _CELLS)
    azimuth = np.arctan2(vectors[:, 1], vectors[:, 0]) / (2 * np.pi) % 1.0
    elevation = np.arcsin(np.clip(vectors[:, 2], -1.0, 1.0)) / np.pi + 0.5
    row = np.minimum((elevation * rows).astype(np.intp), rows - 1)
    column = np.minimum((azimuth * columns).astype(np.intp), columns - 1)
    return np.asarray(row * columns + column)


@lru_cache(maxsize=1)
def _grid() -> tuple[Floats, Floats, Any]:
    """Return the centres of cells, directions all over the sphere, and the kernel between them."""
    columns, rows = round(360 / _CELLS), round(180 / _CELLS)
    azimuth = (np.arange(columns) + 0.5) / columns * 2 * np.pi
    elevation = ((np.arange(rows) + 0.5) / rows - 0.5) * np.pi
    cells = local_axes(azimuth, elevation[:, None])[..., 0, :].reshape(-1, 3)
    grid = ambikit.icosphere(3)
    kernel = np.exp((grid @ cells.T - 1.0) / np.deg2rad(AROUND) ** 2)
    # Most of it is next to nothing, and this is done for every item.
    return cells, grid, csr_array(np.where(kernel > 1e-3, kernel, 0.0))
