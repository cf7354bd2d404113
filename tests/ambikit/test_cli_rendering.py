"""The commands for files of any length: decode, binaural, a2b and map."""

from __future__ import annotations

import re
import tracemalloc

import numpy as np
import pytest
import soundfile
from numpy.testing import assert_allclose

import ambikit
from ambikit import rendering
from ambikit.cli import main

RATE = 16_000


@pytest.fixture(autouse=True)
def short_spans(monkeypatch):
    """Make spans so short that files of a second have several."""
    monkeypatch.setattr(rendering, "SPAN", 5000)


@pytest.fixture
def file(tmp_path):
    """Return a file of a source at the left, and its sound."""
    noise = np.random.default_rng(0).normal(size=RATE).astype(np.float32) * 0.1
    x = ambikit.encode(noise, 80, 20, degrees=True)
    ambikit.write(tmp_path / "in.wav", x, RATE)
    return tmp_path / "in.wav", x


def written(path):
    x, rate = soundfile.read(path, dtype="float32", always_2d=True)
    assert rate == RATE
    return x.T


def test_decode(file):
    path, x = file
    out = path.with_name("out.wav")
    assert main(["decode", str(path), str(out), "7.1.4", "--dual-band", "700", "--lfe"]) == 0
    expected = ambikit.decode(
        x, "7.1.4", weighting="max_re", dual_band=700, lfe=True, sample_rate=RATE
    )
    assert_allclose(written(out), expected, atol=1e-6)


def test_decode_with_gains(file):
    path, x = file
    out = path.with_name("out.wav")
    assert main(["decode", "--gains", "-6", "0", "0,-20,3", str(path), str(out), "5.1"]) == 0
    gains = 10 ** (np.array([-6, 0, 0, -20, 3]) / 20)
    assert_allclose(
        written(out), gains[:, None] * ambikit.decode(x, "5.1", weighting="max_re"), atol=1e-6
    )


def test_decode_refuses_gains_for_another_layout(file, capsys):
    path, _ = file
    command = ["decode", str(path), str(path.with_name("out.wav")), "5.1", "--lfe", "--gains"]
    assert main([*command, "0", "0", "0", "0", "0"]) == 2
    assert "each of the 6 channels of the output" in capsys.readouterr().err
    assert not path.with_name("out.wav").exists()


