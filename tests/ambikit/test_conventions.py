"""Channel orders and normalisations."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import ambikit
from ambikit.conventions import CONVENTIONS
from tests import naive

conventions = st.sampled_from(CONVENTIONS)


def wave(azimuth, elevation, order):
    """AmbiX channels of a plane wave, (channels, 1)."""
    return naive.harmonics(naive.direction(azimuth, elevation), order)[:, None]


def test_fuma_first_order_is_b_format():
    x, y, z = naive.direction(0.7, 0.3)
    b_format = [[np.sqrt(0.5)], [x], [y], [z]]
    assert_allclose(ambikit.convert(wave(0.7, 0.3, 1), "ambix", "fuma"), b_format, atol=1e-14)


def test_fuma_letters():
    """Each FuMa channel as its textbook polynomial of the direction, W to Q."""
    x, y, z = naive.direction(0.7, 0.3)
    letters = {
        "W": np.sqrt(0.5),
        "X": x,
        "Y": y,
        "Z": z,
        "R": (3 * z * z - 1) / 2,
        "S": 2 * x * z,
        "T": 2 * y * z,
        "U": x * x - y * y,
        "V": 2 * x * y,
        "K": z * (5 * z * z - 3) / 2,
        "L": np.sqrt(135 / 256) * x * (5 * z * z - 1),
        "M": np.sqrt(135 / 256) * y * (5 * z * z - 1),
        "N": np.sqrt(27 / 4) * z * (x * x - y * y),
        "O": np.sqrt(27) * x * y * z,
        "P": x * (x * x - 3 * y * y),
        "Q": y * (3 * x * x - y * y),
    }
    got = ambikit.convert(wave(0.7, 0.3, 3), "ambix", "fuma").ravel()
    assert_allclose(got, list(letters.values()), atol=1e-14)


def test_fuma_harmonics_peak_at_one():
    """MaxN by its name: the largest value over the sphere is 1, and W is 3 dB down."""
    grid = ambikit.fibonacci_sphere(200_000)
    fuma = ambikit.convert(ambikit.spherical_harmonics(grid, 3).T, "ambix", "fuma")
    assert_allclose(np.abs(fuma).max(axis=-1), [np.sqrt(0.5)] + [1.0] * 15, atol=1e-3)


def test_n3d_harmonics_have_unit_power():
    z, weight = np.polynomial.legendre.leggauss(8)
    azimuth = np.arange(16) * np.pi / 8
    radius = np.sqrt(1 - z**2)[:, None]
    grid = np.stack(
        np.broadcast_arrays(radius * np.cos(azimuth), radius * np.sin(azimuth), z[:, None]), -1
    )
    n3d = ambikit.convert(
        ambikit.spherical_harmonics(grid, 4).reshape(-1, 25).T, "ambix", "n3d"
    ).reshape(25, 8, 16)
    power = np.einsum("azp,bzp,z->ab", n3d, n3d, weight) / 32
    assert_allclose(power, np.eye(25), atol=1e-13)


def test_sid_order():
    """Daniel's single index: within a degree m = n, -n, n - 1, ..., 0."""
    acn = np.arange(9.0)[:, None]
    sid = ambikit.convert(acn, "acn/n3d", "sid").ravel()
    assert_array_equal(sid, [0, 3, 1, 2, 8, 4, 7, 5, 6])


@given(source=conventions, target=conventions, order=st.integers(0, 3), seed=st.integers(0, 99))
def test_round_trip(source, target, order, seed):
    x = np.random.default_rng(seed).normal(size=(2, (order + 1) ** 2, 5)).astype(np.float32)
    kept = x.copy()
    there = ambikit.convert(x, source, target)
    back = ambikit.convert(there, target, source)
    assert back.dtype == there.dtype == np.float32
    assert_allclose(back, x, rtol=1e-6)
    assert_array_equal(x, kept)
    assert not np.shares_memory(there, x)


@given(a=conventions, b=conventions, c=conventions)
def test_conversions_compose(a, b, c):
    x = np.random.default_rng(0).normal(size=(16, 2))
    via = ambikit.convert(ambikit.convert(x, a, b), b, c)
    assert_allclose(via, ambikit.convert(x, a, c), rtol=1e-12)


def test_nine_conventions_differ():
    x = np.random.default_rng(0).normal(size=(9, 1))
    results = [ambikit.convert(x, "ambix", name) for name in CONVENTIONS]
    assert len(results) == 9
    for a, b in itertools.combinations(results, 2):
        assert np.abs(a - b).max() > 1e-3


@pytest.mark.parametrize(
    ("alias", "full"),
    [("ambix", "acn/sn3d"), ("n3d", "acn/n3d"), ("fuma", "fuma/fuma"), ("sid", "sid/n3d")],
)
def test_aliases(alias, full):
    x = np.random.default_rng(0).normal(size=(16, 2))
    assert_array_equal(
        ambikit.convert(x, "ambix", alias.upper()), ambikit.convert(x, "acn/sn3d", full)
    )


def test_n3d_has_no_highest_order():
    x = np.ones((121, 1))
    assert_allclose(ambikit.convert(x, "ambix", "n3d")[-1, 0], np.sqrt(21))


def test_fuma_above_third_order_is_refused():
    with pytest.raises(ambikit.InputError, match=r"order 4 .*at most order 3"):
        ambikit.convert(np.ones((25, 1)), "ambix", "acn/fuma")


@pytest.mark.parametrize("name", ["acn", "wxyz", "sn3d", "acn/", "acn/sn3d/x", ""])
def test_unknown_convention_names_the_choices(name):
    with pytest.raises(ambikit.InputError, match=r"unknown target convention .*ambix"):
        ambikit.convert(np.ones((4, 1)), "ambix", name)


@given(st.integers(0, 40))
def test_order_and_channels_are_inverse(order):
    assert ambikit.order_of_channels(ambikit.channels_of_order(order)) == order


@pytest.mark.parametrize("channels", [0, -4, 2, 3, 5, 8])
def test_no_order_has_so_many_channels(channels):
    with pytest.raises(ambikit.InputError, match=f"{channels} channels"):
        ambikit.order_of_channels(channels)
