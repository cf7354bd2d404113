"""Claims to pieces of work: one owner at a time, and none for ever."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time

import pytest

from ambikit_learn.reproduce import claims as module
from ambikit_learn.reproduce.claims import Claims


def owner(path):
    return json.loads(path.read_text())


def leave_behind(folder, **changes):
    """Write the claim of an owner that does nothing any more."""
    path = folder / "a" / "0001.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"machine": "elsewhere", "process": 1, "seconds": 5.0} | changes))
    return path


def test_a_held_piece_is_refused_and_a_released_one_is_not(tmp_path):
    first, second = Claims(tmp_path), Claims(tmp_path)
    with first.claim("a") as mine:
        assert mine
        with second.claim("a") as other, second.claim("b") as another:
            assert not other
            assert another
    with second.claim("a") as mine:
        assert mine
    assert [path.name for path in sorted((tmp_path / "a").iterdir())] == ["0001.json", "0002.json"]


def test_a_claim_is_released_after_an_error(tmp_path):
    claims = Claims(tmp_path)
    with pytest.raises(ValueError, match="x"), claims.claim("a"):
        raise ValueError("x")
    with claims.claim("a") as mine:
        assert mine


def test_a_claim_that_is_renewed_is_not_taken_over(tmp_path):
    holder, other = Claims(tmp_path, beat=0.02), Claims(tmp_path, stale=0.3)
    with holder.claim("a"):
        begin = time.monotonic()
        while time.monotonic() - begin < 1.0:
            with other.claim("a") as mine:
                assert not mine
            time.sleep(0.05)


def test_a_claim_of_another_machine_is_taken_over_when_it_is_no_longer_renewed(tmp_path):
    leave_behind(tmp_path)
    other = Claims(tmp_path, stale=0.2)
    with other.claim("a") as mine:
        assert not mine  # its owner may be about to renew it
    time.sleep(0.3)
    with other.claim("a") as mine:
        assert mine
        assert owner(tmp_path / "a" / "0002.json")["process"] == os.getpid()
    assert 5.0 <= other.seconds("a") < 6.0  # of both owners


def test_a_claim_without_content_yet_is_held(tmp_path):
    leave_behind(tmp_path).write_text("")
    with Claims(tmp_path).claim("a") as mine:
        assert not mine


@pytest.mark.skipif(os.name == "nt", reason="processes are not looked up there")
def test_the_claim_of_a_killed_process_of_this_machine_is_taken_over_at_once(tmp_path):
    process = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,))
    process.start()
    leave_behind(tmp_path, machine=module._machine(), process=process.pid)
    with Claims(tmp_path).claim("a") as mine:
        assert not mine
    process.kill()
    process.join()
    with Claims(tmp_path).claim("a") as mine:
        assert mine


@pytest.mark.parametrize("ignored", [False, True])
def test_an_owner_that_was_suspended_is_interrupted(tmp_path, ignored):
    """Shells start processes in the background with Ctrl-C ignored."""

    def end(*_):
        raise SystemExit

    def sleep_while_another_takes_over():
        with Claims(tmp_path, beat=0.05).claim("a"):
            (tmp_path / "a" / "0002.json").write_text("{}")
            for _ in range(400):
                time.sleep(0.05)

    handlers = {
        signal.SIGINT: signal.SIG_IGN if ignored else signal.default_int_handler,
        signal.SIGTERM: end,
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        with pytest.raises(SystemExit if ignored else KeyboardInterrupt):
            sleep_while_another_takes_over()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
