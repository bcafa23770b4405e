"""Cached folders are made once per key, and hashes name their content."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unprompt import OutputError
from unprompt._files import hashing
from unprompt._files.cache import Cache, copy_folder
from unprompt._files.hashing import content_hash, file_hash, folder_hash


def _everything(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_content_hash_ignores_the_order_of_keys_but_not_of_items() -> None:
    assert content_hash({"a": 1, "b": [1, 2]}) == content_hash({"b": [1, 2], "a": 1})
    assert content_hash([1, 2]) != content_hash([2, 1])
    assert content_hash(1) != content_hash("1")


def test_a_folder_hash_depends_on_names_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    first = folder_hash(tmp_path)
    assert folder_hash(tmp_path, "*.py") == folder_hash(tmp_path, "*.txt") != first
    (tmp_path / "a").rename(tmp_path / "b")
    second = folder_hash(tmp_path)
    (tmp_path / "b").write_text("2")
    assert len({first, second, folder_hash(tmp_path)}) == 3


def test_a_file_hash_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert file_hash(tmp_path / "a") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


def test_the_cache_makes_each_key_once(tmp_path: Path) -> None:
    cache, made = Cache(tmp_path / "cache"), []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "x").write_text(str(len(made)))

    first = cache.folder("texts", {"a": 1, "b": 2}, make)
    assert cache.folder("texts", {"b": 2, "a": 1}, make) == first
    assert len(made) == 1
    assert (first / "x").read_text() == "1"
    assert first.parent.parent == tmp_path / "cache/texts"
    assert cache.folder("texts", {"a": 1, "b": 3}, make) != first
    assert cache.folder("artifacts", {"a": 1, "b": 2}, make) != first
    assert len(made) == 3


def test_a_failed_make_keeps_nothing_and_can_be_repeated(tmp_path: Path) -> None:
    cache = Cache(tmp_path)

    def fail(folder: Path) -> None:
        (folder / "half").write_text("")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cache.folder("texts", 1, fail)
    assert _everything(tmp_path) == ["texts"]
    assert _everything(cache.folder("texts", 1, lambda folder: None)) == []


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file/cache/texts/.*cannot be written"):
        Cache(tmp_path / "file/cache").folder("texts", 1, lambda folder: None)


def test_environment_variables_set_the_folder_of_the_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("UNPROMPT_CACHE_DIR", "~/here")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert Cache.default().root == Path.home() / "here"
    monkeypatch.delenv("UNPROMPT_CACHE_DIR")
    assert Cache.default().root == tmp_path / "unprompt"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert Cache.default().root == Path.home() / ".cache/unprompt"


RACE = """
import sys, time
from pathlib import Path
from unprompt._files.cache import Cache

root, mine, other = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])

def make(folder):
    mine.touch()
    while not other.exists():  # both are making it now
        time.sleep(0.005)
    for name in "abcdefgh":
        (folder / name).write_text(name * 1000)

