"""What a user types, and the one line that a mistake gets."""

from __future__ import annotations

import shutil
import signal

import pytest

from ambikit_learn._files import atomic_write
from ambikit_learn.cli import main


def refuse(capfd, *arguments: str) -> str:
    """Run a command that must fail, and return its one line."""
    assert main(arguments) == 2
    out, err = capfd.readouterr()
    assert "Traceback" not in out + err
    line = err.strip().splitlines()[-1]
    assert line.startswith("ambikit-learn: ")
    return line


def test_help_names_every_command(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    names = ("world", "prepare", "data", "fit", "evaluate", "embed", "export", "demo")
    names += ("cache", "reproduce")
    assert all(f"\n    {name} " in text for name in names), text


def test_missing_folder(capfd, tmp_path):
    line = refuse(capfd, "prepare", str(tmp_path / "nowhere"), str(tmp_path / "out"))
    assert "nowhere" in line


def test_missing_weights(capfd, clip_folder, tmp_path):
    clip_folder.add("a")
    weights = tmp_path / "none.pt"
    line = refuse(
        capfd, "prepare", str(clip_folder.root), str(tmp_path / "out"), f"--detector=yolo:{weights}"
    )
    assert str(weights) in line
    assert "weights" in line


def test_unknown_detector_source_and_preset(capfd, clip_folder, tmp_path):
    clip_folder.add("a")
    folder, out = str(clip_folder.root), str(tmp_path / "out")
    assert "file" in refuse(capfd, "prepare", folder, out, "--detector=flie")
    assert "yt360" in refuse(capfd, "prepare", folder, out, "--source=yt36")
    assert "standard" in refuse(capfd, "world", out, "--preset=mid")


def test_data_that_was_not_prepared(capfd, tmp_path):
    line = refuse(capfd, "fit", "--config=avc_foa_iv", f"--data={tmp_path}")
    assert "ambikit-learn prepare" in line


@pytest.mark.parametrize("name", ["dataset.json", "cache.json", "world.json"])
def test_a_folder_of_data_is_no_run(capfd, tmp_path, name):
    (tmp_path / name).write_text("{}")
    config = ["--config", "avc_foa_iv", "--data", "world:easy"]
    assert "holds data" in refuse(capfd, "fit", *config, "--out", str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_weights_to_begin_from_that_are_not_there(capfd, tmp_path):
    config = ["--config", "avsa_foa_iv", "--data", "world:easy", "--out", str(tmp_path / "run")]
    said = refuse(capfd, "fit", *config, "--model.initialise_from", str(tmp_path / "none"))
    assert "none holds no model.safetensors: give model.initialise_from" in said


def test_unknown_configuration_and_key(capfd, tmp_path):
    assert "avsa_foa_iv" in refuse(capfd, "fit", "--config=avsa", f"--data={tmp_path}")
    line = refuse(capfd, "fit", "--config=avc_foa_iv", "--data=x", "--model.learning_rat=1")
    assert "learning_rat" in line
    assert "--print_config" in line


def test_run_that_was_not_finished(capfd, tmp_path):
    line = refuse(capfd, "evaluate", "avsa", f"--model={tmp_path}", "--data=x")
    assert "fit" in line


def test_bad_clips_are_told_and_the_others_go_on(capfd, clip_folder, tmp_path):
    clip_folder.add("good")
    clip_folder.add("silent")
    clip_folder.path("audio", "silent").unlink()
    clip_folder.add("cut")
    cut = clip_folder.path("video", "cut")
    cut.write_bytes(cut.read_bytes()[:2000])
    code = main(["prepare", str(clip_folder.root), str(tmp_path / "out"), "--workers=0"])
    out = capfd.readouterr().out
    assert code == 0
    assert "1 of 3 clips prepared" in out
    assert out.count("left out: 1") == 2


def test_demo_of_a_folder_without_clips(capfd, tmp_path):
    (tmp_path / "empty").mkdir()
    line = refuse(capfd, "demo", f"--out={tmp_path / 'out'}", f"--data={tmp_path / 'empty'}")
    assert "empty" in line


def test_demo_reads_clips_as_it_is_told(capfd, tmp_path):
    (tmp_path / "in").mkdir()
    common = ["demo", f"--out={tmp_path / 'out'}", f"--data={tmp_path / 'in'}"]
    for option, said in [
        ("--convention=bformat", "unknown convention 'bformat'"),
        ("--track=-1", "track must be a non-negative integer"),
        ("--projection=flat", "unknown projection 'flat'"),
        ("--stereo=both", "unknown stereo 'both'"),
    ]:
        assert said in refuse(capfd, *common, option)


@pytest.mark.slow
def test_demo_end_to_end(capfd, tmp_path):
    assert main(["demo", f"--out={tmp_path}", "--minutes=0.2"]) == 0
    out = capfd.readouterr().out
    assert "AVSA" in out
    for name in ("index.html", "scene.png", "crops.png", "training.png", "results.png"):
        assert (tmp_path / name).stat().st_size > 1000
    shutil.rmtree(tmp_path / "avsa")
    assert main(["demo", f"--out={tmp_path}", "--minutes=0.2"]) == 0  # resumes


class TestStopped:
    """Signals in a process that works or still loads modules."""

    @pytest.mark.parametrize("place", ["ambikit.cli.one_line_errors", "ambikit_learn.cli._chosen"])
    def test_ctrl_c_is_one_line(self, capfd, monkeypatch, place):
        def stop(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(place, stop)
        assert main(["prepare", "a", "b"]) == 130
        assert capfd.readouterr().err == "ambikit-learn: stopped\n"

    def test_sigterm_ends_as_an_exception_does(self, tmp_path, monkeypatch):
        """So that what is being written is deleted, and processes end."""
        before = signal.getsignal(signal.SIGTERM)

        def work(**_):
            with atomic_write(tmp_path / "big") as temporary:
                temporary.touch()
                signal.raise_signal(signal.SIGTERM)

        monkeypatch.setattr("ambikit_learn.cli._world", work)
        with pytest.raises(SystemExit) as end:
            main(["world", "out"])
        assert end.value.code == 128 + signal.SIGTERM
        assert list(tmp_path.iterdir()) == []
        assert signal.getsignal(signal.SIGTERM) == before
