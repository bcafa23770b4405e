"""Only temporary folders of our own are removed, and only when their process is gone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.full_disk import no_file_above

from unprompt import OutputError
from unprompt._files.reserving import reserved_folder
from unprompt._files.workplace import MARK
from unprompt._files.writing import replacing, replacing_folder

HOLDER = """
import sys, time
from pathlib import Path
from unprompt._files.reserving import reserved_folder
with reserved_folder(Path(sys.argv[1])) as reservation:
    (reservation.folder / "half.txt").write_text("half")
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


@pytest.mark.parametrize("content", ["a new folder", "an empty folder", "a file"])
def test_a_disk_without_room_for_the_mark_is_left_as_it_was(content: str, tmp_path: Path) -> None:
    target = tmp_path / "new"
    if content == "an empty folder":
        target.mkdir()
    before = [*tmp_path.rglob("*")]
    with pytest.raises(OutputError, match="new: cannot be written"), no_file_above(0):
        if content == "a file":
            with replacing(target):
                raise AssertionError("never reached")
        with reserved_folder(target):
            raise AssertionError("never reached")
    assert [*tmp_path.rglob("*")] == before


def test_the_folder_of_a_dead_process_is_removed_and_of_a_living_one_is_not(
    holder: subprocess.Popen[str], tmp_path: Path
) -> None:
    folder = tmp_path / "results"
    (part,) = leftovers(folder)
    with replacing_folder(folder / "second") as own:
        (own / "whole.txt").write_text("whole")
    with replacing(folder / "file.txt") as own:
        own.write_text("whole")
    assert leftovers(folder) == [part]  # its process holds it
    taken = pytest.raises(OutputError, match="another process is writing it now")
    with taken, reserved_folder(folder / "first"):
        raise AssertionError("never reached")
    assert leftovers(folder) == [part]
    holder.kill()
    holder.wait()
    assert not (folder / "first").exists()
    with replacing_folder(folder / "third"):
        pass
    assert sorted(path.name for path in folder.iterdir()) == ["file.txt", "second", "third"]


def test_a_killed_run_gives_its_name_back(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    holder.kill()
    holder.wait()
    with reserved_folder(tmp_path / "results" / "first") as reservation:
        (reservation.folder / "whole.txt").write_text("whole")
        reservation.finish()
    assert [path.name for path in (tmp_path / "results").rglob("*")] == ["first", "whole.txt"]


@pytest.mark.parametrize(
    "name", [".holiday.part", ".unprompt-0123456789abcdef.part", ".x.abcd1234.part"]
)
@pytest.mark.parametrize("mark", [None, "", "made by hand\n"])
def test_folders_without_our_mark_are_never_touched(
    name: str, mark: str | None, tmp_path: Path
) -> None:
    theirs = tmp_path / name
    theirs.mkdir()
    (theirs / "notes.txt").write_text("precious")
    if mark is not None:
        (theirs / MARK).write_text(mark)
    (tmp_path / ".letter.part").write_text("precious")
    before = sorted(tmp_path.rglob("*"))
    with replacing(tmp_path / "file") as part:
        part.write_text("")
    with replacing_folder(tmp_path / "folder"):
        pass
    with reserved_folder(tmp_path / "run") as reservation:
        reservation.finish()
    assert (theirs / "notes.txt").read_text() == "precious"
    assert set(before) <= set(tmp_path.rglob("*"))


def test_a_link_with_our_name_is_not_followed(tmp_path: Path) -> None:
    with replacing_folder(tmp_path / "made") as part:
        marked = (part.parent / MARK).read_bytes()
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / MARK).write_bytes(marked)  # as a copy of a leftover would have it
    (tmp_path / ".unprompt-0123456789abcdef.part").symlink_to(theirs)
    with replacing_folder(tmp_path / "other"):
        pass
    assert (theirs / MARK).read_bytes() == marked


def test_a_failed_block_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(KeyError), reserved_folder(tmp_path / "new" / "deep" / "run") as reservation:
        (reservation.folder / "half.txt").write_text("half")
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_a_failed_block_keeps_folders_that_existed(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(KeyError), reserved_folder(tmp_path / "empty" / "run"):
        raise KeyError
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_links_in_a_shared_folder_keep_the_permissions_of_what_they_lead_to(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.txt"
    theirs.write_text("")
    theirs.chmod(0o640)
    with replacing_folder(tmp_path / "made") as part:
        (part / "link").symlink_to(theirs)
        (part / "file").write_text("")
    assert theirs.stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "made" / "file").stat().st_mode & 0o222 == 0
