"""The lock of a journal: Optuna's own protocol, opened at once where its holder was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from unprompt._search.owner import Owner
from unprompt._search.storages import journal_lock, signals
from unprompt._search.storages.journal_lock import JournalLock

Tracer = Callable[[FrameType, str, Any], Any]

HOLD = """\
import sys, time
from pathlib import Path
from unprompt._search.storages.journal_lock import JournalLock
with JournalLock(Path(sys.argv[1])).held():
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "study.journal"
    path.touch()
    return path


def hold(journal: Path) -> subprocess.Popen[str]:
    """A process that holds a journal's lock."""
    command = [sys.executable, "-c", HOLD, str(journal)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_lock_of_a_process_that_was_killed_is_taken_away_without_a_wait(
    journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with hold(journal) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    lock = Path(f"{journal}.lock")
    assert lock.exists()
    with JournalLock(journal).held():
        assert Owner.parse(lock.read_text()) == Owner.of()
    assert capsys.readouterr().err == ""  # which is said after 2 seconds
    assert os.listdir(journal.parent) == [journal.name]


def test_the_lock_of_a_process_that_lives_is_waited_for_and_that_is_said(
    journal: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("unprompt._search.storages.journal_lock._SAID_AFTER", 0.1)
    with hold(journal) as process:
        held = threading.Event()

        def take() -> None:
            with JournalLock(journal).held():
                held.set()

        thread = threading.Thread(target=take)
        thread.start()
        assert not held.wait(0.5)
        process.kill()
        process.wait()
        thread.join()
        assert held.is_set()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{journal}.lock: held by process {process.pid} on ")
    assert line.endswith("; waiting, for at most 30 seconds")


def test_a_lock_of_optuna_and_one_of_another_machine_are_taken_away_after_a_while(
    journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unprompt._search.storages.journal_lock.GRACE", 0.2)
    lock = Path(f"{journal}.lock")
    for make in (
        lambda: lock.symlink_to(journal),
        lambda: lock.write_text(str(Owner("far", "0123456789ab", "77", 1))),
        lambda: lock.write_text(""),  # killed between making and signing it
    ):
        make()
        started = time.monotonic()
        with JournalLock(journal).held():
            assert time.monotonic() - started >= 0.2
        assert not lock.is_symlink() and not lock.exists()


def test_optuna_waits_for_ours_and_ours_for_optunas(journal: Path) -> None:
    from optuna.storages.journal import JournalFileSymlinkLock

    theirs, events = JournalFileSymlinkLock(str(journal)), list[str]()
    theirs.acquire()

    def take() -> None:
        with JournalLock(journal).held():
            events.append("ours")

    def take_theirs() -> None:
        theirs.acquire()
        events.append("again")

    thread = threading.Thread(target=take)
    thread.start()
    time.sleep(0.2)
    events.append("theirs")
    theirs.release()
    thread.join()
    assert events == ["theirs", "ours"]
    with JournalLock(journal).held():
        thread = threading.Thread(target=take_theirs)
        thread.start()
        time.sleep(0.2)
        events.append("ours")
    thread.join()
    theirs.release()
    assert events[2:] == ["ours", "again"]
    assert os.listdir(journal.parent) == [journal.name]


def test_a_lock_that_somebody_took_away_and_holds_is_left_to_them(journal: Path) -> None:
    lock = Path(f"{journal}.lock")
    with JournalLock(journal).held():
        lock.unlink()
        lock.write_text("somebody else's")
    assert lock.read_text() == "somebody else's"


def test_a_signal_at_any_step_leaves_no_lock_and_cuts_nothing_short(journal: Path) -> None:
    """A handler that raises is run between two steps, also in the middle of a ``finally``."""
    before = {number: signal.getsignal(number) for number in signals.ENDING}
    ended = Counter[bool]()
    try:
        while True:
            for number in signals.ENDING:
                signal.signal(number, signal.default_int_handler)
            events: list[str] = []
            interruption = Interruption(after=ended.total())
            with suppress(KeyboardInterrupt), interruption, JournalLock(journal).held():
                events.append("begun")
                events.append("done")
            assert events in ([], ["begun", "done"])
            assert os.listdir(journal.parent) == [journal.name]
            for number in signals.ENDING:
                with pytest.raises(KeyboardInterrupt):
                    signal.raise_signal(number)
            if not interruption.sent:
                break
            ended[bool(events)] += 1
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert ended[False] > 10 and ended[True] > 10


class Interruption:
    """SIGTERM at one step of the lock's own code."""

    def __init__(self, after: int) -> None:
        self._left, self.sent = after, False

    def __enter__(self) -> None:
        sys.settrace(self._trace)

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _trace(self, frame: FrameType, event: str, _: object) -> Tracer | None:
        if frame.f_code.co_filename not in (journal_lock.__file__, signals.__file__):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            self._left -= 1
            if self._left < 0 and not self.sent:
                self.sent = True
                signal.raise_signal(signal.SIGTERM)
        return self._trace


def test_it_is_held_by_one_at_a_time(journal: Path) -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(25):
            with JournalLock(journal).held():
                inside += 1
                most = max(most, inside)
                time.sleep(0)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
