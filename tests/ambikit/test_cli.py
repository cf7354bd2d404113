"""The command line, as a user types it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import ambikit
from ambikit import io
from ambikit.cli import main
from tests.ambikit.media import chord, make

RATE = 24000
REPOSITORY = Path(__file__).resolve().parents[2]


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


def test_info_describes_what_it_can(left: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that cannot be read leaves the others their turn, and the status tells."""
    broken = left.with_name("broken.wav")
    broken.write_bytes(left.read_bytes()[:1000])
    files = [str(left), "missing.wav", str(broken), str(left)]
    assert main(["info", *files]) == 2
    out, err = capsys.readouterr()
    assert out.count("left.wav: 4 channels") == 2
    assert [line.split(": ")[0] for line in err.splitlines()] == ["ambikit"] * 2
    assert "missing.wav does not exist" in err
    assert "broken.wav is truncated" in err


def test_info_says_what_the_file_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x = np.zeros((4, 480), np.float32)
    ambikit.write(tmp_path / "stated.amb", x, RATE, convention="fuma")
    soundfile.write(tmp_path / "contradicted.wav", x.T, RATE, format="WAVEX")
    make(tmp_path / "tracks.mkv", chord(4), "flac", "4.0")
    assert main(["info", *(str(p) for p in sorted(tmp_path.iterdir()))]) == 0
    out = capsys.readouterr().out
    assert "ambix (contradicted by: channel mask of WAVE, loudspeakers FL FR BL BR)" in out
    assert "fuma (stated by: B-format WAVE)" in out
    assert "4 channels (4.0), flac, 48000 Hz, 0.100 s, ambix (assumed)" in out


def test_lists_of_angles_leave_the_files_alone(left: Path) -> None:
    """Options and files in any order; a negative angle is a number."""
    out = str(left.with_name("beams.wav"))
    for command in (
        ["beamform", "--azimuth", "90", "-90", str(left), out],
        ["beamform", str(left), "--azimuth", "90", "-90", out],
        ["beamform", str(left), out, "--azimuth", "90,-90", "--elevation", "0"],
        ["beamform", "--azimuth=90,-90", "--elevation", "0", "0", str(left), out],
    ):
        assert main(command) == 0
        beams, _ = soundfile.read(out)
        assert beams.shape[1] == 2
        assert (beams[:, 0] ** 2).mean() > 20 * (beams[:, 1] ** 2).mean()


@pytest.mark.parametrize("name", ["FuMa", "FUMA", "fuma", "fuma/fuma", "FuMa/FuMa"])
@pytest.mark.parametrize("option", ["--layout", "--input-convention"])
def test_conventions_in_any_case(
    left: Path, capsys: pytest.CaptureFixture[str], name: str, option: str
) -> None:
    out = str(left.with_name("fuma.w64"))
    assert main(["convert", str(left), out, "--convention", name]) == 0
    assert "says fuma" in capsys.readouterr().err
    assert round(doa(capsys, out, option, name)[0]["azimuth"]) == 90


def test_parts_tracks_and_channels_as_they_are(left: Path) -> None:
    x, _ = ambikit.read(left)
    pair = [str(left.with_name(f"{k}.wav")) for k in "ab"]
    for name, channels in zip(pair, (x[:2], x[2:]), strict=True):
        ambikit.write(name, channels, RATE, convention="none")
    out = left.with_name("out.wav")
    assert main(["convert", pair[0], str(out), "--with", pair[1]]) == 0
    np.testing.assert_array_equal(ambikit.read(out)[0], x)
    raw = ["--input-convention", "none", "--convention", "none"]
    assert main(["convert", pair[0], str(out), *raw, "--track", "0"]) == 0
    assert soundfile.read(out)[0].shape[1] == 2


