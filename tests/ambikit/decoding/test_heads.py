"""Heads: by formula, shipped, and from SOFA files."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import ambikit
from ambikit import InputError
from ambikit.decoding.heads import head_of, kemar, resampled
from ambikit.decoding.sofa import read_sofa

RATE = 48_000
GRID = ambikit.vector_to_angles(ambikit.fibonacci_sphere(150))


def sphere(taps=64, rate=RATE):
    return ambikit.sphere_head(rate, azimuth=GRID[0], elevation=GRID[1], taps=taps)


# A sphere


def test_sphere_at_low_frequencies():
    """Long waves pass: the pressure is 1, and its delay is 3/2 of the way past the ear (Kuhn)."""
    azimuth = np.array([0, 30, 90, -90, 180])
    responses = ambikit.sphere_head(RATE, azimuth=azimuth, degrees=True, taps=4096)[2]
    spectra = np.fft.rfft(responses)
    frequency = np.fft.rfftfreq(4096, 1 / RATE)
    assert_allclose(np.abs(spectra[..., 0]), 1.0, atol=1e-9)
    low = 8  # 94 Hz
    phase = np.angle(spectra[:, 0, low] / spectra[:, 1, low])
    difference = phase / (2 * np.pi * frequency[low])  # + where the left ear leads
    assert_allclose(difference, 3 * 0.0875 / 343 * np.sin(np.deg2rad(azimuth)), atol=5e-6)


def test_sphere_at_high_frequencies():
    """Towards the source the pressure doubles, as at a wall."""
    responses = ambikit.sphere_head(RATE, azimuth=90, degrees=True, taps=512)[2]
    level = np.abs(np.fft.rfft(responses[0, 0]))
    assert_allclose(level[200:250], 2.0, rtol=0.02)


def test_radius():
    """A sphere of half the size does at twice the frequency what the other does."""
    whole = ambikit.sphere_head(RATE, azimuth=40, degrees=True, radius=0.1, taps=512)[2]
    half = ambikit.sphere_head(RATE, azimuth=40, degrees=True, radius=0.05, taps=512)[2]
    magnitude = [np.abs(np.fft.rfft(h[0, 0])) for h in (whole, half)]
    half_way = len(magnitude[0]) // 2
    assert_allclose(magnitude[1][: 2 * half_way : 2], magnitude[0][:half_way], rtol=1e-6)


def test_sphere_too_large():
    with pytest.raises(InputError, match="needs responses of 560 taps, got 256"):
        ambikit.sphere_head(RATE, radius=1.0)


# KEMAR


def test_kemar_is_whole_flat_and_symmetric():
    vectors, responses, rate = kemar()
    assert rate == 44_100
    assert vectors[:, 2].min() < -0.999  # the cap below is filled
    head = head_of("kemar", rate)
    assert_allclose(head.weights.sum(), 1.0)
    power = np.einsum("m,mef->f", head.weights / 2, np.abs(np.fft.rfft(responses, 512)) ** 2)
    frequency = np.fft.rfftfreq(512, 1 / rate)
    level = 10 * np.log10(power[(frequency > 200) & (frequency < 15_000)])
    assert np.abs(level - level.mean()).max() < 2.0
    assert abs(level.mean()) < 1.0
    front = vectors @ [1, 0, 0] > 0.9999
    assert_allclose(responses[front, 0], responses[front, 1])


def test_kemar_is_the_measurement(test_data):
    """Between the ears and between directions: what no common equaliser changes."""
    azimuth, elevation, measured, rate = read_sofa(
        test_data / "hrtf" / "MIT_KEMAR_normal_pinna.sofa"
    )
    vectors, responses, _ = kemar()
    assert_allclose(ambikit.angles_to_vector(azimuth, elevation), vectors[:710], atol=1e-6)
    frequency = np.fft.rfftfreq(2048, 1 / rate)
    band = (frequency > 500) & (frequency < 12_000)
    size = [np.abs(np.fft.rfft(r, 2048))[..., band] for r in (measured, responses[:710])]
    level = 20 * np.log10(size[1] / size[0])
    level -= np.median(level, axis=(0, 1))
    assert np.median(np.abs(level)) < 0.3
    assert np.quantile(np.abs(level), 0.95) < 2.0


def test_resampling_keeps_the_spectrum():
    _, responses, rate = kemar()
    again = resampled(responses[:20], rate, 48_000)
    size = [
        np.abs(np.fft.rfft(r, int(n / 50)))[..., 4:300]
        for r, n in ((responses[:20], rate), (again, 48_000))
    ]
    assert_allclose(size[1], size[0], atol=0.01 * size[0].max())


# SOFA files


@pytest.fixture
def sofa(tmp_path):
    """Return a function that writes a SOFA file of a sphere, changed by what is given."""
    sofar = pytest.importorskip("sofar")

    def write(name="head.sofa", convention="SimpleFreeFieldHRIR", **fields):
        azimuth, elevation, responses = sphere()
        file = sofar.Sofa(convention)
        if convention == "SimpleFreeFieldHRIR":
            file.Data_IR = responses
            file.Data_SamplingRate = RATE
            file.Data_Delay = np.zeros((1, 2))
            position = np.stack([azimuth, elevation, 2 + 0 * azimuth], -1)
            file.SourcePosition = position * [180 / np.pi, 180 / np.pi, 1]
            file.SourcePosition_Type = "spherical"
            file.SourcePosition_Units = "degree, degree, metre"
            file.ReceiverPosition = np.array([[0, 0.09, 0], [0, -0.09, 0]])
        for field, value in fields.items():
            setattr(file, field, value)
        sofar.write_sofa(str(tmp_path / name), file)
        return tmp_path / name

    return write


def test_sofa_round_trip(sofa):
    azimuth, elevation, responses, rate = read_sofa(sofa())
    assert rate == RATE
    assert_allclose(
        ambikit.angles_to_vector(azimuth, elevation), ambikit.angles_to_vector(*GRID), atol=1e-6
    )
    assert_allclose(responses, sphere()[2], atol=1e-7)


def test_sofa_in_every_dress(sofa):
    """Cartesian positions, delays beside the responses, the right ear first, another rate."""
    plain = ambikit.binaural_filters(1, RATE, head=sofa(), taps=80)
    vectors = 2 * ambikit.angles_to_vector(*GRID)
    cartesian = sofa(
        "c.sofa",
        SourcePosition=vectors,
        SourcePosition_Type="cartesian",
        SourcePosition_Units="metre",
    )
    assert_allclose(ambikit.binaural_filters(1, RATE, head=cartesian, taps=80), plain, atol=1e-6)
    swapped = sofa(
        "s.sofa",
        Data_IR=sphere()[2][:, ::-1],
        ReceiverPosition=np.array([[0, -0.09, 0], [0, 0.09, 0]]),
    )
    assert_allclose(ambikit.binaural_filters(1, RATE, head=swapped, taps=80), plain, atol=1e-6)
    late = read_sofa(sofa("l.sofa", Data_Delay=np.array([[3.0, 3.0]])))[2]
    assert_allclose(late[..., 3:67], sphere()[2], atol=1e-6)


def test_sofa_of_another_rate(sofa):
    """Resampled: the same magnitudes at the same frequencies."""
    filters = [
        ambikit.binaural_filters(1, rate, head=sofa(), method="ls", taps=taps)
        for rate, taps in ((48_000, 96), (96_000, 192))
    ]
    size = [np.abs(np.fft.rfft(f, n))[..., :60] for f, n in zip(filters, (480, 960), strict=True)]
    assert_allclose(size[1], size[0], atol=0.02 * size[0].max())


def test_sofa_files_that_cannot_be_used(sofa, tmp_path):
    with pytest.raises(InputError, match="convention GeneralFIR, not SimpleFreeFieldHRIR"):
        read_sofa(sofa(convention="GeneralFIR"))
    clockwise = ambikit.vector_to_angles(ambikit.fibonacci_sphere(150) * [1, -1, 1])
    position = np.stack([*np.rad2deg(clockwise), np.ones(150)], -1)
    with pytest.raises(InputError, match=r"azimuth \+90°\) is louder at the right ear.*clockwise"):
        ambikit.binaural_filters(1, RATE, head=sofa(SourcePosition=position))
    (tmp_path / "text.sofa").write_text("no SOFA")
    with pytest.raises(InputError, match=r"text\.sofa cannot be read as a SOFA file"):
        read_sofa(tmp_path / "text.sofa")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        ambikit.binaural_filters(1, RATE, head=str(tmp_path / "no.sofa"))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Data_SamplingRate", np.nan),
        ("Data_SamplingRate", 0.0),
        ("Data_SamplingRate", 1e12),
        ("Data_Delay", np.array([[np.nan, 0.0]])),
        ("Data_Delay", np.array([[-5.0, 0.0]])),
        ("Data_Delay", np.array([[1e9, 0.0]])),
        ("SourcePosition", np.full((150, 3), np.nan)),
        ("SourcePosition", np.full((150, 3), 200.0)),
        ("Data_IR", np.full((150, 2, 8), np.inf)),
    ],
)
def test_sofa_files_with_numbers_that_cannot_be(sofa, field, value):
    """They took all memory, or gave filters of NaN."""
    path = sofa(**{field: value})
    with pytest.raises(InputError, match=rf"head\.sofa.*{field.replace('_', '.', 1)}"):
        read_sofa(path)


def test_sofa_without_a_field(sofa, monkeypatch):
    """sofar fills in what a file lacks, so the field is taken away behind it."""
    sofar = pytest.importorskip("sofar")
    read = sofar.read_sofa

    def without(*arguments, **options):
        file = read(*arguments, **options)
        file.protected = False
        object.__setattr__(file, "SourcePosition", None)
        return file

    path = sofa()
    monkeypatch.setattr(sofar, "read_sofa", without)
    with pytest.raises(InputError, match="lacks the field SourcePosition"):
        read_sofa(path)


# Other heads


def test_heads_that_cannot_be_used():
    azimuth, elevation, responses = sphere()
    cases = [
        ("kemr", r"unknown head 'kemr': did you mean 'kemar'"),
        (3, r"head must be one of kemar, sphere, a SOFA file, or a tuple"),
        ((azimuth, elevation, responses[:, 0]), r"responses must be \(M, 2, taps\)"),
        ((azimuth[1:], elevation[1:], responses), r"responses of 150 directions, but 149 azimuths"),
        ((azimuth, elevation, responses[:, ::-1]), r"head: sound from the left"),
        ((azimuth, elevation, responses * np.nan), r"responses holds NaN"),
        ((azimuth, elevation, responses * 0.0), r"responses have a peak of 0"),
        ((azimuth, elevation, responses * 1e300), r"responses have a peak of .*e\+300"),
    ]
    for head, message in cases:
        with pytest.raises(InputError, match=message):
            ambikit.binaural_filters(1, RATE, head=head)


def test_orders_that_the_directions_cannot_carry():
    azimuth, elevation, responses = ambikit.sphere_head(
        RATE, azimuth=np.arange(72) * 5, degrees=True
    )
    head = (np.deg2rad(azimuth), np.deg2rad(elevation), responses)
    with pytest.raises(InputError, match=r"72 directions do not carry order 1 .*leave a part"):
        ambikit.binaural_filters(1, RATE, head=head)
    with pytest.raises(InputError, match="150 directions do not carry order 12"):
        ambikit.binaural_filters(12, RATE, head=sphere())
