"""Files and folders are written completely or not at all."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from unprompt import OutputError
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


def test_a_new_file_has_the_permissions_that_the_umask_allows(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_text(tmp_path / "x", "é")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o640
    assert (tmp_path / "x").read_bytes() == "é".encode()


def test_a_path_below_a_file_cannot_be_written(tmp_path: Path) -> None:
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


def test_a_nan_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"a": [1, None]})
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": [1, None]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "y.json", float("nan"))
    assert _everything(tmp_path) == ["x.json"]


def test_a_folder_appears_when_its_block_ends(tmp_path: Path) -> None:
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


def test_of_two_shared_folders_the_first_is_kept(tmp_path: Path) -> None:
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
