"""Messages about arguments: what, where, and the remedy."""

from __future__ import annotations

import numpy as np
import pytest

import ambikit
from ambikit import checks

# every public function that takes Ambisonic signals
TAKES_SIGNALS = [
    lambda x: ambikit.rotate(x, 0.1),
    lambda x: ambikit.beamform(x, 0.1),
    lambda x: ambikit.convert(x, "ambix", "n3d"),
    lambda x: ambikit.intensity(x),
    lambda x: ambikit.diffuseness(x, 8000),
    lambda x: ambikit.normalized_intensity(x, 8000),
]
everywhere = pytest.mark.parametrize("function", TAKES_SIGNALS)


@everywhere
@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((4,), r"\(\.\.\., channels, samples\), got shape \(4,\)"),
        ((5, 100), r"5 channels .*\(order \+ 1\)\*\*2"),
        ((100, 4), r"channels-last: pass x\.T"),  # a square: "order 9" in silence elsewhere
        ((48_000, 4), r"channels-last: pass x\.T"),
        ((0, 10), "0 channels"),
    ],
)
def test_shapes(function, shape, message):
    with pytest.raises(ambikit.InputError, match=message):
        function(np.zeros(shape))


@everywhere
@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.uint8, np.complex64, bool, object, "U1"])
def test_dtypes(function, dtype):
    with pytest.raises(TypeError, match=r"x (holds integers|must be real floats|must be numbers)"):
        function(np.zeros((4, 10)).astype(dtype))


def test_integers_are_told_how_to_become_sound():
    with pytest.raises(TypeError, match=r"int16.*x / 32768\.0.*ambikit\.read"):
        ambikit.rotate(np.zeros((4, 10), np.int16), 0.1)


@everywhere
@pytest.mark.parametrize(
    ("given", "kept"),
    [(np.float16, np.float32), (np.float32, np.float32), (np.float64, np.float64)],
)
def test_precision_is_kept(function, given, kept):
    assert function(np.ones((4, 10), given)).dtype == kept


def test_lists_are_double_precision():
    assert ambikit.rotate([[1.0], [0.0], [0.0], [1.0]], 0.1).dtype == np.float64


def test_high_orders_pass():
    assert ambikit.rotate(np.ones((64, 16)), 0.0).shape == (64, 16)
    assert ambikit.rotate(np.ones((100, 1000)), 0.0).shape == (100, 1000)


def test_degrees_given_as_radians_are_told():
    with pytest.raises(ambikit.InputError, match=r"got 45 rad; for degrees pass degrees=True"):
        ambikit.steering_vector(0.0, 45.0)


def test_elevation_may_overshoot_by_rounding():
    assert np.isfinite(ambikit.steering_vector(0.0, np.float32(np.pi / 2))).all()


def test_read_only_out():
    out = np.empty((4, 5))
    out.flags.writeable = False
    with pytest.raises(ambikit.InputError, match="read-only"):
        ambikit.rotate(np.zeros((4, 5)), 0.1, out=out)


def test_input_error_is_a_value_error():
    assert issubclass(ambikit.InputError, ValueError)


@pytest.mark.parametrize("value", [0, -1, np.inf, np.nan])
def test_positive(value):
    with pytest.raises(ambikit.InputError, match=r"rate must be positive \(Hz\), got"):
        checks.positive(value, "rate", "Hz")


def test_one_pole_weight():
    """After one time constant a step has reached 1 - 1/e; tiny weights keep their digits."""
    weight = checks.one_pole(0.1, 1000)
    assert abs((1 - weight) ** 100 - np.exp(-1)) < 1e-12
    assert abs(checks.one_pole(1e9, 1e9) * 1e18 - 1) < 1e-12
