"""Cached folders are made once per key, and hashes name their content."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from unprompt import OutputError
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
    assert first.parent == tmp_path / "cache/texts"
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
    assert str(entry) == first.strip()
    assert sorted(path.name for path in entry.iterdir()) == list("abcdefgh")
    assert {path.stat().st_size for path in entry.iterdir()} == {1000}


def test_a_copied_folder_has_the_same_content(tmp_path: Path) -> None:
    (tmp_path / "a/sub").mkdir(parents=True)
    (tmp_path / "a/sub/x").write_text("1")
    copy_folder(tmp_path / "a", tmp_path / "b")
    assert folder_hash(tmp_path / "a") == folder_hash(tmp_path / "b")
