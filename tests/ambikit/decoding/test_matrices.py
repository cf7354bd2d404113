"""Decoder matrices: against other programs, and by what they must do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import ambikit
from ambikit import InputError
from ambikit.decoding.layouts import named_layout
from tests.ambikit.decoding import anchors

LAYOUTS = [
    *("0+5+0", "2+5+0", "4+5+0", "4+5+1", "3+7+0", "4+9+0", "9+10+3", "0+7+0", "4+7+0"),
    *("stereo", "quad", "hexagon", "cube", "octahedron", "icosahedron", "dodecahedron"),
]
METHODS = ["allrad", "allrad+", "epad", "mode_matching", "sampling"]


def table(name):
    """Return the loudspeakers of an anchor in degrees."""
    if name == "irregular10":
        return anchors.IRREGULAR
    return ambikit.loudspeaker_layout(name, degrees=True)


def fitted(matrix, anchor):
    """Return a matrix times the one factor that brings it nearest to another."""
    return matrix * (matrix * anchor).sum() / (matrix**2).sum()


@pytest.mark.parametrize(("layout", "method"), anchors.SAF)
def test_spatial_audio_framework_decoders(layout, method):
    expected = np.array(anchors.SAF[layout, method])
    vectors = np.array(named_layout(layout).vectors) if layout == "tdesign12" else None
    got = ambikit.decoder_matrix(table(layout), 1, method=method, degrees=True)
    if vectors is not None:  # the icosahedron's corners in the order of the anchor
        where = (np.array(anchors.TDESIGN12) @ vectors.T).argmax(axis=1)
        got = got[where]
    assert_allclose(fitted(got, expected), expected, atol=1e-6)


def test_spatial_audio_framework_allrad():
    """Its 5,200 virtual loudspeakers sum where this integrates: a thousandth of the largest."""
    expected = np.array(anchors.SAF_ALLRAD)
    got = ambikit.decoder_matrix(anchors.IRREGULAR, 1, degrees=True)
    assert_allclose(fitted(got, expected), expected, atol=1.5e-3 * np.abs(expected).max())


def test_allrad_is_the_sum_over_many_virtual_loudspeakers():
    """The definition, by brute force; the gains have kinks, so the sum converges slowly."""
    grid = ambikit.fibonacci_sphere(200_000)
    gains = ambikit.vbap_gains(
        anchors.IRREGULAR, *ambikit.vector_to_angles(grid, degrees=True), degrees=True
    )
    norm = 2 * np.floor(np.sqrt(np.arange(9))) + 1
    expected = gains.T @ ambikit.spherical_harmonics(grid, 2) * norm
    got = ambikit.decoder_matrix(anchors.IRREGULAR, 2, degrees=True)
    expected /= np.sqrt((expected**2 / norm).sum())
    assert_allclose(got, expected, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("weighting", [None, "max_re", "in_phase"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_mean_power_is_one(layout, weighting, method):
    """By quadrature: a 7-design of 24 points integrates squares of order 3."""
    layout_has = len(ambikit.loudspeaker_layout(layout))
    order = 1
    if method in ("epad", "mode_matching") and layout_has < 4:
        return
    matrix = ambikit.decoder_matrix(layout, order, method=method, weighting=weighting)
    waves = ambikit.spherical_harmonics(named_layout("tdesign24").vectors, order)
    assert_allclose(((waves @ matrix.T) ** 2).sum(axis=1).mean(), 1.0, rtol=1e-12)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("order", [1, 3])
def test_mirrored_layouts_give_mirrored_matrices(layout, order, method):
    """Rectangles and pentagons of the hull are not cut in favour of a side."""
    vectors = named_layout(layout).vectors
    horizontal = np.abs(vectors[:, 2]).max() < 1e-9
    needed = 2 * order + 1 if horizontal else (order + 1) ** 2
    if method in ("epad", "mode_matching") and len(vectors) < needed:
        return
    if (layout, order, method) == ("9+10+3", 3, "mode_matching"):
        with pytest.warns(UserWarning, match="29 dB louder"):
            matrix = ambikit.decoder_matrix(layout, order, method=method)
    else:
        matrix = ambikit.decoder_matrix(layout, order, method=method)
    partner = (vectors * [1, -1, 1] @ vectors.T).argmax(axis=1)
    mirrored = ambikit.mirror(matrix[partner].T, "left_right").T
    assert_allclose(mirrored, matrix, atol=1e-9)


@given(turn=st.tuples(*[st.floats(-3, 3)] * 3), seed=st.integers(0, 100))
def test_turned_layouts_give_turned_matrices(turn, seed):
    """Nothing in a decoder of space knows where up is."""
    vectors = np.random.default_rng(seed).normal(size=(14, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rotation = ambikit.rotation_matrix(*turn)
    for method in ("allrad", "epad", "sampling"):
        both = [
            ambikit.decoder_matrix(np.stack(ambikit.vector_to_angles(v), -1), 2, method=method)
            for v in (vectors, vectors @ rotation.T)
        ]
        expected = both[0] @ ambikit.sh_rotation_matrix(rotation, 2).T
        assert_allclose(both[1], expected, atol=1e-6)


@pytest.mark.parametrize("layout", ["4+5+0", "4+7+0", "cube", "irregular10", "quad"])
def test_mode_matching_encodes_again(layout):
    """Signals of loudspeakers, as plane waves from there, are the signals."""
    angles = table(layout)
    matrix = ambikit.decoder_matrix(angles, 1, method="mode_matching", degrees=True)
    waves = ambikit.steering_vector(*angles.T, degrees=True)
    used = [0, 1, 3] if layout == "quad" else [0, 1, 2, 3]
    again = (waves.T @ matrix)[np.ix_(used, used)]
    assert_allclose(again / again[0, 0], np.eye(len(used)), atol=1e-12)


@pytest.mark.parametrize(("layout", "order"), [("4+5+0", 1), ("9+10+3", 2), ("tdesign24", 3)])
def test_epad_keeps_the_energy(layout, order):
    matrix = ambikit.decoder_matrix(layout, order, method="epad")
    assert ambikit.decoder_quality(matrix, layout).spread < 1e-9


def test_epad_leaves_out_what_a_layout_cannot_play():
    """A plane through the ears and one above cannot tell nine harmonics apart."""
    matrix = ambikit.decoder_matrix("4+5+0", 2, method="epad")
    vectors = named_layout("4+5+0").vectors
    size = np.linalg.svd(ambikit.spherical_harmonics(vectors, 2), compute_uv=False)
    assert size[-1] < 1e-9 * size[0]
    norm = np.sqrt(2 * np.floor(np.sqrt(np.arange(9))) + 1)
    singular = np.linalg.svd(matrix / norm, compute_uv=False)
    assert_allclose(singular[:8] / singular[0], 1.0)
    assert singular[8] < 1e-9


@pytest.mark.parametrize("layout", ["cube", "octahedron", "icosahedron", "tdesign24"])
def test_even_layouts_need_no_method(layout):
    """All methods but AllRAD's weights agree; AllRAD agrees up to a weight for each degree."""
    sampling = ambikit.decoder_matrix(layout, 1, method="sampling")
    for method in ("mode_matching", "epad"):
        assert_allclose(ambikit.decoder_matrix(layout, 1, method=method), sampling, atol=1e-9)
    if layout == "tdesign24":
        return  # its corners have no axis of symmetry
    allrad = ambikit.decoder_matrix(layout, 1)
    ratio = allrad[:, 1:] / np.where(np.abs(sampling[:, 1:]) > 1e-6, sampling[:, 1:], np.inf)
    assert np.ptp(ratio[ratio != 0]) < 1e-7


