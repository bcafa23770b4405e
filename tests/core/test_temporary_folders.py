"""Temporary folders of processes that died are removed; those of living ones are not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from unprompt._files import writing as files

HOLDER = """
import sys, time
from pathlib import Path
from unprompt._files.writing import replacing_folder
with replacing_folder(Path(sys.argv[1])) as part:
    (part / "half.txt").write_text("half")
    print("ready", flush=True)
    time.sleep(600)
"""


def leftovers(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.part"))


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that is writing the folder ``results/first``."""
    target = tmp_path / "results" / "first"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(target)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_the_folder_of_a_dead_process_is_removed_and_of_a_living_one_is_not(
    holder: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "results"
    (part,) = leftovers(folder)
    monkeypatch.setattr(files, "SETTLED", 0.0)
    with files.replacing_folder(folder / "second") as own:
        (own / "whole.txt").write_text("whole")
    assert leftovers(folder) == [part]  # its process holds it
    holder.kill()
    holder.wait()
    assert not (folder / "first").exists()
    monkeypatch.setattr(files, "SETTLED", 3600.0)
    with files.replacing_folder(folder / "third"):
        pass
    assert leftovers(folder) == [part]  # it may be about to be held
    monkeypatch.setattr(files, "SETTLED", 0.0)
    with files.replacing_folder(folder / "fourth"):
        pass
    assert sorted(path.name for path in folder.iterdir()) == ["fourth", "second", "third"]


def test_a_failed_block_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(KeyError), files.replacing_folder(tmp_path / "new" / "deep" / "run") as part:
        (part / "half.txt").write_text("half")
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_a_failed_block_keeps_folders_that_existed(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(KeyError), files.replacing_folder(tmp_path / "empty" / "run"):
        raise KeyError
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]
