"""Labelled data sets: miniatures written in exactly their published layouts, and read back."""

from __future__ import annotations

from collections import defaultdict
from itertools import chain

import numpy as np
import pytest
import soundfile

import ambikit
from ambikit import InputError
from ambikit_learn.sources import LABELLED, LabelledClip, open_labelled
from ambikit_learn.sources.eigenscape import CLASSES, EigenScape
from ambikit_learn.video.files import probe, write_video


def write_avi(path):
    """A video of three frames, as UCF101 and HMDB51 hold: AVI, here of 32 × 24 pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, np.full((3, 24, 32, 3), 90, np.uint8), 25.0, codec="mjpeg")


@pytest.fixture
def ucf101(tmp_path):
    """Two classes, three divisions; lists with the line ends of Windows, as they are published."""
    classes = ("ApplyEyeMakeup", "BabyCrawling")
    lists = tmp_path / "ucfTrainTestlist"
    lists.mkdir()
    index = [f"{i} {name}" for i, name in enumerate(classes, 1)]
    (lists / "classInd.txt").write_text("\r\n".join(index) + "\r\n")
    for fold in (1, 2, 3):
        train, test = [], []
        for i, name in enumerate(classes, 1):
            for group in (1, 2, 3):
                file = f"{name}/v_{name}_g{group:02d}_c01.avi"
                write_avi(tmp_path / "data" / file)
                if group == fold:
                    test.append(file)
                else:
                    train.append(f"{file} {i}")
        (lists / f"trainlist{fold:02d}.txt").write_text("\r\n".join(train) + "\r\n")
        (lists / f"testlist{fold:02d}.txt").write_text("\r\n".join(test) + "\r\n")
    return tmp_path


HMDB_NAMES = {
    "brush_hair": [
        "April_09_brush_hair_u_nm_np1_ba_goo_0",
        "April_09_brush_hair_u_nm_np1_ba_goo_1",
        "Blonde_brush_hair_h_cm_np1_ri_med_0",
    ],
    "cartwheel": [
        "(Rad)Schlag_die_Bank!_cartwheel_f_cm_np1_le_med_0",
        "(Rad)Schlag_die_Bank!_cartwheel_f_cm_np1_le_bad_3",
        "A_cartwheel_cartwheel_f_nm_np2_fr_goo_0",
    ],
}
HMDB_USES = {1: (1, 1, 2), 2: (2, 0, 1), 3: (0, 1, 2)}


@pytest.fixture
def hmdb51(tmp_path):
    (tmp_path / "splits").mkdir()
    for label, names in HMDB_NAMES.items():
        for name in names:
            write_avi(tmp_path / "videos" / label / f"{name}.avi")
        for fold, uses in HMDB_USES.items():
            text = "".join(f"{n}.avi {use} \n" for n, use in zip(names, uses, strict=True))
            (tmp_path / "splits" / f"{label}_test_split{fold}.txt").write_text(text)
    return tmp_path


@pytest.fixture
def eigenscape(tmp_path):
    """25 channels, 48 kHz, 24 bit; 60 ms for 10 minutes."""
    rng = np.random.default_rng(0)
    for label in ("Beach", "Park"):
        for n in range(1, 9):
            x = 0.1 * rng.standard_normal((2880, 25))
            soundfile.write(tmp_path / f"{label}.{n}.wav", x, 48000, subtype="PCM_24")
    header = "Filename,Class,Location,Time,Date,Additional Information\n"
    rows = "Beach-01.wav,Beach,Bridlington Beach,10:42,09/05/2017,\n"
    (tmp_path / "Metadata-EigenScape.csv").write_text(header + rows)
    return tmp_path


@pytest.fixture
def tau2019(tmp_path):
    files = {
        "train": ["airport-barcelona-0-0-a", "shopping_mall-lisbon-12-340-a"],
        "evaluate": ["airport-helsinki-3-121-a"],
    }
    (tmp_path / "evaluation_setup").mkdir()
    (tmp_path / "audio").mkdir()
    for name, stems in files.items():
        rows = [f"audio/{stem}.wav\t{stem.split('-')[0]}" for stem in stems]
        text = "\n".join(["filename\tscene_label", *rows]) + "\n"
        (tmp_path / "evaluation_setup" / f"fold1_{name}.csv").write_text(text)
        for stem in stems:
            sound = np.zeros((480, 2))
            soundfile.write(tmp_path / "audio" / f"{stem}.wav", sound, 48000, subtype="PCM_24")
    tested = "\n".join(["filename", *(f"audio/{stem}.wav" for stem in files["evaluate"])])
    (tmp_path / "evaluation_setup" / "fold1_test.csv").write_text(tested + "\n")
    return tmp_path


@pytest.fixture
def esc10(tmp_path):
    """Two classes of which each fold tests on one recording."""
    for folder in ("001 - Dog bark", "010 - Fire crackling"):
        (tmp_path / folder).mkdir()
        for fold in range(1, 6):
            name = f"{fold}-{folder[:3]}{fold}-A.wav"
            soundfile.write(tmp_path / folder / name, np.zeros(100), 8000)
    return tmp_path


def groups(clips: list[LabelledClip]) -> dict[str, set[tuple[str, str]]]:
    """Label and group of the clips of each split."""
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for clip in clips:
        found[clip.split].add((clip.label, clip.group))
    return found


@pytest.mark.parametrize("name", sorted(LABELLED))
def test_every_fold_divides_groups_and_names_existing_files(name, request):
    root = request.getfixturevalue(name)
    source = open_labelled(name, root)
    for fold in range(1, source.folds + 1):
        clips = list(source.clips(fold))
        assert clips == list(open_labelled(name, root).clips(fold))
        assert len({clip.key for clip in clips}) == len(clips) > 2
        assert not any("." in clip.key or "/" in clip.key for clip in clips)
        assert all(clip.path.is_file() and clip.fold == fold for clip in clips)
        found = groups(clips)
        assert found.keys() == {"train", "test"}
        assert not found["train"] & found["test"]
    for fold in (0, source.folds + 1):
        with pytest.raises(
            InputError, match=f"no fold {fold}: choose one from 1 to {source.folds}"
        ):
            list(source.clips(fold))


def test_ucf101(ucf101):
    clips = list(open_labelled("ucf101", ucf101).clips(2))
    assert clips[0] == LabelledClip(
        key="v_ApplyEyeMakeup_g01_c01",
        path=ucf101 / "data/ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi",
        label="ApplyEyeMakeup",
        split="train",
        fold=2,
        group="ApplyEyeMakeup_g01",
    )
    assert [c.key for c in clips if c.split == "test"] == [
        "v_ApplyEyeMakeup_g02_c01",
        "v_BabyCrawling_g02_c01",
    ]
    assert (probe(clips[0].path).width, probe(clips[0].path).has_audio) == (32, False)


def test_ucf101_refuses_another_list(ucf101):
    path = ucf101 / "ucfTrainTestlist" / "testlist01.txt"
    for line in (
        "Juggling/v_Juggling_g01_c01.avi",
        "v_BabyCrawling_g01_c01.avi",
        "BabyCrawling/x.avi",
    ):
        path.write_text(f"BabyCrawling/v_BabyCrawling_g01_c01.avi\n{line}\n")
        with pytest.raises(InputError, match=r"testlist01\.txt, line 2: "):
            list(open_labelled("ucf101", ucf101).clips(1))
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"testlist01\.txt: no such file: fetch the lists"):
        list(open_labelled("ucf101", ucf101).clips(1))


def test_hmdb51(hmdb51):
    source = open_labelled("hmdb51", hmdb51)
    for fold, uses in HMDB_USES.items():
        splits = {clip.path.stem: clip.split for clip in source.clips(fold)}
        named = [("unused", "train", "test")[use] for use in uses]
        for names in HMDB_NAMES.values():
            assert [splits.get(name, "unused") for name in names] == named
    clips = list(source.clips(1))
    assert {clip.label for clip in clips} == {"brush_hair", "cartwheel"}
    assert [clip.group for clip in clips] == [
        "April_09",
        "April_09",
        "Blonde",
        "(Rad)Schlag_die_Bank!",
        "(Rad)Schlag_die_Bank!",
        "A_cartwheel",
    ]
    assert clips[0].key == "brush_hair__April_09_brush_hair_u_nm_np1_ba_goo_0"


def test_hmdb51_refuses_another_list(hmdb51):
    path = hmdb51 / "splits" / "cartwheel_test_split1.txt"
    path.write_text("A_cartwheel_f_cm_np1_le_bad_3.avi 3\n")
    with pytest.raises(InputError, match=r"cartwheel_test_split1\.txt, line 1: expected"):
        list(open_labelled("hmdb51", hmdb51).clips(1))
    for path in (hmdb51 / "splits").iterdir():
        path.unlink()
    with pytest.raises(FileNotFoundError, match=r"no CLASS_test_split1\.txt"):
        list(open_labelled("hmdb51", hmdb51).clips(1))


def test_eigenscape_segments_hold_the_sound_of_their_time(eigenscape):
    source = EigenScape(eigenscape, segment=0.02, length=0.06)
    clips = [clip for clip in source.clips() if clip.group == "Park.3"]
    assert [(c.key, c.start) for c in clips] == [
        ("Park_3_01", 0.0),
        ("Park_3_02", 0.02),
        ("Park_3_03", 0.04),
    ]
    whole, rate = soundfile.read(eigenscape / "Park.3.wav", dtype="float32")
    x, _ = ambikit.read(clips[1].path, start=clips[1].start, duration=clips[1].duration)
    assert x.shape == (25, 960)
    assert rate == 48000
    np.testing.assert_array_equal(x[:4], whole[960:1920, :4].T)


@pytest.mark.parametrize("folds", [4, 8])
def test_eigenscape_tests_on_each_recording_once(eigenscape, folds):
    source = EigenScape(eigenscape, folds=folds)
    assert len(list(source.clips())) == 2 * 8 * 20
    tested = [groups(list(source.clips(fold)))["test"] for fold in range(1, folds + 1)]
    for label in ("Beach", "Park"):
        numbers = [sorted(g for name, g in fold if name == label) for fold in tested]
        assert {len(fold) for fold in numbers} == {8 // folds}
        assert sorted(chain.from_iterable(numbers)) == [f"{label}.{n}" for n in range(1, 9)]


def test_eigenscape_folds_are_those_of_every_version(eigenscape):
    """Figures are compared across versions and machines: the shuffle must not change."""
    fold = groups(list(EigenScape(eigenscape).clips(1)))["test"]
    assert {group for _, group in fold} == {"Beach.3", "Beach.5", "Park.3", "Park.6"}
    other = groups(list(EigenScape(eigenscape, seed=1).clips(1)))["test"]
    assert other != fold
    # A class has the same folds whichever others are there.
    for path in eigenscape.glob("Beach.*.wav"):
        path.unlink()
    assert groups(list(EigenScape(eigenscape).clips(1)))["test"] == {
        pair for pair in fold if pair[0] == "Park"
    }


def test_eigenscape_names_recordings_that_are_missing(eigenscape):
    (eigenscape / "Park.8.wav").unlink()
    absent = {c.group for c in EigenScape(eigenscape).clips() if not c.path.exists()}
    assert absent == {"Park.8"}
    with pytest.raises(InputError, match="4 or 8 folds, got 5"):
        EigenScape(eigenscape, folds=5)
    assert len(CLASSES) == 8


def test_tau2019(tau2019):
    clips = list(open_labelled("tau2019", tau2019).clips())
    assert clips == [
        LabelledClip(
            key="airport-barcelona-0-0-a",
            path=tau2019 / "audio/airport-barcelona-0-0-a.wav",
            label="airport",
            split="train",
            fold=1,
            group="barcelona-0",
        ),
        LabelledClip(
            key="shopping_mall-lisbon-12-340-a",
            path=tau2019 / "audio/shopping_mall-lisbon-12-340-a.wav",
            label="shopping_mall",
            split="train",
            fold=1,
            group="lisbon-12",
        ),
        LabelledClip(
            key="airport-helsinki-3-121-a",
            path=tau2019 / "audio/airport-helsinki-3-121-a.wav",
            label="airport",
            split="test",
            fold=1,
            group="helsinki-3",
        ),
    ]
    with pytest.raises(InputError, match="2 channels"):
        ambikit.read(clips[0].path)


def test_tau2019_refuses_another_list(tau2019):
    path = tau2019 / "evaluation_setup" / "fold1_evaluate.csv"
    path.write_text("filename\tscene_label\naudio/tram-paris-1-2-a.wav\tbus\n")
    with pytest.raises(InputError, match=r"fold1_evaluate\.csv, line 2: 'audio/tram"):
        list(open_labelled("tau2019", tau2019).clips())
    path.write_text("filename,scene_label\n")
    with pytest.raises(InputError, match="no columns 'filename' and 'scene_label'"):
        list(open_labelled("tau2019", tau2019).clips())


@pytest.mark.parametrize("name", sorted(LABELLED))
def test_nothing_there(name, tmp_path):
    with pytest.raises(FileNotFoundError):
        list(open_labelled(name, tmp_path).clips())
    with pytest.raises(FileNotFoundError, match="absent: no such folder"):
        open_labelled(name, tmp_path / "absent")


def test_unknown_data_set(tmp_path):
    with pytest.raises(InputError, match="unknown labelled data set 'imagenet'"):
        open_labelled("imagenet", tmp_path)
