"""Detectors by their specifications; what they return is checked."""

from __future__ import annotations

import json
import pickle
import sys

import numpy as np
import pytest

from ambikit import InputError
from ambikit_learn.detection import load_detector, read_boxes
from ambikit_learn.sphere.boxes import Boxes


def test_specifications():
    frames = np.zeros((2, 8, 16, 3), np.uint8)
    assert [len(boxes) for boxes in load_detector("none").detect(frames)] == [0, 0]
    assert load_detector("file").name == "file"
    with pytest.raises(InputError, match="read_boxes"):
        load_detector("file").detect(frames)
    with pytest.raises(FileNotFoundError, match=r"absent\.pt: no such YOLO weights"):
        load_detector("yolo:absent.pt")
    for spec in ("", "yolo", "yolo:", "nonsense", ":factory"):
        with pytest.raises(InputError, match="unknown detector"):
            load_detector(spec)
    with pytest.raises(InputError, match="no_such_module"):
        load_detector("no_such_module:factory")
    with pytest.raises(InputError, match="expected an object with a text 'name' and a method"):
        load_detector("builtins:dict")


SOMEBODYS = """
import numpy as np
from ambikit_learn.detection.yolo import _ultralytics
from ambikit_learn.sphere.boxes import Boxes

class Mine:
    name = "mine"
    def __init__(self, answer=None):
        self.answer = answer
    def detect(self, frames):
        return [Boxes([350], [5], [9], [9], [1], "a") for _ in frames]

class Skips(Mine):
    def detect(self, frames):
        return Mine.detect(self, frames)[::2]

class Array(Mine):
    def detect(self, frames):
        return np.zeros((len(frames), 4))

class Lists(Mine):
    def detect(self, frames):
        return [[] for _ in frames]

class Iterates(Mine):
    def detect(self, frames):
        return iter(Mine.detect(self, frames))

class Nameless(Mine):
    name = None

class Empty(Mine):
    name = ""

class NoMethod:
    name = "none"

def raises():
    raise RuntimeError("no licence")

def missing():
    import no_such_package

def wants(argument):
    return Mine()

def nothing():
    pass

class Nervous(Mine):
    @property
    def name(self):
        raise RuntimeError("weights are not loaded yet")

class Lost(Mine):
    @property
    def fingerprint(self):
        return open("no-such-weights.pt").read()

class Uncalled(Mine):
    def fingerprint(self):
        return "abc"

def its_class():
    return Mine

def leaves():
    raise SystemExit(0)
"""


@pytest.fixture
def somebodys(tmp_path, monkeypatch):
    (tmp_path / "somebodys_detector.py").write_text(SOMEBODYS)
    (tmp_path / "broken_detector.py").write_text("def make(:")
    (tmp_path / "script_detector.py").write_text("import sys\nsys.exit(0)")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "somebodys_detector"
    sys.modules.pop("somebodys_detector", None)


def test_somebodys_detector(somebodys):
    detector = load_detector(f"{somebodys}:Mine")
    assert detector.name == "mine"
    assert [b.azimuth[0] for b in detector.detect(np.zeros((2, 8, 16, 3), np.uint8))] == [350, 350]
    assert pickle.loads(pickle.dumps(detector)).name == "mine"


@pytest.mark.parametrize(
    ("spec", "what"),
    [
        ("somebodys_detector:raises", r"could not be made \(RuntimeError: no licence\)"),
        ("somebodys_detector:missing", r"could not be made .*no_such_package"),
        ("somebodys_detector:wants", r"could not be made .*argument"),
        ("somebodys_detector:nothing", "got NoneType"),
        ("somebodys_detector:Nameless", "with the name None"),
        ("somebodys_detector:Empty", "with the name ''"),
        ("somebodys_detector:NoMethod", r"a method detect\(frames\)"),
        ("somebodys_detector:Absent", "no detector .*Absent"),
        ("somebodys_detector:Nervous", r"\(RuntimeError: weights are not loaded yet\)"),
        ("somebodys_detector:Lost", r"no-such-weights\.pt"),
        ("somebodys_detector:Uncalled", "'fingerprint' must be a text.*not method"),
        ("somebodys_detector:its_class", "got a class"),
        ("somebodys_detector:leaves", r"could not be made \(SystemExit: 0\)"),
        ("broken_detector:make", "no detector broken_detector:make .*SyntaxError"),
        ("script_detector:make", r"no detector script_detector:make \(SystemExit: 0\)"),
    ],
)
def test_what_is_no_detector_is_refused_when_loaded(somebodys, spec, what):
    with pytest.raises(InputError, match=f"detector {spec}.*{what}|{what}") as refusal:
        load_detector(spec)
    assert spec in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("Skips", "returned 1 Boxes for 2 frames"),
        ("Array", "returned ndarray, not a list of Boxes"),
        ("Lists", r"returned \['list'\], not a list of Boxes"),
        ("Iterates", "returned list_iterator"),
    ],
)
def test_answers_of_another_form_are_refused(somebodys, kind, what):
    with pytest.raises(InputError, match=what) as refusal:
        load_detector(f"{somebodys}:{kind}").detect(np.zeros((2, 8, 16, 3), np.uint8))
    assert f"somebodys_detector:{kind} (mine)" in str(refusal.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("azimuth", 1000.0),
        ("azimuth", np.nan),
        ("elevation", 90.1),
        ("elevation", -np.inf),
        ("width", 0.0),
        ("width", 361.0),
        ("height", -5.0),
        ("height", 181.0),
        ("score", 1.5),
        ("score", np.nan),
        ("label", 7),
        ("label", "\ud800"),
    ],
)
def test_boxes_that_do_not_exist_are_refused(somebodys, tmp_path, field, value):
    fields = {"azimuth": 0.0, "elevation": 0.0, "width": 9.0, "height": 9.0, "score": 0.5}
    fields = {name: [10.0, number] for name, number in fields.items()} | {"label": ["a", "b"]}
    fields["score"][0] = 1.0
    fields[field][1] = value
    boxes = Boxes(**fields)
    sound = load_detector(f"{somebodys}:Mine")
    sound.detector.detect = lambda frames: [Boxes.empty(), boxes]
    with pytest.raises(InputError, match=f"somebodys_detector:Mine .*returned an? {field}"):
        sound.detect(np.zeros((2, 8, 16, 3), np.uint8))
    if field not in ("score", "label"):
        track = {name: fields[name] for name in ("azimuth", "elevation", "width", "height")}
        document = {"format": "ambikit-boxes/1", "rate": 1, "objects": [{"label": "a"} | track]}
        (tmp_path / "a.json").write_text(json.dumps(document))
        with pytest.raises(InputError, match=rf"a\.json holds an? {field}"):
            read_boxes(tmp_path / "a.json", [0.0])


def test_the_limits_themselves_are_right(somebodys):
    edge = Boxes([-360, 360], [-90, 90], [360, 1e-3], [180, 1e-3], [0, 1], "ab")
    detector = load_detector(f"{somebodys}:Mine")
    detector.detector.detect = lambda frames: [edge]
    assert detector.detect(np.zeros((1, 8, 16, 3), np.uint8)) == [edge]