GOALS = [
    ("4+7+0", 1, 1.2, 5.5),
    ("4+7+0", 3, 3.0, 8.0),
    ("4+5+0", 3, 4.2, 10.6),
    ("irregular10", 3, 2.5, 8.9),
]


@pytest.mark.parametrize(("layout", "order", "spread", "error"), GOALS)
def test_allrad_is_even_over_the_upper_half(layout, order, spread, error):
    matrix = ambikit.decoder_matrix(table(layout), order, weighting="max_re", degrees=True)
    upper = ambikit.decoder_quality(matrix, table(layout), degrees=True).upper()
    assert upper.spread <= spread
    assert np.rad2deg(upper.error.mean()) <= error


def test_allrad_is_even_all_round():
    matrix = ambikit.decoder_matrix("9+10+3", 3, weighting="max_re")
    assert ambikit.decoder_quality(matrix, "9+10+3").spread <= 3.4


def test_weightings_at_order_one_on_a_cube():
    """max-rE 1 / sqrt(3), in phase 1 / 3, of the pressure's own."""
    basic, long, safe = (
        ambikit.decoder_matrix("cube", 1, method="sampling", weighting=weighting)
        for weighting in (None, "max_re", "in_phase")
    )
    assert_allclose(long[:, 1:] / long[:, :1], basic[:, 1:] / basic[:, :1] / np.sqrt(3))
    assert_allclose(safe[:, 1:] / safe[:, :1], basic[:, 1:] / basic[:, :1] / 3)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize(("layout", "count"), [("cube", 8), ("octagon", 8)])
def test_in_phase_is_in_phase(layout, count, order):
    matrix = ambikit.decoder_matrix(layout, order, method="sampling", weighting="in_phase")
    grid = ambikit.fibonacci_sphere(500)
    if layout == "octagon":
        grid = ambikit.angles_to_vector(np.arange(0, 6.28, 0.05))
    gains = ambikit.spherical_harmonics(grid, order) @ matrix.T
    assert gains.min() > -1e-12


