"""A full disk is one line, whichever library writes."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from unprompt import OutputError
from unprompt._files.refusals import no_room, refused, room_needed


def copy_folder(full: Path) -> None:
    source = full.parent / "source"
    source.mkdir()
    (source / "file").write_text("content")
    shutil.copytree(
        source, full.parent / "copy", copy_function=lambda a, _b: shutil.copyfile(a, full)
    )


WRITERS: dict[str, Callable[[Path], object]] = {
    "copied folder": copy_folder,
    "parquet": lambda full: pq.write_table(pa.table({"a": np.arange(100_000)}), full),
    "image": lambda full: Image.new("RGB", (400, 400)).save(full, "bmp"),
    "text": lambda full: full.write_text("x" * 100_000),
}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices")
@pytest.mark.parametrize("writer", WRITERS)
def test_writers_on_a_full_disk(writer: str, tmp_path: Path) -> None:
    full = tmp_path / "full"
    os.mknod(full, stat.S_IFCHR | 0o666, os.makedev(1, 7))
    with pytest.raises(OutputError) as caught, room_needed(tmp_path):
        WRITERS[writer](full)
    assert caught.value.problems == (f"{tmp_path}: cannot be written: no space left on device",)


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOENT, "no file"), ValueError("wrong"), KeyError()]
)
def test_other_errors_pass(error: Exception) -> None:
    assert no_room(error) is None
    assert refused(error) is None
    with pytest.raises(type(error)) as caught, room_needed(Path("x")):
        raise error
    assert caught.value is error


def test_a_file_that_may_not_be_read_is_named() -> None:
    assert refused(PermissionError(errno.EACCES, "Permission denied", "a/b")) == (
        "a/b: permission denied"
    )
