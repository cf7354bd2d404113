"""Options come from signatures; help is quick; what there is not is named with what there is."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ambikit_learn import cli
from ambikit_learn._signatures import Required, signature
from ambikit_learn.evaluation import DOWNSTREAM
from ambikit_learn.training.settings import expand

NAMES = [*cli.COMMANDS, "fit"]


def one_line(capfd, *arguments: str) -> str:
    """Run a command that must be refused, and return its one line."""
    assert cli.main(arguments) == 2
    out, err = capfd.readouterr()
    assert not out
    assert err.count("\n") == 1
    assert err.startswith("ambikit-learn: ")
    return err


class Nothing(list):
    """What the functions return, as far as the commands look at it."""

    rejected = ()
    prepared = 1


@pytest.fixture
def seen(monkeypatch):
    """What a command passes on to the function that does its work."""
    calls = []
    places = [command.work.partition(":") for command in cli.COMMANDS.values()]
    # All before the first is replaced, since some import from others
    modules = [importlib.import_module(module) for module, _, _ in places]
    for module, (_, _, name) in zip(modules, places, strict=True):
        if "." not in name:
            monkeypatch.setattr(
                module, name, lambda *args, **options: calls.append(options) or Nothing()
            )
    return calls


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_signatures_are_read_as_python_has_them(name):
    """The names, order and defaults that `inspect` sees, without an import."""
    place = cli.COMMANDS[name].work
    module, _, path = place.partition(":")
    value = importlib.import_module(module)
    for part in path.split("."):
        value = getattr(value, part)
    expected = {
        key: Required if p.default is p.empty else p.default
        for key, p in inspect.signature(value).parameters.items()
        if key != "self"
    }
    read = signature(place).parameters
    assert {key: taken.default for key, taken in read.items()} == expected
    assert signature(place).summary == inspect.getdoc(value).splitlines()[0].replace("`", "")


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_option_is_documented_and_can_be_given(name):
    for taken in cli.COMMANDS[name].parameters.values():
        assert taken.text, taken.name
        assert taken.kind.one in (str, int, float, bool, Path), taken.name


@pytest.mark.parametrize("name", ["", *NAMES])
def test_help_loads_neither_torch_nor_numpy(name):
    code = (
        "import sys\nfrom ambikit_learn.cli import main\n"
        f"status = main({[*name.split(), '--help']})\n"
        "heavy = {'torch', 'numpy', 'pyarrow', 'lightning', 'rich', 'jsonargparse'}\n"
        "print(sorted(heavy & set(sys.modules)), status, file=sys.stderr)\n"
    )
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert done.stderr == "[] 0\n"
    assert "ambikit-learn" in done.stdout
    assert len(done.stdout.splitlines()) > 8


def test_help_tells_options_with_their_defaults(capsys):
    assert cli.main(["prepare", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "--frame-size HEIGHT WIDTH Size of the equirectangular frames to keep" in text
    assert "(160 320)" in text
    assert cli.main(["fit", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "--model.temperature Temperature of the loss of pairs" in text
    assert "(0.07)" in text
    assert "accumulate_grad_batches" in text


def test_options_reach_the_function(seen):
    given = ["--frame-size", "80", "160", "--frame_rate", "12", "--leave-out", "--check"]
    assert cli.main(["prepare", *given, "--", "clips", "out"]) == 0
    (options,) = seen
    assert (options["clips"], options["out"]) == ("clips", "out")
    assert list(options["frame_size"]) == [80, 160]
    assert (options["frame_rate"], options["leave_out"], options["check"]) == (12.0, [], True)
    assert (options["segment"], options["workers"]) == (10.0, None)


def test_options_come_from_files_and_what_is_given_counts(seen, tmp_path):
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text(
        "clips: there\nout: here\nframe_size: [80, 160]\nframe-rate: 12\nsegment: 5.5\n"
        "leave_out: [W only, two eyes]\naddress: null\ncheck: true\n"
    )
    second.write_text("segment: 6\n")
    files = [f"--config={first}", "--config", str(second)]
    assert cli.main(["prepare", *files, "--frame-rate=4", "--no-check"]) == 0
    (options,) = seen
    assert (options["clips"], options["out"]) == ("there", "here")
    assert options["frame_size"] == (80, 160)
    assert options["leave_out"] == ["W only", "two eyes"]
    assert (options["frame_rate"], options["segment"]) == (4.0, 6.0)
    assert options["address"] is None
    assert options["check"] is False


@pytest.mark.parametrize("name", ["prepare", "world", "evaluate", "embed", "demo"])
def test_print_config_is_a_file_that_says_the_same(name, capsys, tmp_path):
    assert cli.main([name, "--print_config"]) == 0
    text = capsys.readouterr().out
    shown = yaml.safe_load(text)
    assert list(shown) == list(cli.COMMANDS[name].parameters)
    file = tmp_path / "again.yaml"
    file.write_text(yaml.safe_dump({key: x for key, x in shown.items() if x is not None}))
    assert cli.main([name, "--config", str(file), "--print_config"]) == 0
    assert yaml.safe_load(capsys.readouterr().out) == shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["prepare", "a", "b", "--frame-rat", "3"], ["--frame-rat:", "nearest is --frame-rate"]),
        (["prepare", "a", "b", "--preset=mid"], ["--preset,", "belongs to world"]),
        (["prepare", "--clips", "a"], ["clips without --clips"]),
        (["world", "a", "--frame-rate", "fast"], ["--frame-rate", "'fast' is not a number"]),
        (["world", "a", "--clips", "1.5"], ["'1.5' is not a whole number"]),
        (["world", "a", "--frame-size", "1"], ["--frame-size", "2"]),
        (["prepare", "a"], ["prepare needs out"]),
        (["prepare", "a", "b", "c"], ["'c'"]),
        (["evaluate", "avcs", "--model=a", "--data=b"], ["'avcs'", "avc, avsa"]),
        (["evaluate", "avc", "--model=a"], ["evaluate needs --data"]),
        (["export", "a", "--out=b", "--part=sund"], ["audio, video, sound"]),
        (["prepar", "a", "b"], ["no command 'prepar'", "nearest is prepare"]),
        (["data"], ["no command 'data'", "data stats"]),
        ([], ["a command is needed", "prepare"]),
        (["fit", "--model.temperatur=1"], ["nearest is --model.temperature"]),
        (["fit", "--learning_rate=1"], ["nearest is --model.learning_rate"]),
        (["fit", "--frame-rate=1"], ["belongs to world and prepare"]),
        (["fit", "--config=avsa_foa_vi"], ["nearest is 'avsa_foa_iv'"]),
    ],
)
def test_what_there_is_not_is_one_line_with_what_there_is(capfd, arguments, words):
    line = one_line(capfd, *arguments)
    assert all(word in line for word in words), line


@pytest.mark.parametrize(
    ("command", "text", "words"),
    [
        ("prepare", "frame_rat: 3\n", ["frame_rat", "nearest is frame_rate"]),
        ("prepare", "preset: easy\n", ["preset, which belongs to world"]),
        ("prepare", "model: {objective: avc}\n", ["model, which belongs to evaluate"]),
        ("prepare", "frame_rate: fast\n", ["frame_rate of prepare", "'fast' is not a number"]),
        ("prepare", "frame_size: 3\n", ["frame_size of prepare", "not a list"]),
        ("prepare", "frame_size: [3]\n", ["are not 2 values"]),
        ("prepare", "check: 1\n", ["true or false"]),
        ("prepare", "frame_rate:\n", ["frame_rate"]),
        ("prepare", "- 3\n", ["options of prepare"]),
        ("prepare", "a: [\n", ["not YAML"]),
        ("evaluate", "data: {views: 3}\n", ["data of evaluate"]),
        ("fit", "detector: file\n", ["detector, which belongs to prepare and demo"]),
        ("fit", "model: {temperatur: 1}\n", ["nearest is model.temperature"]),
        ("fit", "trainer: {max_step: 1}\n", ["nearest is trainer.max_steps"]),
        ("fit", "- 3\n", ["settings of fit"]),
    ],
)
def test_files_of_other_commands_and_unknown_keys_are_named(capfd, tmp_path, command, text, words):
    file = tmp_path / "some.yaml"
    file.write_text(text)
    line = one_line(capfd, command, f"--config={file}")
    assert str(file) in line
    assert all(word in line for word in words), line


def test_settings_of_lightning_pass_as_it_takes_them():
    given = ["--trainer.callbacks+=Timer", "--trainer.logger.save_dir", "x", "--print_config"]
    assert expand(given)[1:] == given


def test_a_file_that_is_not_there(capfd):
    assert "nothing.yaml" in one_line(capfd, "prepare", "--config", "nothing.yaml")


@pytest.mark.parametrize("name", NAMES)
def test_a_command_without_the_extra_is_one_line(name):
    """As where only `ambikit` is installed."""
    arguments = {
        "world": ["out"],
        "cache": ["out"],
        "prepare": ["clips", "out"],
        "data stats": ["out"],
        "evaluate": ["avc", "--model=a", "--data=b"],
        **{f"evaluate {task}": ["--data=b"] for task in DOWNSTREAM},
        "embed": ["a.wav", "--model=a", "--out=b"],
        "export": ["a", "--out=b"],
        "reproduce": ["out"],
        "fit": ["--config=avc_foa_iv"],
    }.get(name, [])
    code = (
        "import sys\n"
        "for name in ('torch', 'rich', 'pyarrow', 'lightning', 'yaml', 'jsonargparse'):\n"
        "    sys.modules[name] = None\n"
        f"from ambikit_learn.cli import main\nsys.exit(main({[*name.split(), *arguments]}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert "pip install 'ambikit[learn]'" in done.stderr
