"""What is written is what is read: the container says it, or whoever writes is told."""

from __future__ import annotations

import os
import stat
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import ambikit
from ambikit import InputError
from ambikit._codecs import encoders, libsndfile
from tests.ambikit.media import RATE, chord

SUBTYPES = [
    *(
        (s, kind)
        for s, (c, _) in libsndfile.FORMATS.items()
        for kind in soundfile.available_subtypes(c)
    ),
    *((s, c) for s in encoders.CODECS for c in ("aac", "opus", "flac", "pcm_s16le", "pcm_f32le")),
    *((s, c) for s in (".mkv", ".mka") for c in ("wavpack", "pcm_s24le", "pcm_u8", "alac", "tta")),
]
CONVENTIONS = ("ambix", "n3d", "fuma", "sid", "fuma/sn3d", "acn/fuma", "youtube51")


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_written_is_read_or_a_word_is_said(tmp_path: Path, convention: str) -> None:
    """Every container, codec and sample type; right is the sound that was given."""
    for suffix, subtype in SUBTYPES:
        for order in (1, 2):
            x, path = chord((order + 1) ** 2, 9600), tmp_path / f"a{suffix}"
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                try:
                    ambikit.write(path, x, RATE, convention=convention, subtype=subtype)
                except InputError:
                    continue
            named = convention if caught else None
            for warning in caught:
                assert f"says {convention}" in str(warning.message)
            y, _ = ambikit.read(path, convention=named)
            case = (suffix, subtype, order)
            assert len(y) == len(x), case
            error = np.sqrt(np.mean((y[:, : x.shape[1]] - x) ** 2) / np.mean(x**2))
            assert error < 0.3, case  # N3D for SN3D: 0.6; another order: 1 or more


@pytest.mark.parametrize(
    ("name", "convention", "said"),
    [
        ("a.wav", "fuma", True),
        ("a.amb", "fuma", True),
        ("a.rf64", "fuma", True),
        ("a.caf", "fuma", True),
        ("a.caf", "n3d", True),
        ("a.caf", "ambix", True),
        ("a.wav", "n3d", False),
        ("a.rf64", "n3d", False),
        ("a.w64", "fuma", False),
        ("a.flac", "fuma", False),
        ("a.ogg", "fuma", False),
        ("a.caf", "sid", False),
    ],
)
def test_which_containers_say_it(tmp_path: Path, name: str, convention: str, said: bool) -> None:
    x = chord(4, 9600)
    if said:
        ambikit.write(tmp_path / name, x, RATE, convention=convention)
        about = ambikit.info(tmp_path / name)
        assert (about.convention, about.evidence) == (convention, "stated")
    else:
        with pytest.warns(UserWarning, match=f"says {convention}.*convention='{convention}'"):
            ambikit.write(tmp_path / name, x, RATE, convention=convention)
        assert ambikit.info(tmp_path / name).evidence == "assumed"


def test_no_loudspeakers_are_named(tmp_path: Path) -> None:
    """libsndfile would call four channels of RF64 a quadraphonic set."""
    for name, convention in (("a.rf64", "ambix"), ("a.wav", "fuma"), ("a.rf64", "fuma")):
        ambikit.write(tmp_path / name, chord(4), RATE, convention=convention)
        data = (tmp_path / name).read_bytes()
        assert data[data.index(b"fmt ") + 28 :][:4] == bytes(4)


