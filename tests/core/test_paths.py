"""Paths that users name: looked at without an exception of the operating system."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from unprompt import DataError, OutputError, UnpromptError
from unprompt._files import paths
from unprompt._files.reserving import reserved_folder
from unprompt._files.writing import check_writable, write_bytes

ODD = "caf\udce9"
"""What Python makes of the bytes ``caf\\xe9``, which are not UTF-8."""


def line_of(error: pytest.ExceptionInfo[DataError]) -> str:
    (line,) = error.value.problems
    assert line.isprintable()
    assert len(line) < 300
    return line


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "a path is empty (an unset variable?)"),
        ("a\0b", "a\\x00b: a path cannot hold NUL"),
        (ODD, "caf\\xe9: the name is not UTF-8: rename it"),
        ("a\ud800", "'a\\ud800': the name is not UTF-8: rename it"),
        ("~nobody-of-this-name/x", "no home folder for '~nobody-of-this-name/x'"),
    ],
)
def test_impossible_paths(text: str, what: str) -> None:
    with pytest.raises(DataError) as caught:
        paths.user_path(text)
    assert line_of(caught) == what


@pytest.mark.parametrize("text", [".", "./", "./.", Path("."), ".."])
def test_the_working_directory_is_a_path(text: str | Path) -> None:
    assert paths.user_path(text) == Path(text)
    assert paths.is_folder(paths.user_path(text))


def test_home_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    assert paths.user_path("~/x") == Path("/somewhere/x")
    assert paths.user_path(paths.user_path("./~x")) == Path("~x").absolute()
    assert str(paths.user_path("a/~x")) == "a/~x"


def test_kinds(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "fifo")
    kinds = {"file": "file", "link": "file", "dangling": "missing", "fifo": "device", "": "folder"}
    assert {name: paths.kind_of(tmp_path / name) for name in kinds} == kinds
    assert paths.kind_of(tmp_path / "file" / "below") == "missing"


def test_nobody_can_know(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("a")
    for path, what in ((tmp_path / "a", "too many levels"), (tmp_path / ("x" * 256), "too long")):
        with pytest.raises(DataError, match=what) as caught:
            paths.kind_of(path)
        line_of(caught)


@pytest.mark.parametrize("variable", ["UNPROMPT_CACHE_DIR", "XDG_CACHE_HOME"])
@pytest.mark.parametrize("value", ["~nobody-of-this-name/c", "x" * 300, ODD])
def test_cache_variables(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNPROMPT_CACHE_DIR")
    monkeypatch.setenv(variable, value)
    with pytest.raises(DataError) as caught:
        paths.cache_folder()
    assert line_of(caught).startswith(f"{variable}: ")


def test_the_usual_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNPROMPT_CACHE_DIR", "/one")
    assert paths.cache_folder() == Path("/one")
    monkeypatch.setenv("UNPROMPT_CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", "/two")
    assert paths.cache_folder() == Path("/two/unprompt")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/three")
    assert paths.cache_folder() == Path("/three/.cache/unprompt")


def test_no_home_folder_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("UNPROMPT_CACHE_DIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 3_999_999_999)  # in no passwd
    with pytest.raises(DataError) as caught:
        paths.cache_folder()
    assert "set UNPROMPT_CACHE_DIR" in line_of(caught)


PROGRAM = """
import os, sys
from unprompt._cli.app import main
os.chdir(sys.argv.pop(1))
os.rmdir(os.getcwd()) if sys.argv.pop(1) == "delete" else None
main()
"""


@pytest.mark.parametrize(
    ("name", "then", "what"),
    [
        ("gone", "delete", "the working directory does not exist any more"),
        (b"caf\xe9", "keep", "caf\\xe9: the name is not UTF-8: rename it"),
    ],
)
def test_working_directories(name: str | bytes, then: str, what: str, tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/" + (name if isinstance(name, bytes) else name.encode())
    os.mkdir(folder)
    words = [sys.executable, "-c", PROGRAM, os.fsdecode(folder), then, "config", "validate", "x"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(f"{what}\n")
    assert done.stderr.count("\n") == 1


def test_a_fifo_without_a_writer_is_empty(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with paths.opened(tmp_path / "fifo") as file:
        assert file.read() == b""


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Path]:
    """A folder that this process may not enter."""
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o000)
    was = os.geteuid()
    if was == 0:
        os.seteuid(12345)  # root enters every folder
    yield folder
    os.seteuid(was)


def test_no_permission(locked: Path) -> None:
    for path in (locked / "x", locked / "deep" / "x.csv"):
        with pytest.raises(DataError, match="permission denied") as caught:
            paths.kind_of(path)
        line_of(caught)
        for write in (check_writable, lambda path: write_bytes(path, b"")):
            with pytest.raises(OutputError, match=r"cannot be written: .*: permission denied"):
                write(path)
        with (
            pytest.raises(UnpromptError, match="permission denied"),
            reserved_folder(path),
        ):
            raise AssertionError("never reached")