def test_decode_a_span_to_flac(file):
    path, x = file
    out = path.with_name("out.flac")
    span = ["--start", "0.25", "--duration", "0.5"]
    assert main(["decode", str(path), str(out), "quad", "--weighting", "none", *span]) == 0
    expected = ambikit.decode(x[:, RATE // 4 : 3 * RATE // 4], "quad")
    assert_allclose(written(out), expected, atol=1e-6)


def test_binaural(file):
    path, x = file
    out = path.with_name("ears.wav")
    assert main(["binaural", str(path), str(out), "--yaw", "-20", "--head", "sphere"]) == 0
    expected = ambikit.decode_binaural(x, RATE, head="sphere", yaw=-20, degrees=True)
    assert_allclose(written(out), expected, atol=1e-5)


def test_a_format(file):
    path, _ = file
    a_format = np.random.default_rng(1).normal(size=(4, RATE)).astype(np.float32) * 0.1
    soundfile.write(path, a_format.T, RATE, "FLOAT")
    out = path.with_name("b.wav")
    arguments = ["--array", "FLU FRD BLD BRU", "--radius", "20"]
    assert main(["a2b", str(path), str(out), *arguments]) == 0
    expected = ambikit.to_ambisonics(a_format, RATE, array=ambikit.tetrahedron(radius=0.02))
    assert_allclose(written(out), expected, atol=1e-5)


def test_map(file):
    path, x = file
    out = path.with_name("maps.npy")
    assert main(["map", str(path), str(out), "--rate", "30", "--height", "9"]) == 0
    maps = np.load(out)
    grid = ambikit.plot.equirectangular_grid(9, 18)
    assert_allclose(maps, ambikit.power_map(x, *grid, hop=round(RATE / 30)), rtol=1e-4, atol=1e-9)
    row, column = np.unravel_index(maps.mean(axis=0).argmax(), (9, 18))
    assert grid[0][0, column] == pytest.approx(np.deg2rad(80), abs=0.2)
    assert grid[1][row, 0] == pytest.approx(np.deg2rad(20), abs=0.2)


def test_memory_does_not_grow_with_the_file(tmp_path):
    peaks = []
    for seconds in (4, 16):
        path = tmp_path / f"{seconds}.wav"
        soundfile.write(path, np.zeros((seconds * RATE, 4), np.float32), RATE, "FLOAT")
        tracemalloc.start()
        assert main(["decode", str(path), str(path.with_suffix(".w64")), "7.1.4"]) == 0
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 500_000


def test_progress_is_shown_on_terminals_alone(file, capsys):
    class Terminal:
        def __init__(self, isatty):
            self.text, self.isatty = "", lambda: isatty

        def write(self, text):
            self.text += text

        def flush(self):
            """Nothing is held back."""

    for isatty, expected in ((True, "\rx.wav:  50 %\rx.wav: 100 %\n"), (False, "")):
        terminal = Terminal(isatty)
        with rendering.progress("x.wav", terminal) as report:
            report(0.5)
            report(0.503)
            report(1.0)
        assert terminal.text == expected


REFUSED = [
    (["decode", "IN", "out.wav", "7.1.5"], "unknown layout of loudspeakers '7.1.5': did you mean"),
    (["decode", "IN", "out.mp3", "quad"], "kind of sound file of .*out.mp3"),
    (["decode", "nothing.wav", "out.wav", "quad"], "does not exist"),
    (["binaural", "IN", "out.wav", "--head", "kemr"], "unknown head 'kemr'"),
    (["binaural", "IN", "out.wav", "--head", "no.sofa"], "no.sofa does not exist"),
    (["a2b", "IN", "out.wav", "--array", "em32"], "'em32' has 32 capsules"),
    (["map", "IN", "out.png"], r"unknown kind of file of out.png: '.png'"),
    (["map", "IN", "out.npy", "--rate", "0"], "rate must be positive"),
    (["decode", "IN", "out.wav", "quad", "--start", "9"], "lasts 1 s"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_what_cannot_be_done(file, arguments, message, capsys, monkeypatch):
    monkeypatch.chdir(file[0].parent)
    assert main([str(file[0]) if a == "IN" else a for a in arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search(message, error), error
    assert not [p for p in file[0].parent.iterdir() if p != file[0]]


def test_input_in_parts_and_through_a_pipe(file, monkeypatch):
    """As the other commands take it: further channels with --with, and - for a pipe."""
    path, x = file
    outs = [path.with_name(f"{k}.wav") for k in range(3)]
    pair = [path.with_name(f"{k}.wav") for k in "ab"]
    for name, channels in zip(pair, (x[:2], x[2:]), strict=True):
        ambikit.write(name, channels, RATE, convention="none")
    assert main(["decode", str(path), str(outs[0]), "quad"]) == 0
    assert main(["decode", str(pair[0]), str(outs[1]), "quad", "--with", str(pair[1])]) == 0
    with path.open("rb") as stream:
        monkeypatch.setattr("sys.stdin", type("Pipe", (), {"buffer": stream})())
        assert main(["decode", "-", str(outs[2]), "quad", "--track", "0"]) == 0
    assert len({out.read_bytes() for out in outs}) == 1


def test_what_cannot_be_written_is_one_line(file, capsys):
    path, _ = file
    for output, message in (("o.flac", "cannot hold 12 channels"), ("no/o.wav", "make it first")):
        out = path.with_name(output) if "/" not in output else path.parent / output
        assert main(["decode", str(path), str(out), "7.1.4", "--lfe"]) == 2
        error = capsys.readouterr().err
        assert error.startswith("ambikit: ")
        assert message in error
        assert error.count("\n") == 1
        assert not out.exists()


def test_clipping_is_said(file, capsys):
    path, x = file
    ambikit.write(path, 40 * x, RATE)
    for suffix, said in (("flac", True), ("wav", False)):
        assert main(["decode", str(path), str(path.with_name(f"o.{suffix}")), "quad"]) == 0
        assert ("the sound is clipped" in capsys.readouterr().err) == said


def test_what_a_file_says_is_said_once(file, capsys):
    """However many spans there are."""
    path, x = file
    soundfile.write(path, x.T, RATE, "FLOAT", format="WAVEX")  # which names four loudspeakers
    assert main(["decode", str(path), str(path.with_name("o.wav")), "quad"]) == 0
    assert capsys.readouterr().err.count("says loudspeakers") == 1
