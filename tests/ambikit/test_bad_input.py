"""What cannot be used is refused: what was given, what is expected, and the remedy."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

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
    "a number": ((), r"must be \(\.\.\., channels, samples\), got shape \(\)"),
    "an empty list": ((0,), r"got shape \(0,\)"),
}


@every_row(of_signals)
@pytest.mark.parametrize("case", SHAPES)
def test_shapes(row, case):
    shape, message = SHAPES[case]
    with pytest.raises(InputError, match=message):
        row.call(np.zeros(shape))


@pytest.mark.parametrize("shape", [(600, 4), (3, 600), (0, 600), (600,), ()])
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
    "objects": (lambda x: x.astype(object), r"real floats.*got object"),
    "text": (lambda x: x.astype(str), r"real floats.*got <U"),
    "nothing": (lambda x: None, r"real floats.*got object"),
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
    with pytest.raises(TypeError, match="must be a real angle, got"):
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
        ("a quarter", TypeError, "got <U9"),
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


# Names

NAMES = {
    "pattern": lambda v: ambikit.beamform(X, 0.0, pattern=v),
    "pattern of weights": lambda v: ambikit.beam_weights(v, 0.0),
    "pattern of a map": lambda v: ambikit.power_map(X, 0.0, pattern=v),
    "pattern on bands": lambda v: ambikit.beamform_covariance(BANDS, 0.0, pattern=v),
    "preset": lambda v: ambikit.foa_features(X, RATE, preset=v),
    "kind": lambda v: ambikit.foa_features(X, RATE, kind=v, **SMALL),
    "mel_scale": lambda v: ambikit.foa_features(X, RATE, mel_scale=v, **SMALL),
    "intensity": lambda v: ambikit.foa_features(X, RATE, intensity=v, **SMALL),
    "variant": lambda v: ambikit.spectral_normalized_intensity(SPECTRA, variant=v),
    "source": lambda v: ambikit.convert(X, v, "ambix"),
    "target": lambda v: ambikit.convert(X, "ambix", v),
    "method": lambda v: ambikit.localize(X, RATE, method=v),
    "axis": lambda v: ambikit.mirror(X, v),
    "preserve": lambda v: ambikit.warp(X, 0.0, 0.0, 0.1, preserve=v),
    "post_filter": lambda v: ambikit.beamform_adaptive(X, RATE, 0.0, post_filter=v),
}


@pytest.mark.parametrize("call", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("name", ["laser", "", 1, ["cardioid"], np.ones(2)])
def test_names(call, name):
    with pytest.raises(InputError, match=r"unknown .*choose one of \w+"):
        call(name)


# Numbers

WHOLE = {
    "channels_of_order": ambikit.channels_of_order,
    "fibonacci_sphere": ambikit.fibonacci_sphere,
    "icosphere": ambikit.icosphere,
    "spherical_harmonics": lambda v: ambikit.spherical_harmonics([1.0, 0.0, 0.0], v),
    "sh_rotation_matrix": lambda v: ambikit.sh_rotation_matrix(np.eye(3), v),
    "steering_vector": lambda v: ambikit.steering_vector(0.0, order=v),
    "encode": lambda v: ambikit.encode(X[0], 0.0, order=v),
    "encode_diffuse": lambda v: ambikit.encode_diffuse(X[0], order=v),
    "encode_diffuse length": lambda v: ambikit.encode_diffuse(X[0], length=v),
    "encode_diffuse seed": lambda v: ambikit.encode_diffuse(X[0], length=64, seed=v),
    "stft n_fft": lambda v: ambikit.stft(X, n_fft=v),
    "stft hop": lambda v: ambikit.stft(X, n_fft=64, hop=v),
    "istft samples": lambda v: ambikit.istft(SPECTRA, v),
    "features n_fft": lambda v: ambikit.foa_features(X, RATE, **{**SMALL, "n_fft": v}),
    "features hop": lambda v: ambikit.foa_features(X, RATE, **{**SMALL, "hop": v}),
    "features n_mels": lambda v: ambikit.foa_features(X, RATE, **{**SMALL, "n_mels": v}),
    "features average": lambda v: ambikit.foa_features(X, RATE, average=v, **SMALL),
    "average": lambda v: ambikit.spectral_diffuseness(SPECTRA, average=(v, 3)),
    "n_peaks": lambda v: ambikit.find_peaks(np.ones(3), [0.0, 1.0, 2.0], 0.0, n_peaks=v),
    "n_sources": lambda v: ambikit.localize(np.tile(X, 2), RATE, n_sources=v),
}


@pytest.mark.parametrize("call", WHOLE.values(), ids=WHOLE)
@pytest.mark.parametrize("value", [-1, 1.5, 2.0, NAN, "2", True])
def test_whole_numbers(call, value):
    with pytest.raises(InputError, match=r"must be .*got"):
        call(value)


POSITIVE = {
    "normalized_intensity": lambda v: ambikit.normalized_intensity(X, v),
    "diffuseness": lambda v: ambikit.diffuseness(X, v),
    "time_constant": lambda v: ambikit.diffuseness(X, RATE, time_constant=v),
    "beamform_adaptive": lambda v: ambikit.beamform_adaptive(X, v, 0.0),
    "window_length": lambda v: ambikit.beamform_adaptive(X, RATE, 0.0, window_length=v),
    "localize": lambda v: ambikit.localize(X, v),
    "intensity_map": lambda v: ambikit.intensity_map(X, v, 0.0),
    "foa_features": lambda v: ambikit.foa_features(X, v, **SMALL),
    "mel_covariance": lambda v: ambikit.mel_covariance(X, v, **SMALL),
    "top_db": lambda v: ambikit.foa_features(X, RATE, top_db=v, **SMALL),
}
RANGES = {
    "gain_db": (lambda v: ambikit.directional_gain(X, 0.0, 0.0, v, 1.0), [NAN, np.inf]),
    "width": (lambda v: ambikit.directional_gain(X, 0.0, 0.0, 1.0, v), [0.0, -1.0, 7.0]),
    "zoom": (lambda v: ambikit.zoom(X, 0.0, 0.0, v), [-1.0, 1.0, NAN, np.inf]),
    "warp": (lambda v: ambikit.warp(X, 0.0, 0.0, v), [-1.0, 1.0, NAN]),
    "spread": (lambda v: ambikit.encode(X[0], 0.0, spread=v), [-0.1, 7.0]),
    "floor": (lambda v: ambikit.cross_pattern_coherence(SPECTRA, 0.0, floor=v), [-0.1, 1.1, NAN]),
    "loading": (lambda v: ambikit.mvdr_weights(np.eye(4), [1, 0, 0, 1], loading=v), [-1.0, NAN]),
    "separation": (lambda v: ambikit.find_peaks([1.0], [0.0], 0.0, separation=v), [-1.0, 0.0]),
    "threshold": (lambda v: ambikit.find_peaks([1.0], [0.0], 0.0, threshold=v), [-0.1, 1.1, NAN]),
    "fmin": (lambda v: ambikit.foa_features(X, RATE, fmin=v, **SMALL), [-1.0, 12_000.0, NAN]),
    "fmax": (lambda v: ambikit.foa_features(X, RATE, fmax=v, **SMALL), [0.0, 12_001.0, NAN]),
}


@pytest.mark.parametrize("call", POSITIVE.values(), ids=POSITIVE)
@pytest.mark.parametrize("value", [-1.0, 0.0, NAN, np.inf])
def test_positive_numbers(call, value):
    with pytest.raises(InputError, match=r"must be positive.*got|sample_rate is .*resample"):
        call(value)


@pytest.mark.parametrize(
    ("call", "value"), [(call, v) for call, values in RANGES.values() for v in values]
)
def test_numbers_out_of_range(call, value):
    with pytest.raises(InputError, match=r"must (be|lie|satisfy).*got"):
        call(value)


@pytest.mark.parametrize("value", ["8000", None, 1j, True, [8000.0, 8000.0]])
@pytest.mark.parametrize(
    "call",
    [
        *(call for name, call in POSITIVE.items() if name != "top_db"),
        *(RANGES[name][0] for name in ("gain_db", "zoom", "floor", "loading", "threshold", "fmin")),
    ],
)
def test_numbers_of_wrong_types(call, value):
    with pytest.raises(TypeError, match="must be one real number, got"):
        call(value)


def test_more_bands_than_bins():
    """Bands of a mel spectrogram that hold no bin would say -100 dB of any sound."""
    settings = {"n_fft": 64, "window_length": 64, "hop": 32}
    for n_mels in (20, 40):
        with pytest.raises(InputError, match=rf"n_mels \({n_mels}\) is too many for n_fft=64"):
            ambikit.foa_features(X, RATE, n_mels=n_mels, **settings)
    with pytest.raises(InputError, match="10 of the bands hold no bin, the first is number 0"):
        ambikit.mel_covariance(X, RATE, n_mels=40, **settings)
    levels = ambikit.foa_features(X, RATE, n_mels=16, kind="logmel", **settings)
    assert levels.min() > -60


def test_settings_that_do_not_exist():
    with pytest.raises(TypeError, match="hopp"):
        ambikit.foa_features(X, RATE, hopp=100)


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


# Outputs

OUTPUTS = {
    "rotate": (lambda x, out: ambikit.rotate(x, 0.5, out=out), (4, 600)),
    "rotate moving": (lambda x, out: ambikit.rotate(x, [0.5, 1.0], out=out), (4, 600)),
    "beamform": (lambda x, out: ambikit.beamform(x, [0.0, 1, 2, 3], out=out), (4, 600)),
    "encode": (lambda x, out: ambikit.encode(x[0], 0.5, out=out), (4, 600)),
    "encode moving": (lambda x, out: ambikit.encode(x[0], [0.5, 1.0], out=out), (4, 600)),
}
outputs = pytest.mark.parametrize(("call", "shape"), OUTPUTS.values(), ids=OUTPUTS)


@outputs
def test_outputs_that_do_not_fit(call, shape):
    frozen = np.empty(shape)
    frozen.flags.writeable = False
    repeated = np.lib.stride_tricks.as_strided(np.empty(shape[1]), shape, (0, 8))
    for out, message in (
        (np.empty((4, 599)), r"shape \(4, 600\), got float64 \(4, 599\)"),
        (np.empty(shape, np.float32), "float64 array.*got float32"),
        (np.empty(shape, np.dtype(float).newbyteorder()), "must be a float64 array.*got >f8"),
        (np.empty(shape).tolist(), "got list"),
        (frozen, "read-only"),
        (repeated, "in one place"),
    ):
        with pytest.raises(InputError, match=message):
            call(X, out)


@outputs
def test_outputs_that_overlap_the_input_are_refused(call, shape):
    """Sample t would be overwritten before sample t + 1 is read."""
    memory = np.zeros((8, 601))
    memory[:4, :600] = X
    for out in (memory[:4, 1:], memory[:4, :600][::-1], memory[:4, :600][:, ::-1]):
        with pytest.raises(InputError, match="overlaps the input"):
            call(memory[:4, :600], out)
        assert_array_equal(memory[:4, :600], X)


@outputs
def test_outputs_beside_the_input_are_right(call, shape):
    """The same memory, but no sample in common."""
    memory = np.zeros((8, 1200))
    memory[::2, ::2] = X
    expected = call(X, None)
    for out in (memory[1::2, ::2], memory[::2, 1::2]):
        np.testing.assert_allclose(call(memory[::2, ::2], out), expected, atol=1e-12)
        assert_array_equal(memory[::2, ::2], X)


@pytest.mark.parametrize("angles", [0.5, [0.5, 1.0]])
@pytest.mark.parametrize("view", [lambda x: x, lambda x: x[:], lambda x: x[..., 5:50]])
def test_rotation_in_place(angles, view):
    x = X.copy()
    expected = ambikit.rotate(view(x).copy(), angles)
    ambikit.rotate(view(x), angles, out=view(x))
    np.testing.assert_allclose(view(x), expected, atol=1e-12)
