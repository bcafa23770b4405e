"""Bombs, circles and huge claims: a problem in one line, no wrong text, little read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from unprompt import DataError
from unprompt_metadata.files import file_texts, read_texts

from .counting import Counting
from .hostile import FILES, MB, PICKED, write_all
from .writing import write_jpeg_exif, write_png

WITH_TEXTS = {
    "png-many-bombs",  # five of 3 MB are read before the file's limit
    "jpeg-exif-in-endless-segments",
    "jpeg-xmp-in-endless-segments",
    "webp-one-value-many-times",
    "gif-many-comments",
}
"""Files whose texts are only many or long."""

QUIET = {
    "png-stealth-of-all-pixels",
    "png-stealth-of-all-colours",
    "webp-chain-of-directories",  # two are read
    "webp-lossless-of-268-million-pixels",  # not decoded, and nothing says that it has a text
    "avif-many-metas",
}
"""Files of which nothing that is read is damaged or too large."""

LARGE = {
    "png-text-of-100-MB",
    "png-itxt-bomb",
    "png-many-bombs",
    "png-many-damaged-bombs",
    "png-many-wrong-checksums",
    "png-pixel-bomb",
    "png-stealth-of-all-pixels",
    "png-stealth-of-all-colours",
    "gif-endless-sub-blocks",
}
"""Files whose writing takes longer than their reading: the slow test has them."""


@pytest.mark.parametrize("name", sorted({*FILES, *PICKED} - LARGE))
def test_a_hostile_file_is_a_problem_in_one_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / "file"
    if name in PICKED:
        path = PICKED[name](tmp_path / name)
    else:
        path.write_bytes(FILES[name]())
    with Counting(path) as stream:
        texts = file_texts(stream)
        assert stream.bytes < 40 * MB
    assert bool(texts.problems) == (name not in QUIET)
    assert all(line.isprintable() and len(line) < 300 for line in texts.problems)
    assert len(texts.problems) <= 21
    assert bool(texts.fields) == (name in WITH_TEXTS)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux resets peaks")
def test_hostile_files_take_little_memory_and_time(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "metadata.hostile"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"},  # what is freed is given back
    ) as child:
        assert child.stdin and child.stdout
        for path in write_all(tmp_path):
            child.stdin.write(f"{path}\n")
            child.stdin.flush()
            report = json.loads(child.stdout.readline())
            print(path.name, report)  # noqa: T201  # pytest shows it where the test fails
            assert report["more_bytes"] < 200 * MB, (path.name, report)
            assert report["seconds"] < 5, (path.name, report)  # of CPU; a busy machine has more
            assert bool(report["letters"]) == (path.name in WITH_TEXTS), (path.name, report)
        child.stdin.close()


def test_what_is_no_regular_file_is_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(tmp_path / "fifo")
    (tmp_path / "nothing").symlink_to(tmp_path / "missing")
    for name, why in {
        "fifo": "no regular file",
        "link": "no regular file",
        ".": "no regular file",
        "nothing": "no such file or directory",
        "missing": "no such file or directory",
        "a\0b": "no file can have this name",
        "a" * 5000: "file name too long",
        "\udc00\ud800": "no file can have this name",
    }.items():
        with pytest.raises(DataError) as caught:
            read_texts(tmp_path / name)
        (line,) = caught.value.problems
        assert why in line
        assert line.isprintable() and len(line) < 300


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read any file")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = write_png(tmp_path / "a.png", {"prompt": "{}"})
    path.chmod(0)
    with pytest.raises(DataError, match="permission denied"):
        read_texts(path)


def test_a_text_of_four_megabytes_is_read_and_one_letter_more_is_not(tmp_path: Path) -> None:
    head = len(b"prompt\0")
    limit = 4 * MB - head
    texts = read_texts(write_png(tmp_path / "a.png", {"prompt": "a" * limit}))
    assert ([len(field.text) for field in texts.fields], texts.problems) == ([limit], ())
    texts = read_texts(write_png(tmp_path / "a.png", {"prompt": "a" * (limit + 1), "b": "c"}))
    assert [field.name for field in texts.fields] == ["png:b"]
    assert texts.problems == (
        "chunk tEXt at byte 33 is not read: it has more than 4,194,304 bytes",
    )
    texts = read_texts(write_png(tmp_path / "a.png", {"p": "a" * 4 * MB, "b": "c"}, kind="zTXt"))
    assert ([len(field.text) for field in texts.fields], texts.problems) == ([4 * MB, 1], ())
    texts = read_texts(write_png(tmp_path / "a.png", {"p": "a" * (4 * MB + 1)}, kind="zTXt"))
    (problem,) = texts.problems
    assert "inflates to more than 4,194,304 bytes" in problem and texts.fields == ()


def test_problems_are_counted_and_printable(tmp_path: Path) -> None:
    path = write_png(tmp_path / "a.png", {f"k\n{i}": "x" for i in range(50)}, kind="zTXt")
    raw = path.read_bytes().replace(b"\0\0x\x9c", b"\0\1x\x9c")  # an unknown compression
    path.write_bytes(raw)
    texts = read_texts(path)
    assert len(texts.problems) == 21
    assert texts.problems[-1] == "more than could be listed"
    path = write_jpeg_exif(tmp_path / "a.jpg", "a cat")
    path.write_bytes(path.read_bytes()[:60])
    assert all(line.isprintable() for line in read_texts(path).problems)
