"""Folders that cannot be written to are refused first, and checks leave them as they were."""

from __future__ import annotations

import errno
import os
import tempfile

import pytest

from ambikit import InputError
from ambikit_learn._files import (
    atomic_write,
    check_writable,
    fingerprint,
    quick_fingerprint,
    remove_partial,
)


def test_a_check_leaves_nothing(tmp_path):
    check_writable(tmp_path, "?")
    check_writable(tmp_path / "new" / "er", "?")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_what_cannot_be_written_to_is_refused_although_it_is_there(tmp_path, monkeypatch, code):
    def refuse(*_, **__):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    for folder in (tmp_path, tmp_path / "new"):
        with pytest.raises(InputError, match=f"{folder} cannot be written to .*: elsewhere"):
            check_writable(folder, "elsewhere")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_this_user_may_only_read(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir(mode=0o500)
    try:
        if os.access(folder, os.W_OK):
            pytest.skip("this user may write everywhere")
        with pytest.raises(InputError, match="Permission denied"):
            check_writable(folder, "elsewhere")
    finally:
        folder.chmod(0o700)


def test_partial_files_alone_are_removed(tmp_path):
    for name in (".a.1.part.mp4", "a.part.mp4", ".hidden", "b.mp4"):
        (tmp_path / name).touch()
    (tmp_path / ".ambikit-x").mkdir()
    remove_partial(tmp_path, tmp_path / "missing")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".hidden", "a.part.mp4", "b.mp4"]


def test_any_byte_of_a_large_file_counts(tmp_path):
    """At once for weights; with its new time for recordings, of which a sample is read."""
    path = tmp_path / "large.bin"
    data = bytearray(2**24 + 2**20)
    path.write_bytes(data)
    os.utime(path, (1, 1))
    before = fingerprint(path), quick_fingerprint(path)
    assert before == (fingerprint(path), quick_fingerprint(path))
    data[2**23 + 12345] = 1
    path.write_bytes(data)
    os.utime(path, (2, 2))
    assert fingerprint(path) != before[0]
    assert quick_fingerprint(path) != before[1]
    os.utime(path, (1, 1))
    assert fingerprint(path) != before[0]
    small = tmp_path / "small.bin"
    small.write_bytes(b"the same")
    first = quick_fingerprint(small)
    os.utime(small, (1, 1))
    assert quick_fingerprint(small) == first == fingerprint(small)


def test_a_link_stays_and_names_may_be_as_long_as_they_can(tmp_path):
    """255 bytes is the longest that common file systems hold (NAME_MAX)."""
    (tmp_path / "disk").mkdir()
    real, link = tmp_path / "disk" / "table.json", tmp_path / "link.json"
    real.write_text("old")
    try:
        link.symlink_to(real)
    except OSError:
        pytest.skip("no links here")
    long = tmp_path / f"{'n' * 250}.json"
    for path in (link, long):
        with atomic_write(path) as temporary:
            temporary.write_text("new")
            assert temporary.name.startswith(".")
            assert temporary.suffix == ".json"
    assert link.is_symlink()
    assert real.read_text() == long.read_text() == "new"
    assert sorted(tmp_path.iterdir()) == sorted([real.parent, link, long])
