"""Every spelling of an open descriptor gets the bytes; no file is put in its place."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from unprompt import OutputError
from unprompt._files.streams import is_stdout, is_stream
from unprompt._files.writing import check_writable, write_bytes

OWN = [
    "/dev/fd/{n}",
    "//dev/fd/{n}",
    "/dev/../dev/fd/{n}",
    "/proc/self/fd/{n}",
    "/proc/thread-self/fd/{n}",
    "/proc/{pid}/fd/{n}",
    "/proc/{pid}/task/{pid}/fd/{n}",
    "link",
    "link-to-link",
    "folder/{n}",
]


@pytest.mark.parametrize("spelling", OWN)
def test_bytes_go_behind_what_the_open_file_holds(
    spelling: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with open("log", "wb") as file:
        number = file.fileno()
        Path("link").symlink_to(f"/dev/fd/{number}")
        Path("link-to-link").symlink_to("link")
        Path("folder").symlink_to("/dev/fd")
        before = Path("log").stat().st_ino
        file.write(b"first ")
        file.flush()
        path = Path(spelling.format(n=number, pid=os.getpid()))
        assert is_stream(path)
        check_writable(path)
        write_bytes(path, b"second ")
        file.write(b"third")
    assert Path("log").read_bytes() == b"first second third"
    assert Path("log").stat().st_ino == before
    assert sorted(os.listdir()) == ["folder", "link", "link-to-link", "log"]


@pytest.mark.parametrize("name", ["//dev/stdout", "/dev/../dev/stdout", "/proc/self/fd/1", "so"])
def test_spellings_of_stdout(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("so").symlink_to("/dev/stdout")
    assert is_stdout(Path(name))
    assert not is_stdout(Path("/dev/stderr"))


def test_the_open_file_of_another_process_is_appended_to(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with (
        log.open("wb") as file,
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=-1, stdout=file) as other,
    ):
        file.write(b"first ")
        file.flush()
        before = log.stat().st_ino
        path = Path(f"/proc/{other.pid}/fd/1")
        check_writable(path)
        write_bytes(path, b"second")
        assert not is_stdout(path)
        other.communicate(b"\n")
    assert (log.read_bytes(), log.stat().st_ino) == (b"first second", before)


@pytest.mark.parametrize("number", ["999999999999", "9" * 200, "2147483646"])
def test_a_descriptor_that_is_not_open(number: str) -> None:
    for write in (check_writable, lambda path: write_bytes(path, b"")):
        with pytest.raises(OutputError, match=r"cannot be written: (it is closed|bad file desc)"):
            write(Path(f"/proc/self/fd/{number}"))


def test_a_descriptor_that_is_only_read(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("kept")
    with (
        (tmp_path / "x").open() as file,
        pytest.raises(OutputError, match="it is open for reading only"),
    ):
        check_writable(Path(f"/dev/fd/{file.fileno()}"))
    assert (tmp_path / "x").read_text() == "kept"


def test_a_terminal_that_is_not_there_is_refused_at_once() -> None:
    program = (
        "import sys; from pathlib import Path; from unprompt._files import writing, streams\n"
        "streams.PATIENCE = 1e9\n"
        "try: writing.check_writable(Path('/dev/tty'))\n"
        "except Exception as error: print(error)"
    )
    words = [sys.executable, "-c", program]
    done = subprocess.run(words, capture_output=True, text=True, start_new_session=True, check=True)
    assert done.stdout == "/dev/tty: cannot be written: no such device or address\n"


@pytest.mark.parametrize("above", ["/dev/null", "file"])
def test_below_a_device_or_a_file(
    above: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    for name in (f"{above}/x", f"{above}/deep/x"):
        with pytest.raises(OutputError, match=f"{name}: cannot be written: not a directory"):
            write_bytes(Path(name), b"")
