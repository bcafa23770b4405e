"""SIGTERM and SIGHUP end a command in order: nothing half-made is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from unprompt._cli.ending import orderly_end

WORK = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's & leaves it ignored
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and so does nohup
from pathlib import Path
from unprompt._cli import app
from unprompt._files.reserving import reserved_folder

def command():
    with reserved_folder(Path(sys.argv[1])) as reservation:
        (reservation.folder / "half").write_text("made")
        try:
            print("ready", flush=True)
            time.sleep(60)
        finally:
            print("ending", flush=True)
            time.sleep(float(sys.argv[2]))
app.app = command
app.main()
"""


def end(target: Path, numbers: Sequence[signal.Signals], seconds: float = 0) -> int:
    """Work on ``target``, stopped by signals one after another; the exit code."""
    words = [sys.executable, "-c", WORK, str(target), str(seconds)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            for number, line in zip(numbers, ("ready\n", "ending\n"), strict=False):
                assert process.stdout.readline() == line
                process.send_signal(number)
            return process.wait(timeout=30)
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_nothing_is_left(number: signal.Signals, tmp_path: Path) -> None:
    assert end(tmp_path / "new" / "run", [number]) == 128 + number
    assert os.listdir(tmp_path) == []


def test_it_is_no_mistake_of_the_plugin_that_runs() -> None:
    with pytest.raises(SystemExit) as stop, orderly_end():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        except SystemExit as error:  # the boundary to plugins makes an error line of it
            raise AssertionError from error
    assert stop.value.code == 128 + signal.SIGTERM


def test_a_second_sigterm_ends_at_once(tmp_path: Path) -> None:
    numbers = [signal.SIGHUP, signal.SIGTERM]
    assert end(tmp_path / "run", numbers, seconds=60) == -signal.SIGTERM
    numbers = [signal.SIGTERM, signal.SIGTERM]
    assert end(tmp_path / "run", numbers, seconds=60) == -signal.SIGTERM


def test_a_closed_terminal_may_say_so_twice(tmp_path: Path) -> None:
    numbers = [signal.SIGHUP, signal.SIGHUP]
    assert end(tmp_path / "run", numbers, seconds=0.3) == 128 + signal.SIGHUP
    assert os.listdir(tmp_path) == []


def test_under_nohup_a_closed_terminal_means_nothing(tmp_path: Path) -> None:
    work = WORK.replace("SIG_DFL", "SIG_IGN").replace("sleep(60)", "sleep(0.3)")
    words = [sys.executable, "-c", work, "run", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGHUP)
        assert process.wait(timeout=30) == 0


def test_a_program_that_calls_a_command_keeps_its_own_handlers() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)]
    with orderly_end():
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)] == before
    own = signal.signal(signal.SIGTERM, handler := lambda *_: None)
    try:
        with orderly_end():
            assert signal.getsignal(signal.SIGTERM) is handler
    finally:
        signal.signal(signal.SIGTERM, own)