@pytest.mark.parametrize("name", ["a.mkv", "a.mka", "a.flac", "a.mov"])
@pytest.mark.parametrize("peak", [1.01, 4.0])
def test_integers_warn_of_clipping(tmp_path: Path, name: str, peak: float) -> None:
    x = chord(4) / 0.3 * peak
    subtype = "pcm_s16le" if name == "a.mov" else None
    with pytest.warns(UserWarning, match=r"within ±1; the peak is .*scale it by"):
        ambikit.write(tmp_path / name, x, RATE, subtype=subtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for other, kind in (("a.mkv", "pcm_f32le"), ("a.wav", None), ("a.webm", None)):
            ambikit.write(tmp_path / other, x, RATE, subtype=kind)
    assert ambikit.read(tmp_path / "a.wav")[0].max() == pytest.approx(peak, rel=1e-3)


def test_companded_b_format_is_read(tmp_path: Path) -> None:
    """libsndfile writes it and calls it unimplemented."""
    x = chord(4)
    for kind in ("ULAW", "ALAW"):
        ambikit.write(tmp_path / "a.amb", x, RATE, convention="fuma", subtype=kind)
        np.testing.assert_allclose(ambikit.read(tmp_path / "a.amb")[0], x, atol=0.02)


@pytest.mark.parametrize(
    ("channels", "name", "options", "message"),
    [
        (9, "a.caf", {"subtype": "ALAC_16"}, "could not be read again"),
        (4, "a.mkv", {"convention": "youtube51", "subtype": "flac"}, "subtype of youtube51 'flac'"),
        (4, "a.webm", {"convention": "youtube51"}, "cannot hold 6 channels"),
        (4, "a", {}, "file extension"),
    ],
)
def test_what_could_not_be_read_is_not_written(
    tmp_path: Path, channels: int, name: str, options: dict[str, Any], message: str
) -> None:
    if name.endswith((".webm", ".mkv")):
        pytest.importorskip("av")
    with pytest.raises(InputError, match=message):
        ambikit.write(tmp_path / name, chord(channels), RATE, **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("channels", [1, 2, 4, 5, 32])
@pytest.mark.parametrize("name", ["a.wav", "a.w64", "a.caf", "a.rf64"])
def test_channels_of_any_kind(tmp_path: Path, channels: int, name: str) -> None:
    """A-format and other arrays, beams: in and out as they are, and never taken for a field."""
    x = chord(channels)
    ambikit.write(tmp_path / name, x, RATE, convention="none")
    y, rate = ambikit.read(tmp_path / name, convention="none")
    assert rate == RATE
    np.testing.assert_array_equal(y, x)
    resampled, _ = ambikit.read(tmp_path / name, convention="none", sample_rate=24000)
    assert resampled.shape == (channels, x.shape[1] // 2)


@pytest.mark.parametrize("rate", [44100.0, np.float32(44100), np.int64(44100), 44100])
def test_rates_that_are_whole_numbers(tmp_path: Path, rate: float) -> None:
    ambikit.write(tmp_path / "a.wav", chord(4), rate)
    assert ambikit.read(tmp_path / "a.wav", sample_rate=rate)[1] == 44100
    for wrong in (44100.5, 0.0, -1, float("nan"), float("inf"), 2**31, 48e9):
        with pytest.raises(InputError, match="sample_rate must be"):
            ambikit.write(tmp_path / "a.wav", chord(4), wrong)
        with pytest.raises(InputError, match="sample_rate must be"):
            ambikit.read(tmp_path / "a.wav", sample_rate=wrong)


@pytest.mark.parametrize("rate", [48000, 44100])
@pytest.mark.parametrize("suffix", [".mp4", ".m4a", ".mov"])
def test_mp4_keeps_every_length(tmp_path: Path, suffix: str, rate: int) -> None:
    """Edit lists count in ticks of 1 ms unless told otherwise: 1024 samples came back as 1008."""
    path = tmp_path / f"a{suffix}"
    for samples in (1, 23, 1023, 1024, 1025, 4801):
        ambikit.write(path, chord(4, samples, rate), rate)
        assert ambikit.info(path).frames == samples
        assert ambikit.read(path)[0].shape == (4, samples)


def test_a_shape_without_channels_is_refused_in_words(tmp_path: Path) -> None:
    for x in (np.zeros(10), np.zeros((2, 4, 10)), np.float64(0)):
        with pytest.raises(InputError, match=r"x must be \(channels, samples\)|x must"):
            ambikit.write(tmp_path / "a.wav", x, RATE, convention="none")


# Names, links and permissions

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="names of other systems")
ODD_NAMES = [
    "12:30 concert",
    "-out",
    "a%03d",
    "naïve – Ärger 日本",
    "two  spaces ",
    "quote'\"`$x",
    "a" * 250,
]


@pytest.mark.parametrize("suffix", [".wav", ".mkv", ".opus", ".m4a", ".flac"])
@pytest.mark.parametrize("stem", ODD_NAMES)
@POSIX
def test_odd_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stem: str, suffix: str) -> None:
    monkeypatch.chdir(tmp_path)
    name = stem[: 255 - len(suffix)] + suffix
    for path in (name, tmp_path / name):
        ambikit.write(path, chord(4, 9600), RATE)
        assert ambikit.read(path)[0].shape == (4, 9600)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("suffix", [".wav", ".amb", ".mkv", ".m4a", ".flac", ".ogg"])
@pytest.mark.skipif(sys.platform != "linux", reason="names are text on other systems")
def test_names_that_are_not_text(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9 \xff" + suffix.encode())
    convention = "fuma" if suffix == ".amb" else "ambix"
    ambikit.write(path, chord(4, 9600), RATE, convention=convention)
    assert ambikit.read(path)[0].shape == (4, 9600)
    assert ambikit.info(path).frames == 9600
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"truncated|cannot be read|damaged"):
        ambikit.read(path)


@POSIX
def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real" / "a.wav", tmp_path / "link.wav"
    real.parent.mkdir()
    link.symlink_to("real/a.wav")  # which does not exist yet
    for value in (0.25, 0.5):
        ambikit.write(link, np.full((4, 10), value, np.float32), RATE)
        assert link.is_symlink()
        assert ambikit.read(real)[0].max() == value
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link.wav", "real"]
    real.unlink()
    real.parent.rmdir()
    with pytest.raises(FileNotFoundError, match="folder"):
        ambikit.write(link, chord(4), RATE)


@POSIX
def test_permissions_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    ambikit.write(path, chord(4), RATE)
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask
    path.chmod(0o640)
    ambikit.write(path, chord(4), RATE)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@POSIX
def test_devices_and_folders_are_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "null.wav").symlink_to("/dev/null")
    for name, kind in (("pipe", "a pipe"), ("folder", "a folder"), ("null", "a device")):
        with pytest.raises(InputError, match=kind):
            ambikit.write(tmp_path / f"{name}.wav", chord(4), RATE)
    assert Path("/dev/null").is_char_device()


def test_arguments_in_the_wrong_order_are_one_line(tmp_path: Path) -> None:
    x = np.zeros((4, 24000))
    calls = (
        lambda: ambikit.write(tmp_path / "a.wav", 24000, x),
        lambda: ambikit.localize(24000, x),
        lambda: ambikit.decode("5.1", x),
        lambda: ambikit.decode(x, [[30, -30, 110, -110], [0, 0, 0, 0]]),
        lambda: ambikit.decode(x, x),
        lambda: ambikit.stft(x, x),
    )
    for call in calls:
        with pytest.raises((InputError, TypeError)) as caught:
            call()
        assert len(str(caught.value).splitlines()) == 1
        assert len(str(caught.value)) < 200
    assert list(tmp_path.iterdir()) == []