def test_a_pipe(left: Path) -> None:
    command = [sys.executable, "-m", "ambikit.cli", "info", "--json", "-"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    for data, status in ((left.read_bytes(), 0), (b"", 2)):
        run = subprocess.run(command, input=data, capture_output=True, env=environment)
        assert run.returncode == status, run.stderr
        if status:
            assert b"gave no bytes" in run.stderr
        else:
            assert json.loads(run.stdout)["channels"] == 4


@pytest.mark.skipif(sys.platform != "linux", reason="names are text on other systems")
def test_names_that_are_not_text(left: Path) -> None:
    odd = left.with_name(os.fsdecode(b"caf\xe9.wav"))
    left.rename(odd)
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONIOENCODING": "utf-8"}
    for extra in ([], ["--json"]):
        command = [sys.executable, "-m", "ambikit.cli", "info", *extra, os.fsencode(odd)]
        run = subprocess.run(command, capture_output=True, env=environment)
        assert run.returncode == 0, run.stderr
        assert b"caf" in run.stdout


def test_ctrl_c_is_no_traceback(left: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ambikit.io, "read", stopped)
    assert main(["convert", str(left), str(left.with_name("out.wav"))]) == 130


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["info", "nowhere.wav"], "nowhere.wav does not exist"),
        (["doa", "{left}", "--plot", "{folder}/map.xyz"], "map.xyz: 'xyz': choose one of"),
        (["doa", "{left}", "--plot", "{folder}/map"], "choose one of"),
        (["doa", "{left}", "--plot", "{folder}/no/map.png"], "make it first"),
        (["convert", "{left}", "{folder}/a.wav", "--sample-rate", "44100.5"], "whole number"),
        (["convert", "{left}", "{folder}/a.wav", "--track", "1"], "no track 1"),
        (["convert", "{left}", "{folder}/a.wav", "--layout", "FuMe"], "unknown convention 'FuMe'"),
        (["convert", "{left}", "{folder}"], "is a folder"),
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
    if "--plot" in arguments:
        pytest.importorskip("matplotlib")
    filled = [a.format(left=left, folder=left.parent) for a in arguments]
    assert main(filled) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("ambikit: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_a_part_of_an_option_is_not_taken_for_it(
    left: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--gain 0 0` would be `--gains 0` and a file that is called 0."""
    with pytest.raises(SystemExit):
        main(["decode", str(left), str(left.parent / "o.wav"), "stereo", "--gain", "0", "0"])
    assert "unrecognized arguments: --gain 0 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (MemoryError(), "memory ran out: ask for less"),
        (RuntimeError("can't allocate memory: you tried\nto"), "memory ran out (can't allocate"),
        (OSError(28, "No space left on device", "o.wav"), "ambikit: No space left on device: 'o"),
        (BrokenPipeError(32, "Broken pipe"), "ambikit: Broken pipe"),  # to another process
    ],
)
def test_the_surroundings_are_one_line(
    left: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    line: str,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(ambikit.io, "info", fail)
    assert main(["info", str(left)]) == 2
    said = capsys.readouterr().err
    assert line in said
    assert said.count("\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="pipes end in another way there")
def test_a_reader_that_has_enough(left: Path) -> None:
    arguments = [sys.executable, "-m", "ambikit.cli", "info", *["left.wav"] * 1500]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(
        arguments, cwd=left.parent, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as run:
        assert run.stdout
        run.stdout.readline()
        run.stdout.close()
        assert run.stderr
        assert run.stderr.read() == b""
    assert run.returncode == 141


def test_a_bug_keeps_its_traceback(left: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("a bug of ours")

    monkeypatch.setattr(ambikit.io, "info", broken)
    with pytest.raises(ValueError, match="a bug of ours"):
        main(["info", str(left)])


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_signals_leave_nothing_half_written(
    left: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A scheduler that ends a job, a terminal that is closed."""
    number = getattr(signal, name, None)
    if number is None:
        pytest.skip("no such signal here")
    output = left.with_name("maps.npy")

    def work(*_: object, **__: object) -> None:
        with io.atomic_write(output) as temporary:
            temporary.touch()
            signal.raise_signal(number)

    monkeypatch.setattr("ambikit.rendering.to_map", work)
    files = sorted(left.parent.iterdir())
    before = signal.signal(number, signal.SIG_DFL)  # nohup ignores it, also for these tests
    try:
        with pytest.raises(SystemExit) as end:
            main(["map", str(left), str(output)])
        assert signal.getsignal(number) == signal.SIG_DFL
    finally:
        signal.signal(number, before)
    assert end.value.code == 128 + number
    assert sorted(left.parent.iterdir()) == files


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no such signal here")
def test_nohup(left: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal that is ignored before the command is ignored by it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        monkeypatch.setattr(
            "ambikit.rendering.to_map", lambda *_, **__: signal.raise_signal(signal.SIGHUP)
        )
        assert main(["map", str(left), str(left.with_name("maps.npy"))]) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_ctrl_c_while_modules_are_loaded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ambikit.cli.arguments.parser", stop)
    assert main(["info", "a.wav"]) == 130
    assert capsys.readouterr().err == "ambikit: stopped\n"


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
import numpy
numpy.memmap = None  # a file that is mapped has its size, and no room for it on a full disk
from ambikit.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on the size of files")
@pytest.mark.parametrize(
    ("command", "suffix"),
    [
        *(("convert", s) for s in (".wav", ".flac", ".caf", ".w64", ".ogg", ".mkv", ".mp4")),
        *(("binaural", ".wav"), ("features", ".npy"), ("map", ".npy")),
    ],
)
def test_no_room_is_one_line_that_names_the_file(left: Path, command: str, suffix: str) -> None:
    """A store to a mapped file for which there is no room would end the interpreter."""
    noise = np.random.default_rng(0).standard_normal((4, 96000)).astype(np.float32) * 0.1
    sound, output = left.with_name("noise.wav"), left.with_name(f"out{suffix}")
    ambikit.write(sound, noise, 48000)
    files = sorted(left.parent.iterdir())
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, command, str(sound), str(output)],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 2, run.stderr
    line = [text for text in run.stderr.splitlines() if "note:" not in text]
    assert len(line) == 1
    assert f"{output} cannot be written to {output.parent}: " in line[0]
    assert sorted(left.parent.iterdir()) == files


def test_messages_name_options_that_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--convention` is what is written: the hint for the input must name the other option."""
    six, four = str(tmp_path / "six.wav"), str(tmp_path / "four.wav")
    ambikit.write(six, chord(6), 48000, convention="none")
    assert main(["convert", six, four]) == 2
    said = capsys.readouterr().err
    assert "pass --input-convention ambix+stereo" in said
    assert "--input-convention none" in said
    assert "convention=" not in said
    assert main(["convert", "--input-convention", "ambix+stereo", six, four]) == 0
    np.testing.assert_array_equal(ambikit.read(four)[0], chord(6)[:4])
    assert main(["convert", four, str(tmp_path / "a.amb")]) == 2
    assert "pass --convention fuma" in capsys.readouterr().err
    assert main(["convert", four, str(tmp_path / "a.flac"), "--convention", "n3d"]) == 0
    assert "pass --input-convention n3d when it is read" in capsys.readouterr().err
