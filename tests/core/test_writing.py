"""Files and folders are written completely or not at all."""

from __future__ import annotations

import json
import os
import socket
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from unprompt import OutputError
from unprompt._files import streams
from unprompt._files.writing import (
    check_writable,
    replacing,
    replacing_folder,
    write_bytes,
    write_json,
    write_text,
)


def _everything(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_file_appears_when_its_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "deep/er/x.txt"
    with replacing(path) as part:
        part.write_text("new")
        assert not path.exists()
        assert part.stat().st_dev == path.parent.stat().st_dev
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
    with replacing_folder(path) as late:
        (late / "late").write_text("")
        with replacing_folder(path) as early:
            (early / "early").write_text("")
    assert _everything(tmp_path) == ["x", "x/early"]


def test_a_folder_does_not_replace_a_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("old")
    with (
        pytest.raises(OutputError, match="cannot be written"),
        replacing_folder(tmp_path / "x"),
    ):
        pass
    assert _everything(tmp_path) == ["x"]


def test_an_existing_file_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    path.chmod(0o604)
    write_text(path, "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_is_followed_and_stays(exists: bool, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "target"
    if exists:
        target.parent.mkdir()
        target.write_text("old")
    link = tmp_path / "link"
    link.symlink_to("deep/target")
    check_writable(link)
    write_text(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert _everything(tmp_path) == ["deep", "deep/target", "link"]


def test_a_link_in_a_circle_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    for write in (check_writable, lambda path: write_text(path, "")):
        with pytest.raises(OutputError, match=r"^cannot be written: .*/a: too many levels"):
            write(tmp_path / "a")


def test_a_name_as_long_as_can_be_is_written_and_a_longer_one_refused_at_once(
    tmp_path: Path,
) -> None:
    write_text(tmp_path / ("x" * 255), "new")
    assert (tmp_path / ("x" * 255)).read_text() == "new"
    for write in (check_writable, lambda path: write_text(path, "")):
        with pytest.raises(OutputError, match="file name too long"):
            write(tmp_path / ("x" * 256))


def test_a_fifo_gets_the_bytes_and_stays(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    check_writable(fifo)  # waits for nobody
    with ThreadPoolExecutor() as pool:
        read = pool.submit(fifo.read_bytes)
        write_bytes(fifo, b"new" * 100_000)
        assert read.result() == b"new" * 100_000
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert _everything(tmp_path) == ["fifo"]


def test_a_fifo_that_nobody_reads_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(streams, "PATIENCE", 0.1)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OutputError, match="nobody has read it"):
        write_bytes(tmp_path / "fifo", b"new")
    assert [line.endswith("for a reader") for line in caplog.messages] == [True]
    assert _everything(tmp_path) == ["fifo"]


def test_a_socket_gets_the_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        server.listen()
        write_bytes(tmp_path / "socket", b"new")
        with server.accept()[0] as connection, connection.makefile("rb") as file:
            assert file.read() == b"new"
    assert stat.S_ISSOCK((tmp_path / "socket").stat().st_mode)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices")
def test_devices_are_written_into(tmp_path: Path) -> None:
    for name, kind, minor in (("null", stat.S_IFCHR, 3), ("full", stat.S_IFCHR, 7)):
        os.mknod(tmp_path / name, kind | 0o666, os.makedev(1, minor))
    write_bytes(tmp_path / "null", b"new")
    with pytest.raises(OutputError, match="full: cannot be written: no space left on device"):
        write_bytes(tmp_path / "full", b"new")
    assert all(stat.S_ISCHR(path.stat().st_mode) for path in tmp_path.iterdir())
    os.mknod(tmp_path / "disk", stat.S_IFBLK | 0o666, os.makedev(7, 250))
    with pytest.raises(OutputError, match="is a whole disk"):
        check_writable(tmp_path / "disk")


def test_a_finished_file_is_kept_where_its_name_is_taken_in_the_last_moment(
    tmp_path: Path,
) -> None:
    path = tmp_path / "x"
    with pytest.raises(OutputError) as caught, replacing(path) as part:
        part.write_text("new")
        path.mkdir()
    (line,) = caught.value.problems
    kept = Path(line.rpartition(" the result is kept in ")[2])
    assert kept.read_text() == "new"
    write_text(tmp_path / "y", "")  # nor is it taken for a leftover later
    assert kept.read_text() == "new"
