"""The name of a folder is reserved at the start, exactly as it is used at the end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from unprompt import OutputError
from unprompt._files.reserving import Reservation, reserved_folder

KILLED = """
import os, signal, sys
from pathlib import Path
from unprompt._files import reserving
class Last(Path(".").__class__):
    def rename(self, target):
        if self.name == "last":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().rename(target)
with reserving.reserved_folder(Path(sys.argv[1]), last=["last"]) as reservation:
    for name in ("last", "a", "b"):
        (reservation.folder / name).write_text(name)
    if sys.argv[2] == "early":
        os.kill(os.getpid(), signal.SIGKILL)
    reserving.Path.__truediv__ = lambda self, key: Last(os.path.join(self, key))
    reservation.finish()
"""


def below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def fill(reservation: Reservation) -> None:
    (reservation.folder / "a").write_text("1")
    (reservation.folder / "deep").mkdir()
    (reservation.folder / "deep" / "b").write_text("2")


FILLED = ["a", "deep", "deep/b"]


def test_a_new_folder_appears_complete(tmp_path: Path) -> None:
    target = tmp_path / "new" / "run"
    with reserved_folder(target) as reservation:
        fill(reservation)
        assert not target.exists()
        reservation.finish()
        assert below(target) == FILLED
    assert below(tmp_path) == ["new", "new/run", *(f"new/run/{name}" for name in FILLED)]


def test_without_finish_nothing_is_left(tmp_path: Path) -> None:
    with reserved_folder(tmp_path / "new" / "run") as reservation:
        fill(reservation)
    assert below(tmp_path) == ["new"]


@pytest.mark.parametrize("linked", [False, True])
def test_an_empty_folder_is_filled_from_inside(linked: bool, tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    real.chmod(0o751)
    before = real.stat()
    target = real
    if linked:
        target = tmp_path / "link"
        target.symlink_to("real")
    with reserved_folder(target) as reservation:
        assert reservation.folder.is_relative_to(real)  # the file system of a mount point
        fill(reservation)
        assert all(name.startswith(".") for name in os.listdir(real))
        reservation.finish()
    assert below(real) == FILLED
    assert target.is_symlink() == linked
    assert (real.stat().st_ino, real.stat().st_mode) == (before.st_ino, before.st_mode)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_a_mount_point_is_filled(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", volume], check=False).returncode:
        pytest.skip("this container may not mount")
    try:
        with reserved_folder(volume) as reservation:
            fill(reservation)
            reservation.finish()
        assert below(volume) == FILLED
    finally:
        subprocess.run(["umount", volume], check=True)


def test_a_dangling_link_leads_to_the_new_folder(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("real")
    with reserved_folder(tmp_path / "link") as reservation:
        fill(reservation)
        reservation.finish()
    assert (tmp_path / "link").is_symlink()
    assert below(tmp_path / "real") == FILLED


@pytest.mark.parametrize("exists", [False, True])
def test_of_two_at_once_the_second_is_refused_at_its_start(exists: bool, tmp_path: Path) -> None:
    if exists:
        (tmp_path / "run").mkdir()
    with reserved_folder(tmp_path / "run") as first:
        fill(first)
        with pytest.raises(OutputError) as caught, reserved_folder(tmp_path / "run"):
            raise AssertionError("never reached")
        assert caught.value.problems == (
            f"{tmp_path}/run: another process is writing it now; choose another folder",
        )
        first.finish()
    assert below(tmp_path / "run") == FILLED


def test_numbered_names_are_different_at_once_and_later(tmp_path: Path) -> None:
    with (
        reserved_folder(tmp_path / "run", numbered=True) as first,
        reserved_folder(tmp_path / "run", numbered=True) as second,
    ):
        second.finish()
        first.finish()
    with reserved_folder(tmp_path / "run", numbered=True) as third:
        third.finish()
    names = [path.target.name for path in (first, second, third)]
    assert names == ["run", "run-2", "run-3"]
    assert below(tmp_path) == names


@pytest.mark.parametrize("make", ["file", "full", "fifo"])
def test_what_exists_is_refused_and_kept(make: str, tmp_path: Path) -> None:
    target = tmp_path / "run"
    if make == "file":
        target.write_text("old")
    elif make == "fifo":
        os.mkfifo(target)
    else:
        target.mkdir()
        (target / "old").write_text("old")
    before = below(tmp_path)
    with pytest.raises(OutputError, match="run: exists already"), reserved_folder(target):
        raise AssertionError("never reached")
    assert below(tmp_path) == before


def test_the_longest_name_fits_and_a_longer_one_is_refused_at_once(tmp_path: Path) -> None:
    with reserved_folder(tmp_path / ("x" * 255)) as reservation:
        reservation.finish()
    with (
        pytest.raises(OutputError, match="file name too long"),
        reserved_folder(tmp_path / "new" / ("x" * 256)),
    ):
        raise AssertionError("never reached")
    assert below(tmp_path) == ["x" * 255]


@pytest.mark.parametrize("exists", [False, True])
def test_a_finished_result_is_kept_where_its_name_is_gone(exists: bool, tmp_path: Path) -> None:
    target = tmp_path / "run"
    if exists:
        target.mkdir()
    with pytest.raises(OutputError) as caught, reserved_folder(target) as reservation:
        fill(reservation)
        target.mkdir(exist_ok=True)
        (target / "a").write_text("a user's")
        reservation.finish()
    (line,) = caught.value.problems
    assert line.startswith(f"{target}: cannot be written: ")
    kept = Path(line.rpartition(" the result is kept in ")[2])
    for _ in range(2):  # the next one does not take it for a leftover
        assert below(kept) == FILLED
        assert (target / "a").read_text() == "a user's"
        with reserved_folder(tmp_path / "other", numbered=True) as other:
            other.finish()


@pytest.mark.parametrize("numbered", [False, True])
@pytest.mark.parametrize("below_it", ["run", "deep/run"])
def test_below_a_file(numbered: bool, below_it: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    target = tmp_path / "file" / below_it
    with (
        pytest.raises(OutputError) as caught,
        reserved_folder(target, numbered=numbered),
    ):
        raise AssertionError("never reached")
    assert caught.value.problems == (f"{target}: cannot be written: not a directory",)


def test_a_result_is_where_its_name_says(tmp_path: Path) -> None:
    with reserved_folder(tmp_path / "missing" / ".." / "run") as reservation:
        fill(reservation)
        reservation.finish()
    assert reservation.target == tmp_path / "run"
    assert below(reservation.target) == FILLED


@pytest.mark.parametrize("when", ["early", "late"])
def test_a_killed_process_leaves_nothing_that_looks_finished(when: str, tmp_path: Path) -> None:
    target = tmp_path / "run"
    target.mkdir()
    done = subprocess.run([sys.executable, "-c", KILLED, target, when], check=False)
    assert done.returncode == -9
    visible = sorted(name for name in os.listdir(target) if not name.startswith("."))
    assert visible == ([] if when == "early" else ["a", "b"])
    if when == "early":  # the folder counts as empty
        with reserved_folder(target) as reservation:
            fill(reservation)
            reservation.finish()
        assert below(target) == FILLED
