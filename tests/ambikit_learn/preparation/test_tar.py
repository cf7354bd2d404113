"""Tars that grow clip by clip: the same bytes in the end, whatever a kill left of one."""

from __future__ import annotations

import tarfile
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambikit_learn.preparation.tar import GrowingTar, PartialTar, commit_tar, partial_tar

HEADER = {"digest": "abc"}
CLIPS = [
    ({"key": "a"}, {"a.mp4": b"x" * 700, "a.json": b"{}"}),
    ({"key": "left out"}, {}),
    ({"key": "weiß nicht"}, {"weiß nicht.mp4": b"", "weiß nicht.json": bytes(512)}),
    ({"key": "d"}, {"d.mp4": b"yz" * 300}),
]


def fill(target, clips, known):
    """Add clips to a tar, and note with each where its members lie."""
    with closing(GrowingTar(target, HEADER, known)) as tar:
        for row, members in clips:
            tar.note(row | {"places": tar.add(members)})
        return tar.rows


def finish(target):
    """Take up what is there and finish it."""
    known = partial_tar(target)
    rows = fill(target, CLIPS[len(known.rows) :], known)
    with closing(GrowingTar(target, HEADER, partial_tar(target))) as tar:
        size = tar.finish()
    commit_tar(target, keep=True)
    assert target.stat().st_size == size
    return rows


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Bytes of the tar and of its log before the end is written, the rows, and the finished tar."""
    target = tmp_path_factory.mktemp("whole") / "s.tar"
    fill(target, CLIPS, PartialTar())
    tar, log = target.with_name(".s.part.tar").read_bytes(), target.with_name(".s.log").read_bytes()
    rows = finish(target)
    return tar, log, rows, target.read_bytes()


def test_is_a_tar_with_members_where_it_says(whole, tmp_path):
    _, _, rows, data = whole
    path = tmp_path / "s.tar"
    path.write_bytes(data)
    wanted = {name: member for _, members in CLIPS for name, member in members.items()}
    with tarfile.open(path) as tar:
        assert {m.name: tar.extractfile(m).read() for m in tar} == wanted
        offsets = {m.name: m.offset_data for m in tar}
    assert {k: v for row in rows for k, v in row["places"].items()} == offsets
    assert len(data) % tarfile.RECORDSIZE == 0


@given(st.floats(0, 1), st.floats(0, 1))
def test_what_is_left_of_it_does_not_show(tmp_path_factory, whole, tar_share, log_share):
    """A kill leaves more of the tar than its log tells, a machine that fails perhaps less."""
    tar, log, rows, data = whole
    target = tmp_path_factory.mktemp("cut") / "s.tar"
    tar_left, log_left = tar[: round(len(tar) * tar_share)], log[: round(len(log) * log_share)]
    target.with_name(".s.part.tar").write_bytes(tar_left)
    target.with_name(".s.log").write_bytes(log_left)
    known = partial_tar(target)
    assert known.rows == rows[: len(known.rows)]
    assert known.tar_bytes <= len(tar_left)
    if tar_share == 1.0 and log_left:
        assert len(known.rows) == max(0, log_left.count(b"\n") - 1)
    assert finish(target) == rows
    assert target.read_bytes() == data
    assert [p.name for p in target.parent.iterdir()] == ["s.tar"]


def test_a_log_of_something_else_is_not_believed(tmp_path):
    target = tmp_path / "s.tar"
    for log in (
        b"",
        b'{"digest": "abc"}\n["a", {}]\n',
        b"\x00\x01\n",
        b"[1, 2]\n",
        b'{"digest": "abc"}\n{"no": "pair"}\n["a", {}]\n',
    ):
        target.with_name(".s.part.tar").write_bytes(bytes(4096))
        target.with_name(".s.log").write_bytes(log)
        assert partial_tar(target).rows == []
