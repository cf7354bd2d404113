"""Head-related impulse responses from SOFA files (AES69), read by the package sofar."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ambikit import checks
from ambikit._errors import InputError
from ambikit._typing import FloatArray
from ambikit.directions import vector_to_angles

_CONVENTION = "SimpleFreeFieldHRIR"
_RATES = (1e3, 1e6)
"""Sample rates in Hz of responses that anybody measures."""


def read_sofa(path: str | Path) -> tuple[FloatArray, FloatArray, FloatArray, float]:
    """Return azimuth and elevation (M,) in radians, responses (M, 2, taps), and the sample rate."""
    file = checks.input_file(path)
    sofar = checks.package("sofar", "SOFA files need")
    try:
        sofa = sofar.read_sofa(str(file), verify=False, verbose=False)
    except Exception as error:  # sofar and netCDF4 raise many kinds
        raise InputError(f"{file} cannot be read as a SOFA file: {error}") from None
    convention = getattr(sofa, "GLOBAL_SOFAConventions", None)
    if convention != _CONVENTION:
        raise InputError(
            f"{file} holds the SOFA convention {convention}, not {_CONVENTION}: a head needs free-"
            "field impulse responses of two ears"
        )
    responses = _field(sofa, "Data_IR", file)
    if responses.ndim != 3 or responses.shape[1] != 2:
        raise InputError(
            f"{file}: Data.IR has shape {responses.shape}, not (directions, 2 ears, samples)"
        )
    rate = float(np.ravel(_field(sofa, "Data_SamplingRate", file))[0])
    if not _RATES[0] <= rate <= _RATES[1]:
        raise InputError(
            f"{file}: Data.SamplingRate is {rate:g}, not {_RATES[0]:g} to {_RATES[1]:g} Hz"
        )
    azimuth, elevation = _directions(sofa, file, len(responses))
    delay = getattr(sofa, "Data_Delay", None)
    if delay is not None and not ((np.asarray(delay) >= 0) & (np.asarray(delay) <= rate)).all():
        raise InputError(f"{file}: Data.Delay must be in samples, from 0 to a second of them")
    responses = _delayed(responses, delay)
    receivers = np.asarray(getattr(sofa, "ReceiverPosition", [])).reshape(-1)
    if receivers.size >= 6 and _first_is_right(sofa, receivers):
        responses = responses[:, ::-1]
    return azimuth, elevation, responses, rate


def _field(sofa: Any, name: str, file: Path) -> FloatArray:
    """Return a field of numbers that must be there."""
    value = getattr(sofa, name, None)
    if value is None or np.size(value) == 0:
        raise InputError(f"{file} lacks the field {name.replace('_', '.', 1)}")
    numbers = np.asarray(value, dtype=np.float64)
    if not np.isfinite(numbers).all():
        raise InputError(f"{file} holds NaN or infinity in {name.replace('_', '.', 1)}")
    return numbers


def _directions(sofa: Any, file: Path, count: int) -> tuple[FloatArray, FloatArray]:
    """Return the directions of the sources."""
    position = _field(sofa, "SourcePosition", file)
    if position.ndim != 2 or position.shape[1] != 3 or len(position) not in (1, count):
        raise InputError(f"{file}: SourcePosition has shape {position.shape}, not ({count}, 3)")
    position = np.broadcast_to(position, (count, 3))
    kind = str(getattr(sofa, "SourcePosition_Type", "spherical")).lower()
    if kind == "cartesian":
        return vector_to_angles(position)
    if kind != "spherical":
        raise InputError(
            f"{file}: SourcePosition is of type {kind!r}: neither spherical nor cartesian"
        )
    turn = np.deg2rad(position[:, :2])
    if str(getattr(sofa, "SourcePosition_Units", "degree")).lower().startswith("rad"):
        turn = position[:, :2]
    steepest = float(np.rad2deg(np.abs(turn[:, 1]).max()))
    if steepest > 90.0 + 1e-3:
        raise InputError(f"{file}: SourcePosition has an elevation of ±{steepest:g}°, beyond ±90°")
    return turn[:, 0], np.clip(turn[:, 1], -np.pi / 2, np.pi / 2)


def _delayed(responses: FloatArray, delay: Any) -> FloatArray:
    """Return responses with the delays in samples that are kept beside them."""
    if delay is None or not np.any(delay):
        return responses
    shift = np.broadcast_to(np.asarray(delay, np.float64), responses.shape[:2])
    size = responses.shape[-1] + int(np.ceil(shift.max())) + 1
    frequency = np.fft.rfftfreq(2 * size)
    spectra = np.fft.rfft(responses, 2 * size)
    spectra *= np.exp(-2j * np.pi * frequency * shift[..., None])
    return np.fft.irfft(spectra, 2 * size)[..., :size]


def _first_is_right(sofa: Any, receivers: FloatArray) -> bool:
    """Tell whether the first receiver is the right ear (negative y, or azimuth 270°)."""
    first = receivers.reshape(-1, 3)[0] if receivers.size == 6 else receivers[:3]
    if str(getattr(sofa, "ReceiverPosition_Type", "cartesian")).lower() == "spherical":
        return bool(np.sin(np.deg2rad(first[0])) < 0)
    return bool(first[1] < 0)
