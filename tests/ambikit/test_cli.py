"""The command line, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

import ambikit
from ambikit.cli import main

RATE = 24000


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """Return a file with a source on the left, a little up."""
    noise = np.random.default_rng(0).standard_normal(2 * RATE).astype(np.float32) * 0.1
    path = tmp_path / "left.wav"
    ambikit.write(path, ambikit.encode(noise, 90, 20, degrees=True), RATE)
    return path


def doa(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, float]]:
    """Run `ambikit doa --json`."""
    capsys.readouterr()
    assert main(["doa", "--json", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def test_info(left: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stereo = left.with_name("stereo.wav")
    soundfile.write(stereo, np.zeros((100, 2)), RATE)
    assert main(["info", "--levels", str(left), str(stereo)]) == 0
    out = capsys.readouterr().out
    assert "left.wav: 4 channels, float, 24000 Hz, 2.000 s, ambix (assumed)" in out.replace(
        " (4 channels)", ""
    )
    assert "W -20." in out
    assert "not Ambisonic" in out
    assert main(["info", "--json", str(left)]) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 2 * RATE


def test_info_tells_horizontal_sound_and_silence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flat = np.array([[1.0], [0.5], [0.0], [0.5]], np.float32) * np.ones(1000, np.float32) * 0.1
    ambikit.write(tmp_path / "flat.wav", flat, RATE)
    ambikit.write(tmp_path / "silent.wav", 0 * flat, RATE)
    main(["info", "--levels", str(tmp_path / "flat.wav"), str(tmp_path / "silent.wav")])
    flat_report, silent_report = capsys.readouterr().out.split("silent.wav")
    assert "Z is silent: horizontal" in flat_report
    assert silent_report.rstrip().endswith("silent")


def test_rotate_and_doa(left: Path, capsys: pytest.CaptureFixture[str]) -> None:
    turned = str(left.with_name("turned.flac"))
    assert main(["rotate", str(left), turned, "--yaw", "-60"]) == 0
    found = doa(capsys, turned)
    assert [round(found[0][k]) for k in ("azimuth", "elevation")] == [30, 20]
    assert main(["rotate", str(left), turned, "--yaw", "-60", "--inverse"]) == 0
    assert round(doa(capsys, turned)[0]["azimuth"]) == 150
    assert main(["doa", turned, "--sources", "1"]) == 0
    assert "150.0      20.0" in capsys.readouterr().out


def test_convert_cuts_resamples_and_changes_convention(
    left: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = left.with_name("out.wav")
    arguments = [
        "--sample-rate",
        "16000",
        "--start",
        "0.5",
        "--duration",
        "1",
        "--convention",
        "fuma",
    ]
    assert main(["convert", str(left), str(out), *arguments, "--subtype", "PCM_24"]) == 0
    about = ambikit.info(out)
    assert (about.frames, about.sample_rate, about.codec) == (16000, 16000, "pcm_24")
    assert about.convention == "fuma"
    assert round(doa(capsys, str(out))[0]["azimuth"]) == 90


def test_beamform_writes_a_channel_for_each_direction(left: Path) -> None:
    out = left.with_name("beams.wav")
    command = [
        "beamform",
        str(left),
        str(out),
        "--azimuth",
        "90",
        "-90",
        "--elevation",
        "20",
        "-20",
    ]
    assert main(command) == 0
    beams, rate = soundfile.read(out)
    level = (beams**2).mean(axis=0)
    assert (beams.shape, rate) == ((2 * RATE, 2), RATE)
    assert level[1] < 1e-6 * level[0]


def test_features_resample_to_their_preset(left: Path) -> None:
    high = left.with_name("high.wav")
    main(["convert", str(left), str(high), "--sample-rate", "48000"])
    out = left.with_name("features.npy")
    assert main(["features", str(high), str(out), "--kind", "logmel"]) == 0
    assert np.load(out).shape == (4, 200, 128)
    assert not [p for p in left.parent.iterdir() if p.name.startswith(".")]


def test_doa_draws(left: Path) -> None:
    pytest.importorskip("matplotlib")
    picture = left.with_name("map.png")
    assert main(["doa", str(left), "--plot", str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["info", "nowhere.wav"], "nowhere.wav does not exist"),
        (["rotate", "{left}", "{folder}/no/a.wav"], "make it first"),
        (["convert", "{left}", "{folder}/a.mp3"], "file extension"),
        (["convert", "{left}", "{folder}/a.wav", "--start", "9"], "outside"),
        (["beamform", "{left}", "{folder}/a.wav", "--azimuth", "0", "--pattern", "omg"], "pattern"),
        (
            [
                "beamform",
                "{left}",
                "{folder}/a.wav",
                "--azimuth",
                "1",
                "2",
                "3",
                "--elevation",
                "1",
                "2",
            ],
            "3 azimuths",
        ),
        (["beamform", "{left}", "{folder}/a.wav", "--azimuth", "0", "--elevation", "100"], "±90"),
        (["doa", "{left}", "--method", "music"], "n_sources"),
        (["features", "{left}", "{folder}/f.npy", "--sample-rate", "16000"], "24000 Hz"),
    ],
)
def test_one_line_and_status_2(
    left: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    filled = [a.format(left=left, folder=left.parent) for a in arguments]
    assert main(filled) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("ambikit: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_a_bug_keeps_its_traceback(left: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("a bug of ours")

    monkeypatch.setattr(ambikit.io, "info", broken)
    with pytest.raises(ValueError, match="a bug of ours"):
        main(["info", str(left)])
