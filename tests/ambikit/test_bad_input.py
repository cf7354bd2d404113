"""What cannot be used is refused: what was given, what is expected, and the remedy."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import ambikit
from ambikit import InputError
from tests.ambikit.rows import BOXES, ONE_SIGNAL, RATE, SMALL, every_row

X = np.random.default_rng(0).normal(size=(4, 600))
SPECTRA = ambikit.stft(X, n_fft=64)
BANDS = ambikit.mel_covariance(X, RATE, **SMALL)
NAN = float("nan")


def of_signals(row):
    """All channels of an order; `expand_channels` takes any set of them, with their numbers."""
    return row.takes == "ambisonic" and row.name != "expand_channels"


def of_sound(row):
    return row.takes in ("ambisonic", "sound")


# Arrays of sound

SHAPES = {
    "channels last": ((600, 4), r"600 channels.*looks channels-last: pass \w+\.T"),
    "channels last, a square number": ((900, 4), r"order 29; it looks channels-last"),
    "a batch of channels last": ((3, 600, 9), r"600 channels.*channels-last"),
    "three channels": (
        (3, 600),
        r"3 channels \(shape \(3, 600\)\).*give all channels of one order",
    ),
    "five channels": ((5, 600), r"5 channels \(shape \(5, 600\)\)"),
    "YouTube's six": ((6, 600), r"6 channels"),
    "no channels": ((0, 600), r"0 channels"),
    "one dimension": ((600,), r"must be \(\.\.\., channels, samples\), got shape \(600,\)"),
    "a number": ((), r"must be an array of sound, got the single number 0\.0: see the order"),
    "an empty list": ((0,), r"got shape \(0,\)"),
}


@every_row(of_signals)
@pytest.mark.parametrize("case", SHAPES)
def test_shapes(row, case):
    shape, message = SHAPES[case]
    with pytest.raises(InputError, match=message):
        row.call(np.zeros(shape))


@pytest.mark.parametrize("shape", [(600, 4), (3, 600), (0, 600), (600,)])
def test_channels_and_their_numbers(shape):
    with pytest.raises(
        InputError, match=r"\(\.\.\., 4, samples\) for 4 channel numbers, got shape"
    ):
        ambikit.expand_channels(np.zeros(shape), [0, 1, 3, 4])


TYPES = {
    "16-bit integers": (lambda x: x.astype(np.int16), r"integers \(int16\).*\w+ / 32768\.0"),
    "unsigned integers": (lambda x: x.astype(np.uint8), r"integers \(uint8\)"),
    "complex numbers": (lambda x: x + 0j, r"real floats.*got complex128"),
    "truth values": (lambda x: x > 0, r"real floats.*got bool"),
    "objects": (lambda x: x.astype(object), r"must be numbers, got ndarray of object"),
    "text": (lambda x: x.astype(str), r"must be numbers, got ndarray of <U"),
    "nothing": (lambda x: None, r"must be numbers, got None"),
    "a masked array": (lambda x: np.ma.masked_greater(x, 0), r"masked array.*\.filled\(0\)"),
}


@every_row(of_sound)
@pytest.mark.parametrize("case", TYPES)
def test_types_of_sound(row, case):
    change, message = TYPES[case]
    with pytest.raises(TypeError, match=message):
        row.call(change(np.zeros(BOXES[row.takes])))


@every_row()
def test_ragged_lists(row):
    with pytest.raises(InputError, match="list of lists of different lengths"):
        row.call([[1.0, 2.0], [1.0]])


@every_row(lambda row: row.takes == "spectra")
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            lambda s: s.real,
            TypeError,
            r"must be complex64 or complex128, as from stft, got float64",
        ),
        (lambda s: s[0, 0], InputError, r"must be \(.*bins, frames\), got shape \(20,\)"),
        (lambda s: s[:, :1], InputError, r"got shape \(4, 1, 20\)"),
    ],
)
def test_spectra(row, change, error, message):
    with pytest.raises(error, match=message):
        row.call(change(row.example()))


@every_row(lambda row: row.takes == "spectra" and row.name != "istft")
def test_channels_of_spectra(row):
    with pytest.raises(InputError, match=r"3 channels \(shape \(3, 33, 20\)"):
        row.call(row.example()[:3])


@every_row(lambda row: row.takes == "bands")
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda c: c[:9], InputError, r"\(\.\.\., 10, frames, mels\).*got \(9, 9, 8\)"),
        (lambda c: c[0], InputError, r"10, frames, mels"),
        (lambda c: c.astype(int), TypeError, r"covariance must be real floats.*got int64"),
        (lambda c: c + 0j, TypeError, r"got complex128"),
    ],
)
def test_bands(row, change, error, message):
    with pytest.raises(error, match=message):
        row.call(change(row.example()))


@pytest.mark.parametrize("shape", [(2, 4, 600), (0, 4, 600)])
@pytest.mark.parametrize("name", sorted(ONE_SIGNAL - {"write"}))
def test_functions_of_one_signal(name, shape):
    arguments = {"count_sources": (), "esprit": (), "intensity_map": (RATE, 0.0)}.get(name, (RATE,))
    with pytest.raises(InputError, match=r"one signal \(channels, samples\), got shape"):
        getattr(ambikit, name)(np.zeros(shape), *arguments)


# NaN and infinity: in their sample or frame, or refused; never lost

REFUSE = {
    "decode:two bands",
    "decode_binaural",
    "encode_diffuse",
    "near_field",
    "normalized_intensity",
    "diffuseness",
    "power_map",
    "beamform_adaptive",
    "streaming.Binauralizer",
    "streaming.Diffuseness",
    "truncate_order:equalized",
}


@every_row(of_sound)
def test_not_a_number_is_refused_or_stays_where_it_is(row):
    x = row.example()
    clean = row.call(x)
    x[..., 300] = NAN
    if {row.name, row.label} & REFUSE:
        with pytest.raises(InputError, match="holds NaN or infinity"):
            row.call(x)
        return
    got = row.call(x)
    lost = ~np.isfinite(got)
    assert lost.any()
    along = -2 if row.name in ("foa_features", "mel_covariance", "streaming.Features") else -1
    share = lost.any(axis=tuple(a for a in range(-lost.ndim, 0) if a != along)).mean()
    assert share < 0.5
    assert_allclose(got[~lost], clean[~lost], atol=1e-5 * max(np.abs(clean).max(), 1))


@every_row(lambda row: {row.name, row.label} & REFUSE)
def test_infinity_is_refused(row):
    x = row.example()
    x[..., 300] = np.inf
    with np.errstate(invalid="ignore"), pytest.raises(InputError, match="holds NaN or infinity"):
        row.call(x)


@pytest.mark.parametrize("call", [ambikit.localize, lambda x, r: ambikit.intensity_map(x, r, 0.0)])
def test_localization_refuses_not_a_number(call):
    x = X.copy()
    x[1, 5] = NAN
    with pytest.raises(InputError, match="x holds NaN"):
        call(x, RATE)


# Angles and directions

ANGLES = {
    "rotation_matrix": lambda a: ambikit.rotation_matrix(a),
    "rotation_matrix pitch": lambda a: ambikit.rotation_matrix(0.0, a),
    "look_at": lambda a: ambikit.look_at(a),
    "steering_vector": lambda a: ambikit.steering_vector(a),
    "angles_to_vector": lambda a: ambikit.angles_to_vector(0.0, a),
    "beam_weights": lambda a: ambikit.beam_weights("cardioid", a),
    "encode": lambda a: ambikit.encode(X[0], a),
    "encode keys": lambda a: ambikit.encode(X[0], [0.0, a]),
    "rotate": lambda a: ambikit.rotate(X, a),
    "rotate keys": lambda a: ambikit.rotate(X, [0.0, a]),
    "beamform": lambda a: ambikit.beamform(X, a),
    "directional_gain": lambda a: ambikit.directional_gain(X, a, 0.0, 6.0, 1.0),
    "zoom": lambda a: ambikit.zoom(X, a, 0.0, 0.5),
    "warp": lambda a: ambikit.warp(X, 0.0, a, 0.5),
    "vbap_gains": lambda a: ambikit.vbap_gains("cube", a),
    "decode_binaural": lambda a: ambikit.decode_binaural(X, RATE, yaw=a),
    "sphere_head": lambda a: ambikit.sphere_head(RATE, azimuth=[0.0, a]),
    "power_map": lambda a: ambikit.power_map(X, a),
    "intensity_map": lambda a: ambikit.intensity_map(X, RATE, a),
    "find_peaks": lambda a: ambikit.find_peaks([1.0], [a], 0.0),
    "beamform_adaptive": lambda a: ambikit.beamform_adaptive(X, RATE, a),
    "cross_pattern_coherence": lambda a: ambikit.cross_pattern_coherence(SPECTRA, a),
    "beamform_covariance": lambda a: ambikit.beamform_covariance(BANDS, a),
}


OF_LISTS = ("encode keys", "rotate keys", "sphere_head")


@pytest.mark.parametrize("call", ANGLES.values(), ids=ANGLES)
@pytest.mark.parametrize("angle", [NAN, np.inf, -np.inf])
def test_angles_that_are_no_numbers(call, angle):
    with pytest.raises(InputError, match="holds NaN or infinity: give finite angles"):
        call(angle)


@pytest.mark.parametrize("call", ANGLES.values(), ids=ANGLES)
@pytest.mark.parametrize("angle", [1j, "1", None, True])
def test_angles_of_wrong_types(call, angle):
    if isinstance(angle, bool) and call in [ANGLES[name] for name in OF_LISTS]:
        return  # [0.0, True] is an array of numbers
    with pytest.raises(TypeError, match=r"must be (a real angle|numbers), got"):
        call(angle)


@pytest.mark.parametrize("name", ["angles_to_vector", "warp"])
def test_degrees_taken_for_radians(name):
    with pytest.raises(InputError, match=r"within ±90°.*got 45 rad; for degrees pass degrees=True"):
        ANGLES[name](45.0)


VECTORS = [ambikit.vector_to_angles, ambikit.spherical_harmonics]


@pytest.mark.parametrize("call", VECTORS)
@pytest.mark.parametrize(
    ("vector", "message"),
    [
        ([0.0, 0.0, 0.0], "zero vector"),
        ([NAN, 0.0, 1.0], "NaN"),
        ([1.0, 2.0, 3.0, 4.0], r"\(\.\.\., 3\).*got shape \(4,\)"),
        (1.0, r"got shape \(\)"),
    ],
)
def test_vectors(call, vector, message):
    with pytest.raises(InputError, match=message):
        call(vector)


ROTATIONS = {
    "rotate": lambda r: ambikit.rotate(X, rotation=r),
    "sh_rotation_matrix": ambikit.sh_rotation_matrix,
    "rotate_covariance": lambda r: ambikit.rotate_covariance(BANDS, r),
    "streaming.Rotator": lambda r: ambikit.streaming.Rotator(rotation=r),
}


@pytest.mark.parametrize("call", ROTATIONS.values(), ids=ROTATIONS)
@pytest.mark.parametrize(
    ("rotation", "error", "message"),
    [
        (np.full((3, 3), NAN), InputError, "not orthonormal"),
        (2 * np.eye(3), InputError, "not orthonormal"),
        (np.diag([1.0, 1.0, -1.0]), InputError, "reflection"),
        (np.ones((3, 4)), InputError, r"\(\.\.\., 3, 3\).*got shape \(3, 4\)"),
        (np.eye(3) * 1j, TypeError, "got complex128"),
        ("a quarter", TypeError, "numbers, got 'a quarter'"),
    ],
)
def test_rotations(call, rotation, error, message):
    with pytest.raises(error, match=message):
        call(rotation)


# Keys along time


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ambikit.rotate(X, [0.0, 1.0], [0.0, 1.0, 2.0]), r"yaw \(2,\), pitch \(3,\)"),
        (
            lambda: ambikit.encode(X[0], [0.0, 1.0], [0.0, 1, 1]),
            r"azimuth \(2,\), elevation \(3,\)",
        ),
        (lambda: ambikit.rotate(X, [[0.0, 1.0]]), r"1-D list of keys.*got shape \(1, 2\)"),
        (lambda: ambikit.encode(X[0], [[0.0, 1.0]]), r"keys along time\), got shape \(1, 2\)"),
        (lambda: ambikit.rotate(X, []), r"got shape \(0,\)"),
        (lambda: ambikit.encode(X[0], []), r"got shape \(0,\)"),
        (lambda: ambikit.rotate(X, 1.0, times=[0]), "times needs keys"),
        (lambda: ambikit.rotate(X, [0.0, 1.0], times=[0, 1, 2]), r"\(2,\), got shape \(3,\)"),
        (lambda: ambikit.rotate(X, [0.0, 1.0], times=[5, 5]), "strictly rising"),
        (lambda: ambikit.rotate(X, [0.0, 1.0], times=[0, NAN]), "finite"),
        (lambda: ambikit.rotate(X, 0.1, rotation=np.eye(3)), "not both"),
    ],
)
def test_keys(call, message):
    with pytest.raises(InputError, match=message):
        call()


# Covariances, weights and maps

HERMITIAN = {
    "mvdr_weights": lambda c: ambikit.mvdr_weights(c, [1.0, 0.0, 0.0, 1.0]),
    "lcmv_weights": lambda c: ambikit.lcmv_weights(c, [[1.0, 0.0, 0.0, 1.0]], [1.0]),
}


@pytest.mark.parametrize("call", HERMITIAN.values(), ids=HERMITIAN)
@pytest.mark.parametrize(
    ("covariance", "error", "message"),
    [
        (np.full((4, 4), NAN), InputError, "NaN"),
        (np.eye(3), InputError, r"\(\.\.\., 3\)|K, 3\)"),
        (np.ones(4), InputError, r"channels, channels\), got shape \(4,\)"),
        (np.triu(np.ones((4, 4))), InputError, "not Hermitian"),
        (-np.eye(4), InputError, "negative powers"),
        (np.eye(4) > 0, TypeError, "must be numbers, got bool"),
    ],
)
def test_covariances(call, covariance, error, message):
    with pytest.raises(error, match=message):
        call(covariance)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ambikit.beamform_spectra(SPECTRA, np.ones(3)), r"\(4,\).*got shape \(3,\)"),
        (lambda: ambikit.beamform_spectra(SPECTRA, np.full(4, NAN)), "weights holds NaN"),
        (
            lambda: ambikit.beamform_spectra(np.stack([SPECTRA] * 2), np.ones((3, 33, 4))),
            r"spectra \(2,\) and weights \(3,\) do not broadcast",
        ),
        (lambda: ambikit.find_peaks(np.ones((2, 3)), [0.0, 1.0], 0.0), "do not broadcast"),
        (lambda: ambikit.find_peaks([1.0, NAN], [0.0, 1.0], 0.0), "NaN"),
        (lambda: ambikit.find_peaks([-3.0, -20.0], [0.0, 1.0], 0.0), "powers, not decibels"),
        (lambda: ambikit.istft(SPECTRA, 5), "but 5 samples at hop 16 have 2"),
        (lambda: ambikit.stft(X, n_fft=64, window=np.ones(32)), "must have n_fft = 64 samples"),
        (lambda: ambikit.stft(X, n_fft=63), "n_fft must be even, got 63"),
        (lambda: ambikit.mvdr_weights(np.eye(4), np.zeros(4)), "zero vector"),
        (lambda: ambikit.lcmv_weights(np.eye(4), np.ones((5, 4)), np.ones(5)), "too many"),
        (
            lambda: ambikit.spectral_diffuseness(SPECTRA, average=3),
            r"average must be \(frames, bins",
        ),
        (lambda: ambikit.beamform_adaptive(X, RATE, 0.0, nulls=[[0.0, 0.0]]), "depend on each"),
        (lambda: ambikit.order_of_channels(5), "5 channels are not"),
        (lambda: ambikit.order_of_channels(4.0), "4.0 channels are not"),
    ],
)
def test_what_does_not_fit(call, message):
    with pytest.raises(InputError, match=message):
        call()