print(Cache(root).folder("texts", "key", make))
"""


def test_two_processes_may_make_one_entry_at_once(tmp_path: Path) -> None:
    root, a, b = tmp_path / "cache", tmp_path / "a", tmp_path / "b"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(root), str(mine), str(other)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for mine, other in ((a, b), (b, a))
    ]
    answers = [process.communicate(timeout=30) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], answers
    (first, _), (second, _) = answers
    assert first == second
    (entry,) = (root / "texts").iterdir()  # no temporary folder is left
    content = Path(first.strip())
    assert content.parent == entry
    assert sorted(path.name for path in content.iterdir()) == list("abcdefgh")
    assert {path.stat().st_size for path in content.iterdir()} == {1000}


def test_a_copied_folder_has_the_same_content(tmp_path: Path) -> None:
    (tmp_path / "a/sub").mkdir(parents=True)
    (tmp_path / "a/sub/x").write_text("1")
    copy_folder(tmp_path / "a", tmp_path / "b")
    assert folder_hash(tmp_path / "a") == folder_hash(tmp_path / "b")


def test_a_copied_folder_shares_no_file_with_its_source(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x").write_text("1")
    copy_folder(tmp_path / "a", tmp_path / "b")
    (tmp_path / "b/x").write_text("2")
    assert (tmp_path / "a/x").read_text() == "1"


@pytest.mark.skipif(not os.access("/dev/full", os.W_OK), reason="needs /dev/full")
def test_a_copy_to_a_full_disk_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x").write_text("1")
    (tmp_path / "b").mkdir()
    (tmp_path / "b/x").symlink_to("/dev/full")
    with pytest.raises(OutputError, match=r"b/x: cannot be written: no space left on device"):
        copy_folder(tmp_path / "a", tmp_path / "b")


def _swap(path: Path, content: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(content)


def _into_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def _entry(file: Path) -> Path:
    return file.parent.parent


def _writes(**files: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        for name, content in files.items():
            (folder / name).write_text(content)

    return make


def _instead(put: Callable[[Path], object]) -> Callable[[Path], None]:
    def damage(file: Path) -> None:
        shutil.rmtree(_entry(file))
        put(_entry(file))

    return damage


DAMAGE: dict[str, Callable[[Path], object]] = {
    "emptied": lambda file: _swap(file, b""),
    "cut": lambda file: _swap(file, file.read_bytes()[:-1]),
    "of the same size": lambda file: _swap(file, file.read_bytes().replace(b"a", b"b")),
    "longer": lambda file: _swap(file, file.read_bytes() + b"a"),
    "deleted": lambda file: file.unlink(),
    "one more file": lambda file: file.with_name("more").write_text("a"),
    "a FIFO": _into_fifo,
    "a link to itself": _loop,
    "no content": lambda file: shutil.rmtree(file.parent),
    "no checksums": lambda file: (_entry(file) / "checksums.json").unlink(),
    "empty checksums": lambda file: _swap(_entry(file) / "checksums.json", b""),
    "checksums of another type": lambda file: _swap(_entry(file) / "checksums.json", b"[1]"),
    "deep checksums": lambda file: _swap(_entry(file) / "checksums.json", b"[" * 100_000),
    "checksums are a FIFO": lambda file: _into_fifo(_entry(file) / "checksums.json"),
    "an empty folder": _instead(Path.mkdir),
    "a file": _instead(Path.touch),
    "a dangling link": _instead(lambda entry: entry.symlink_to("no")),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_entry_is_made_again(
    how: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache, made = Cache(tmp_path), []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "sub").mkdir()
        (folder / "x").write_text("aaa")
        (folder / "sub/y").write_text("yyy")

    folder = cache.folder("texts", 1, make)
    assert cache.folder("texts", 1, make) == folder
    assert (len(made), caplog.messages) == (1, [])
    DAMAGE[how](folder / "x")
    assert cache.folder("texts", 1, make) == folder
    assert len(made) == 2
    (line,) = caplog.messages
    assert line.startswith(f"cache: {folder.parent} was damaged and is made again: ")
    assert "\n" not in line
    assert _everything(folder) == ["sub", "sub/y", "x"]
    assert (folder / "x").read_text() == "aaa"
    assert [path.name for path in (tmp_path / "texts").iterdir()] == [folder.parent.name]
    cache.folder("texts", 1, make)
    assert len(made) == 2


def test_another_entry_is_not_taken_for_this_one(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    first, second = (cache.folder("texts", key, _writes(x="a")) for key in (1, 2))
    shutil.rmtree(first.parent)
    shutil.copytree(second.parent, first.parent)
    again = cache.folder("texts", 1, _writes(x="b"))
    assert (again / "x").read_text() == "b"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_damaged_entry_that_cannot_be_replaced_is_one_line(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    folder = cache.folder("texts", 1, lambda folder: None)
    (folder.parent / "checksums.json").unlink()
    (tmp_path / "texts").chmod(0o500)
    try:
        with pytest.raises(OutputError, match="cannot be written: permission denied"):
            cache.folder("texts", 1, lambda folder: None)
    finally:
        (tmp_path / "texts").chmod(0o700)


MEND = """
import sys, time
from pathlib import Path
from unprompt._files.cache import Cache

root, ready = Path(sys.argv[1]), Path(sys.argv[2])

def make(folder):
    for name in "abcdefgh":
        (folder / name).write_text(name * 1000)

ready.touch()
while not (ready.parent / "go").exists():
    time.sleep(0.001)
for _ in range(20):
    folder = Cache(root).folder("texts", "key", make)
    assert sorted(path.name for path in folder.iterdir()) == list("abcdefgh")
    assert {(folder / name).read_text() for name in "abcdefgh"} == {n * 1000 for n in "abcdefgh"}
print(folder)
"""


def test_processes_mend_an_entry_together(tmp_path: Path) -> None:
    root = tmp_path / "cache"
    files = {name: name * 1000 for name in "abcdefgh"}
    folder = Cache(root).folder("texts", "key", _writes(**files))
    (folder / "c").unlink()
    words = [sys.executable, "-c", MEND, str(root)]
    processes = [
        subprocess.Popen([*words, str(tmp_path / f"{i}")], stderr=subprocess.PIPE, text=True)
        for i in range(3)
    ]
    while len([*tmp_path.glob("[0-9]")]) < 3:
        assert all(process.poll() is None for process in processes)
    (tmp_path / "go").touch()
    errors = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], errors
    assert [path.name for path in (root / "texts").iterdir()] == [folder.parent.name]
    assert 1 <= sum(error.count("was damaged and is made again") for error in errors) <= 3


def test_a_file_that_has_not_changed_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    read: list[str] = []
    digest = hashlib.file_digest

    def counted(file: Any, name: str) -> object:
        read.append(name)
        return digest(file, name)

    monkeypatch.setattr(hashlib, "file_digest", counted)
    first = file_hash(path)
    assert file_hash(path) == first
    assert len(read) == 2  # it is too young: another write might not change its times
    monkeypatch.setattr(hashing, "_SETTLED", -1.0)
    assert [file_hash(path) for _ in range(3)] == [first] * 3
    assert len(read) == 3
    path.write_bytes(b"abcd")
    assert file_hash(path) != first
    assert len(read) == 4


def test_checksums_are_sizes_and_sha256(tmp_path: Path) -> None:
    folder = Cache(tmp_path).folder("texts", 1, _writes(x="abc"))
    content = json.loads((folder.parent / "checksums.json").read_text())
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert content == {"x": {"bytes": 3, "sha256": digest}}
