"""Files of sound events in the format of DCASE."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambikit import InputError
from ambikit_learn.sources.events import read_event_rows, write_event_rows

ANGLES = st.floats(-90, 90).map(lambda x: round(x, 3))


@given(
    rows=st.lists(
        st.tuples(
            st.integers(0, 2000),
            st.integers(0, 12),
            st.integers(0, 9),
            ANGLES,
            ANGLES,
            st.integers(0, 1000).map(lambda x: x / 100),
        ),
        max_size=8,
    ),
    columns=st.sampled_from([5, 6]),
    unit=st.sampled_from(["cm", "m"]),
)
def test_what_is_written_is_read(tmp_path_factory, rows, columns, unit):
    path = tmp_path_factory.mktemp("events") / "folder" / "a.csv"
    table = np.array(sorted(rows), dtype=float).reshape(-1, 6)[:, :columns]
    write_event_rows(path, table, distance=unit)
    found = read_event_rows(path, distance=unit)
    assert len(found) == len(table)
    if len(table):
        assert found == pytest.approx(table, abs=1e-9)


def test_labels_are_whole_numbers_and_centimetres(tmp_path):
    path = tmp_path / "a.csv"
    write_event_rows(path, [[0, 8, 1, -90, 10, 2.51], [1, 8, 1, -89.5, 10, 2.51]])
    assert path.read_text() == "0,8,1,-90,10,251\n1,8,1,-89.5,10,251\n"
    path.write_text("0,8,1,-90,10,251\n\n1,8,1,-90,10,251\n")
    assert read_event_rows(path)[:, 5].tolist() == [2.51, 2.51]
    assert read_event_rows(path, distance="m")[:, 5].tolist() == [251.0, 251.0]
    path.write_text("")
    assert read_event_rows(path).shape == (0, 5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0,1,0,0\n", "row 1: 4 columns: give frame,class,track,azimuth,elevation, or"),
        ("0,1,0,0,0\n0,1,0,0,0,100\n", "row 2: 6 columns after rows of 5"),
        ("frame,class,track,azimuth,elevation\n", "row 1: .* are no numbers"),
        ("0,1,0,0,0\n1,1,0,0,nan\n", "row 2: elevation nan is no number"),
        ("5,1,0,0,0\n4,1,0,0,0\n", "row 2: frame 4 comes after frame 5"),
        ("0,13,0,0,0\n", "row 1: class 13 is unknown"),
        ("0,1,0,-200,0\n", "row 1: azimuth -200 is out of range"),
    ],
)
def test_bad_files_are_named_with_their_row(tmp_path, text, message):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=f"bad.csv, {message}") as caught:
        read_event_rows(path, classes=13)
    assert "\n" not in str(caught.value)


def test_other_bad_input(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_event_rows(tmp_path / "absent.csv")
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe0")
    with pytest.raises(InputError, match="no text"):
        read_event_rows(tmp_path / "b.csv")
    with pytest.raises(InputError, match="distance"):
        read_event_rows(tmp_path / "b.csv", distance="mm")
    with pytest.raises(InputError, match=r"row 1: class 0\.5 is no whole number"):
        write_event_rows(tmp_path / "c.csv", [[0, 0.5, 0, 0, 0]])
    assert not (tmp_path / "c.csv").exists()