@pytest.mark.parametrize("order", [1, 2, 3])
def test_regular_rings_are_even(order):
    """All of the horizon alike, in energy and direction, if there are 2 N + 2 loudspeakers."""
    azimuth = np.arange(0, 360, 5)
    for method in METHODS:
        matrix = ambikit.decoder_matrix("octagon", order, method=method, weighting="max_re")
        quality = ambikit.decoder_quality(matrix, "octagon", azimuth, degrees=True)
        if "allrad" not in method:
            assert quality.spread < 1e-9
            assert quality.error.max() < 1e-9
        length = np.linalg.norm(quality.energy_vector, axis=-1)
        if method == "sampling":
            assert_allclose(length, np.cos(np.pi / (2 * order + 2)))


def test_horizontal_layouts_ignore_height():
    matrix = ambikit.decoder_matrix("quad", 2)
    assert not matrix[:, [2, 5, 6, 7]].any()


# Layouts


def test_orders_of_channels():
    """Places from the tables of BS.2051, by hand."""
    degrees = {
        name: ambikit.loudspeaker_layout(name, degrees=True).round(9).tolist()
        for name in ("5.1", "7.1.4", "22.2")
    }
    assert degrees["5.1"] == [[30, 0], [-30, 0], [0, 0], [110, 0], [-110, 0]]
    assert degrees["7.1.4"][7:] == [[45, 30], [-45, 30], [135, 30], [-135, 30]]
    assert degrees["22.2"][7] == [180, 0]
    assert degrees["22.2"][13] == [0, 90]
    assert degrees["22.2"][-3:] == [[0, -30], [45, -30], [-45, -30]]


@pytest.mark.parametrize(
    ("layout", "count", "lfe"),
    [("0+5+0", 5, [3]), ("9+10+3", 22, [3, 9]), ("3+7+0", 10, [10, 11]), ("cube", 8, [8])],
)
def test_low_frequency_channels(layout, count, lfe):
    assert named_layout(layout).vectors.shape == (count, 3)
    assert list(named_layout(layout).lfe) == lfe


@pytest.mark.parametrize(
    ("name", "strength"),
    [
        ("tetrahedron", 2),
        ("octahedron", 3),
        ("cube", 3),
        ("icosahedron", 5),
        ("dodecahedron", 5),
        ("tdesign24", 7),
    ],
)
def test_designs(name, strength):
    """The mean over the points is the one over the sphere, exactly to the design's strength."""
    means = ambikit.spherical_harmonics(named_layout(name).vectors, strength + 1).mean(axis=0)
    assert_allclose(means[1 : (strength + 1) ** 2], 0, atol=1e-14)
    assert np.abs(means).max() > 0.1


# What is refused


REFUSED = {
    "unknown layout": (("7.1.5",), r"unknown layout of loudspeakers '7.1.5': did you mean '7.1.4'"),
    "one loudspeaker": (([[0, 0]],), r"two or more, got 1"),
    "coincident": (([[0, 0], [90, 0], [0.1, 0]],), r"loudspeakers 0 and 2 stand in the same dir"),
    "a plane above": (([[a, 30] for a in (0, 90, 180, 270)],), r"lie in one plane, which is not"),
    "a vertical plane": (([[0, e] for e in (-60, 0, 60, 90)],), r"lie in one plane"),
    "three columns": (([[0, 0, 1]] * 4,), r"loudspeakers must be \(K, 2\)"),
    "beyond the zenith": (([[0, 100], [0, 0]],), r"within ±90°"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_layouts_that_cannot_be_used(case):
    (layout,), message = REFUSED[case]
    with pytest.raises(InputError, match=message):
        ambikit.decoder_matrix(layout, 1, degrees=True)


@pytest.mark.parametrize("method", ["epad", "mode_matching"])
@pytest.mark.parametrize(("layout", "order", "needed"), [("4+5+0", 3, 16), ("quad", 2, 5)])
def test_too_few_loudspeakers(layout, order, needed, method):
    with pytest.raises(InputError, match=rf"needs {needed} loudspeakers.*'allrad', which takes"):
        ambikit.decoder_matrix(layout, order, method=method)


def test_unknown_names():
    with pytest.raises(InputError, match="unknown method 'vbap': choose one of allrad, allrad"):
        ambikit.decoder_matrix("quad", 1, method="vbap")
    with pytest.raises(InputError, match="unknown weighting 'maxre': choose one of max_re"):
        ambikit.decoder_matrix("quad", 1, weighting="maxre")


@pytest.mark.parametrize("matrix", [np.ones((4, 5)), np.ones((3, 4)), np.ones(4)])
def test_quality_of_what_does_not_fit(matrix):
    with pytest.raises(InputError, match=r"matrix must be \(4, \(order \+ 1\)\*\*2\)"):
        ambikit.decoder_quality(matrix, "quad")
