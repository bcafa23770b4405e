"""Files appear whole or not at all; cached folders are made once."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from unprompt import OutputError
from unprompt._files.cache import Cache, copy_folder
from unprompt._files.hashing import content_hash, file_hash, folder_hash
from unprompt._files.writing import replacing, replacing_folder, write_json, write_text


def _everything(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_file_appears_when_its_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "deep/er/x.txt"
    with replacing(path) as part:
        part.write_text("new")
        assert not path.exists()
        assert part.parent == path.parent
    assert path.read_text() == "new"
    assert _everything(tmp_path) == ["deep", "deep/er", "deep/er/x.txt"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as part:
        part.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert _everything(tmp_path) == ["x.txt"]


def test_a_new_file_has_the_rights_that_the_umask_allows(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_text(tmp_path / "x", "é")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o640
    assert (tmp_path / "x").read_bytes() == "é".encode()


def test_a_path_below_a_file_cannot_be_written_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file/x", tmp_path / "file/deep/x"):
        with pytest.raises(OutputError) as caught:
            write_text(path, "")
        (line,) = caught.value.problems
        assert line.startswith(f"{path}: cannot be written: ")
        with pytest.raises(OutputError, match="cannot be written"), replacing_folder(path):
            raise AssertionError("never reached")
    assert _everything(tmp_path) == ["file"]


def test_a_folder_is_not_overwritten_by_a_file(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder, not a file"):
        write_text(tmp_path, "")


def test_a_nan_is_no_json_and_leaves_no_file(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"a": [1, None]})
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": [1, None]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "y.json", float("nan"))
    assert _everything(tmp_path) == ["x.json"]


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "runs/x"
    with replacing_folder(path) as part:
        (part / "a").write_text("1")
        assert not path.exists()
    assert _everything(tmp_path) == ["runs", "runs/x", "runs/x/a"]


def test_an_error_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), replacing_folder(tmp_path / "x") as part:
        (part / "a").write_text("1")
        raise ZeroDivisionError
    assert _everything(tmp_path) == []


def test_of_two_shared_folders_the_first_stays(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with replacing_folder(path, shared=True) as late:
        (late / "late").write_text("")
        with replacing_folder(path, shared=True) as early:
            (early / "early").write_text("")
    assert _everything(tmp_path) == ["x", "x/early"]


def test_a_folder_that_is_not_shared_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x/old").write_text("")
    with pytest.raises(OutputError, match="cannot be written"), replacing_folder(tmp_path / "x"):
        pass
    assert _everything(tmp_path) == ["x", "x/old"]


def test_a_folder_does_not_replace_a_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("old")
    with (
        pytest.raises(OutputError, match="cannot be written"),
        replacing_folder(tmp_path / "x", shared=True),
    ):
        pass
    assert _everything(tmp_path) == ["x"]


def test_what_a_dead_process_left_is_removed_and_what_lives_is_not(tmp_path: Path) -> None:
    dead = tmp_path / ".y.abc.part"
    dead.mkdir()
    os.utime(dead, (0, 0))
    with replacing_folder(tmp_path / "x") as alive:
        assert not dead.exists()
        os.utime(alive, (0, 0))
        with replacing_folder(tmp_path / "z"):
            assert alive.is_dir()
    assert _everything(tmp_path) == ["x", "z"]


def test_a_content_hash_knows_no_order_of_keys_but_of_items() -> None:
    assert content_hash({"a": 1, "b": [1, 2]}) == content_hash({"b": [1, 2], "a": 1})
    assert content_hash([1, 2]) != content_hash([2, 1])
    assert content_hash(1) != content_hash("1")


def test_a_folder_hash_sees_names_and_bytes(tmp_path: Path) -> None:
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


def test_a_make_that_fails_keeps_nothing_and_may_try_again(tmp_path: Path) -> None:
    cache = Cache(tmp_path)

    def fail(folder: Path) -> None:
        (folder / "half").write_text("")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cache.folder("texts", 1, fail)
    assert _everything(tmp_path) == ["texts"]
    assert _everything(cache.folder("texts", 1, lambda folder: None)) == []


def test_a_cache_that_cannot_be_written_says_where(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file/cache/texts/.*cannot be written"):
        Cache(tmp_path / "file/cache").folder("texts", 1, lambda folder: None)


def test_the_cache_lies_where_the_environment_says(
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


def test_a_copied_folder_holds_the_same(tmp_path: Path) -> None:
    (tmp_path / "a/sub").mkdir(parents=True)
    (tmp_path / "a/sub/x").write_text("1")
    copy_folder(tmp_path / "a", tmp_path / "b")
    assert folder_hash(tmp_path / "a") == folder_hash(tmp_path / "b")
