"""The dataset `webdataset`: tar files of images and prompts, opened at random."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import pickle
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from unprompt import Images
from unprompt._builtin.webdataset import WebDataset, WebDatasetOptions
from unprompt._data.prompts import prompt_id
from unprompt._data.shards import tar_samples as reading_of_tars
from unprompt._data.shards.lookup import Lookup
from unprompt.contracts import Record
from unprompt.errors import DataError

from .shard_files import Members, image_bytes, samples, write_tar


def dataset(*shards: Path | str, **options: object) -> WebDataset:
    given = {"shards": list(map(str, shards)), **options}
    return WebDataset(WebDatasetOptions.model_validate(given))


def pixels(content: bytes) -> bytes:
    return Image.open(io.BytesIO(content)).convert("RGB").tobytes()


def problems(*shards: Path | str, **options: object) -> tuple[str, ...]:
    with pytest.raises(DataError) as caught:
        dataset(*shards, **options).records()
    return caught.value.problems


# What it reads


def test_records_and_images(tmp_path: Path) -> None:
    for shard in range(3):
        write_tar(tmp_path / f"train-{shard:03}.tar", samples(4, 4 * shard))
    made = dataset(tmp_path / "train-{000..002}.tar")
    wanted = [
        Record(f"train-{i // 4:03}/{i:04}", prompt_id(f"prompt {i}"), f"prompt {i}")
        for i in range(12)
    ]
    assert made.records() == tuple(wanted)
    images = made.images()
    for i in (11, 0, 5, 7, 2):
        image = images.open(wanted[i].image_id)
        assert (image.mode, image.size) == ("RGB", (9, 7))
        assert image.tobytes() == pixels(image_bytes(i))
        assert images.digest(wanted[i].image_id) == hashlib.sha256(image_bytes(i)).hexdigest()
    assert images.blocks() == (4, 4, 4)
    assert images.select([wanted[i].image_id for i in (0, 3, 9, 1)]).blocks() == (2, 1, 1)


@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
@pytest.mark.parametrize("length", [1, 90, 150])
def test_every_format_of_tar(tmp_path: Path, format: int, length: int) -> None:
    stem = "d/" * (length // 2) + "é" * (length % 7 + 1)
    members = [(f"{stem}.webp", image_bytes(1, "webp")), (f"{stem}.txt", b"a cat")]
    write_tar(tmp_path / "s.tar", members, format)
    (record,) = dataset(tmp_path / "s.tar").records()
    assert (record.image_id, record.prompt) == (f"s/{stem}", "a cat")
    assert dataset(tmp_path / "s.tar").images().open(record.image_id).size == (9, 7)


def test_what_gnu_tar_writes(tmp_path: Path) -> None:
    import subprocess

    for name, content in samples(3):
        (tmp_path / name).write_bytes(content)
    subprocess.run(
        ["tar", "--sort=name", "-cf", "s.tar", *(name for name, _ in samples(3))],
        cwd=tmp_path,
        check=True,
    )
    made = dataset(tmp_path / "s.tar")
    assert [record.prompt for record in made.records()] == ["prompt 0", "prompt 1", "prompt 2"]
    assert made.images().open("s/0001").tobytes() == pixels(image_bytes(1))


@pytest.mark.parametrize(
    ("option", "wanted"),
    [(None, "of txt"), ("txt", "of txt"), ("caption", "of caption"), ("json.title", "of title")],
)
def test_where_the_prompt_is(tmp_path: Path, option: str | None, wanted: str) -> None:
    fields = json.dumps({"caption": "of json", "title": "of title"}).encode()
    texts = [("a.caption", b"of caption"), ("a.json", fields), ("a.txt", b"\xef\xbb\xbf of txt \n")]
    write_tar(tmp_path / "s.tar", [("a.JPG", image_bytes(0, "jpeg")), *texts])
    (record,) = dataset(tmp_path / "s.tar", prompt=option).records()
    assert record.prompt == wanted


def test_a_prompt_in_json_and_optional_keys(tmp_path: Path) -> None:
    fields = {
        "text": "a dog",
        "prompt_id": 7,
        "group": "g",
        "split": "VAL",
        "weight": 0.5,
        "subset": "unseen",
        "other": [1],
    }
    write_tar(
        tmp_path / "s.tar", [("a.png", image_bytes(0)), ("a.json", json.dumps(fields).encode())]
    )
    assert dataset(tmp_path / "s.tar").records() == (
        Record("s/a", "7", "a dog", "g", "holdout", 0.5, "unseen"),
    )


def test_members_of_a_key_may_lie_apart(tmp_path: Path) -> None:
    members = samples(3)
    write_tar(tmp_path / "s.tar", [*members[::2], ("notes.md", b"x"), *members[1::2]])
    assert [r.prompt for r in dataset(tmp_path / "s.tar").records()] == [
        "prompt 0",
        "prompt 1",
        "prompt 2",
    ]


def test_other_members_of_a_key_are_not_its_image(tmp_path: Path) -> None:
    more = [("0000.seg.png", b"mask"), ("0000.cls", b"3"), (".png", b"hidden")]
    write_tar(tmp_path / "s.tar", [*samples(1), *more])
    assert len(dataset(tmp_path / "s.tar").records()) == 1


def test_globs_and_lists(tmp_path: Path) -> None:
    for name in ("a/x", "a/y", "b/z"):
        write_tar(tmp_path / f"{name}.tar", samples(1))
    ids = [r.image_id for r in dataset(tmp_path / "b/*.tar", tmp_path / "a/?.tar").records()]
    assert ids == ["z/0000", "x/0000", "y/0000"]
    assert len(dataset(tmp_path / "a/{x,y}.tar", tmp_path / "a/x.tar").records()) == 2
    single = WebDatasetOptions.model_validate({"shards": str(tmp_path / "a/x.tar")})
    assert len(WebDataset(single).records()) == 1


# Anywhere, from anywhere


def test_images_open_in_other_processes_and_threads(tmp_path: Path) -> None:
    write_tar(tmp_path / "s.tar", samples(20))
    images = dataset(tmp_path / "s.tar").images()
    again = Images(images.ids, pickle.loads(pickle.dumps(images.source)))  # our own
    ids = list(images.ids) * 5
    with ThreadPoolExecutor(8) as threads:
        opened = list(threads.map(lambda name: again.open(name).tobytes(), ids))
    assert opened == [pixels(image_bytes(i)) for i in range(20)] * 5
    with pytest.raises(DataError, match="holds no digests"):
        again.digest("s/0000")


def test_more_shards_than_stay_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from unprompt._data.shards import stored

    monkeypatch.setattr(stored, "_OPEN_FILES", 2)
    for shard in range(6):
        write_tar(tmp_path / f"{shard}.tar", samples(2, 2 * shard))
    images = dataset(tmp_path / "?.tar").images()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(2):
        for i in range(12):
            assert images.open(f"{i // 2}/{i:04}").tobytes() == pixels(image_bytes(i))
    assert len(os.listdir("/proc/self/fd")) <= before + 2


def test_a_shard_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_tar(tmp_path / "s.tar", samples(3))
    first = dataset(path).records()
    with monkeypatch.context() as patch:
        patch.setattr(reading_of_tars, "tar_members", lambda _: pytest.fail("read again"))
        assert dataset(path).records() == first
    write_tar(path, samples(4))
    assert len(dataset(path).records()) == 4, "a changed one is"


def test_a_copy_of_an_image_has_its_digest(tmp_path: Path) -> None:
    """So that both are in the same split, wherever they lie."""
    same = image_bytes(5)
    write_tar(tmp_path / "a.tar", [("x.png", same), ("x.txt", b"one")])
    write_tar(tmp_path / "b.tar", [("y.png", same), ("y.txt", b"two")])
    images = dataset(tmp_path / "{a,b}.tar").images()
    assert images.digest("a/x") == images.digest("b/y")


@settings(max_examples=30)
@given(ids=st.sets(st.text(max_size=6), min_size=1, max_size=40), other=st.text(max_size=6))
def test_ids_are_looked_up(ids: set[str], other: str) -> None:
    names = sorted(ids)
    lookup = Lookup.of(names)
    assert [lookup.row(name) for name in names] == list(range(len(names)))
    assert other in ids or lookup.row(other) is None


def test_ids_with_the_same_hash_stay_distinct(monkeypatch: pytest.MonkeyPatch) -> None:
    from unprompt._data.shards import lookup as module

    honest = module._hashes

    def colliding(ids: list[str], salt: int) -> list[int]:
        return [value if salt else value % 2 for value in honest(ids, salt)]

    monkeypatch.setattr(module, "_hashes", colliding)
    made = Lookup.of(["a", "b", "c"])
    assert made.salt > 0
    assert [made.row(name) for name in "abc"] == [0, 1, 2]
    monkeypatch.undo()
    with pytest.raises(ValueError, match="repeated"):
        Lookup.of(["a", "a"])


# Broken samples

BAD: dict[str, tuple[Members, str]] = {
    "no prompt": ([("x.png", image_bytes(1))], "no prompt"),
    "empty prompt": ([("x.png", image_bytes(1)), ("x.txt", b" \n")], "no prompt"),
    "no image": ([("x.txt", b"a cat")], "no image"),
    "empty image": ([("x.png", b""), ("x.txt", b"a cat")], "the image is empty"),
    "not UTF-8": ([("x.png", image_bytes(1)), ("x.txt", b"caf\xe9")], "the prompt is not UTF-8"),
    "too long": ([("x.png", image_bytes(1)), ("x.txt", b"a" * 100_001)], "100,001 letters"),
    "far too long": ([("x.png", image_bytes(1)), ("x.txt", b"a" * 500_000)], "more than 100,000"),
    "bad JSON": ([("x.png", image_bytes(1)), ("x.json", b"{")], "the .json is damaged"),
    "deep JSON": ([("x.png", image_bytes(1)), ("x.json", b"[" * 99_999)], "the .json is damaged"),
    "true": ([("x.png", image_bytes(1)), ("x.json", b'{"prompt": true}')], "holds true, not text"),
    "twice": ([("x.png", image_bytes(1)), *[("x.txt", b"a")] * 2], "its key is there twice"),
    "two images": (
        [("x.png", image_bytes(1)), ("x.jpg", image_bytes(2, "jpeg")), ("x.txt", b"a")],
        "its key is there twice",
    ),
    "leads out": ([("../x.png", image_bytes(1))], "the name leads out of the archive"),
    "absolute": ([("/etc/x.png", image_bytes(1))], "the name leads out of the archive"),
    "control": ([("a\nb.png", image_bytes(1))], "the name holds control characters"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_broken_sample_is_counted_and_named(
    tmp_path: Path, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    members, says = BAD[case]
    path = write_tar(tmp_path / "s.tar", [*members, *samples(3)])
    with caplog.at_level(logging.WARNING):
        assert len(dataset(path, broken=0.25).records()) == 3
    (line,) = caplog.messages
    assert line.startswith(f"{path}: left out, ")
    assert says in line
    assert line.count("\n") == 0
    head, named = problems(path, broken=0.2)
    assert head == (
        f"{path}: 1 of 4 samples cannot be used, more than the share of 0.2 (option `broken`)"
    )
    assert named == line


def test_names_that_are_not_utf8(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_tar(tmp_path / "s.tar", [("caf\udce9.png", image_bytes(1)), *samples(1)])
    assert len(dataset(path, broken=0.5).records()) == 1
    assert "the name is not UTF-8: 1: 'caf\\\\xe9.png'" in caplog.text


def test_links_and_devices_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "s.tar"
    write_tar(path, samples(2))
    with tarfile.open(path, "a") as archive:
        for kind, name in (
            (tarfile.SYMTYPE, "l.png"),
            (tarfile.LNKTYPE, "h.png"),
            (tarfile.CHRTYPE, "c.png"),
            (tarfile.FIFOTYPE, "f.png"),
            (tarfile.DIRTYPE, "d.png"),
        ):
            header = tarfile.TarInfo(name)
            header.type, header.linkname = kind, "/etc/passwd"
            archive.addfile(header)
    assert len(dataset(path, broken=0.9).records()) == 2
    assert "a link, a device or a sparse file: 4" in caplog.text


def test_a_corrupt_image_is_an_error_when_it_is_opened(tmp_path: Path) -> None:
    cut = image_bytes(0, size=(90, 90))[:2000]
    path = write_tar(tmp_path / "s.tar", [("x.png", cut), ("x.txt", b"a cat"), *samples(2)])
    images = dataset(path).images()
    with pytest.raises(DataError, match=r"s\.tar: s/x: cannot be read as an image: "):
        images.open("s/x")
    assert images.open("s/0001").size == (9, 7)


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    import struct
    import zlib

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + head
    bomb = (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    )
    path = write_tar(tmp_path / "s.tar", [("x.png", bomb), ("x.txt", b"a cat")])
    with pytest.raises(DataError, match="s/x: cannot be read as an image"):
        dataset(path).images().open("s/x")


def test_images_are_upright_and_of_any_mode(tmp_path: Path) -> None:
    turned, grey = io.BytesIO(), io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (9, 4)).save(turned, "jpeg", exif=exif)
    Image.fromarray(np.full((5, 5), 65535, np.uint16)).save(grey, "png")
    members = [
        ("t.jpg", turned.getvalue()),
        ("t.txt", b"a"),
        ("g.png", grey.getvalue()),
        ("g.txt", b"b"),
    ]
    images = dataset(write_tar(tmp_path / "s.tar", members)).images()
    assert images.open("s/t").size == (4, 9)
    assert images.open("s/g").getpixel((0, 0)) == (255, 255, 255)


# Broken files


@pytest.mark.parametrize("cut", [100, 512, 5_000, 9_000])
def test_what_is_whole_in_a_cut_file_is_kept(
    tmp_path: Path, cut: int, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_tar(tmp_path / "s.tar", samples(10))
    content = path.read_bytes().rstrip(b"\0")
    path.write_bytes(content[:-cut])
    with tarfile.open(path) as archive:  # another reader, up to where it gives up
        names = []
        try:
            while (member := archive.next()) is not None:
                names.append((member.name, member.offset_data + member.size))
        except tarfile.TarError:
            pass
    size = path.stat().st_size
    whole = {name for name, end in names if end <= size}
    wanted = [i for i in range(10) if {f"{i:04}.png", f"{i:04}.txt"} <= whole]
    records = dataset(path, broken=0.9).records()
    assert [record.image_id for record in records] == [f"s/{i:04}" for i in wanted]
    assert "left out, the file is cut inside of " in caplog.text


@pytest.mark.parametrize("marked", [False, True])
def test_a_file_that_is_cut_between_members_is_said_to_lack_its_end(
    tmp_path: Path, marked: bool, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_tar(tmp_path / "s.tar", samples(10), tarfile.USTAR_FORMAT)
    with tarfile.open(path) as archive:
        offset = archive.getmember("0005.png").offset
    path.write_bytes(path.read_bytes()[:offset] + bytes(1_024) * marked)
    for _ in range(2):  # the second time from the index in the cache
        caplog.clear()
        records = dataset(path, broken=0).records()  # nothing is known to be left out
        assert [record.image_id for record in records] == [f"s/{i:04}" for i in range(5)]
        line = f"{path}: ends at byte {offset:,} without the mark of a tar file's end"
        assert (line in caplog.text) == (not marked)


def test_reading_goes_on_behind_a_damaged_header(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_tar(tmp_path / "s.tar", samples(10), tarfile.USTAR_FORMAT)
    with tarfile.open(path) as archive:
        offset = archive.getmember("0004.png").offset
    content = bytearray(path.read_bytes())
    content[offset + 3] ^= 255
    path.write_bytes(content)
    with tarfile.open(path) as archive:
        assert len(archive.getnames()) == 8, "the standard library stops there"
    ids = [record.image_id for record in dataset(path, broken=0.9).records()]
    assert ids == [f"s/{i:04}" for i in range(10) if i != 4]
    assert f"a damaged header: 1: 'from byte {offset:,} on'" in caplog.text
    assert "no image: 1: '0004'" in caplog.text


def test_a_hole_in_a_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As a download leaves that was given its size first."""
    path = write_tar(tmp_path / "s.tar", samples(30), tarfile.USTAR_FORMAT)
    with tarfile.open(path) as archive:
        first, last = (archive.getmember(f"{i:04}.png").offset for i in (5, 25))
    content = path.read_bytes()
    path.write_bytes(content[:first] + bytes(last - first) + content[last:])
    ids = [record.image_id for record in dataset(path, broken=0.9).records()]
    assert ids == [f"s/{i:04}" for i in range(30) if not 5 <= i < 25]
    assert f"left out, a hole: 1: 'from byte {first:,} on'" in caplog.text


def test_joined_files_are_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """``cat a.tar b.tar``: the end of the first is no end."""
    parts = [write_tar(tmp_path / f"{i}.tar", samples(3, 3 * i)).read_bytes() for i in range(2)]
    (tmp_path / "s.tar").write_bytes(b"".join(parts))
    assert len(dataset(tmp_path / "s.tar").records()) == 6
    assert caplog.messages == []


def test_a_size_that_leads_out_of_the_file(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "s.tar", [("x.png", b"abc"), *samples(3)], tarfile.USTAR_FORMAT)
    content = bytearray(path.read_bytes())
    header = tarfile.TarInfo("x.png")
    header.size = 8**11 - 1
    content[:512] = header.tobuf(tarfile.USTAR_FORMAT)
    path.write_bytes(content)
    assert len(dataset(path, broken=0.9).records()) == 3


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file is empty"),
        (b"\x1f\x8b\x08" + bytes(600), "compressed"),
        (b"PK\x03\x04" + bytes(range(256)) * 9, "no tar file"),
        (b"short", "no tar file"),
        (bytes(10_240), "no image with a prompt"),
    ],
)
def test_files_that_are_no_tar(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "s.tar").write_bytes(content)
    (line,) = problems(tmp_path / "s.tar")
    assert line.startswith(f"{tmp_path}/s.tar: ")
    assert says in line


def test_an_empty_shard_among_others(tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", [])
    write_tar(tmp_path / "b.tar", samples(2))
    assert len(dataset(tmp_path / "?.tar").records()) == 2


Make = Callable[[Path], object]


@pytest.mark.parametrize(
    ("make", "pattern", "says"),
    [
        (lambda folder: None, "*.tar", "no file matches"),
        (lambda folder: None, "x.tar", "no such file"),
        (lambda folder: None, "{000..002}.tar", "000.tar: no such file"),
        (lambda folder: (folder / "x.tar").mkdir(), "x.tar", "a folder"),
        (lambda folder: os.mkfifo(folder / "x.tar"), "x.tar", "a FIFO"),
        (lambda folder: None, "{0..9999999}.tar", "more than 1,000,000 files"),
        (lambda folder: None, "{0..9999}{0..9999}.tar", "at most 1,000,000 are read"),
    ],
)
def test_patterns_that_name_nothing(tmp_path: Path, make: Make, pattern: str, says: str) -> None:
    make(tmp_path)
    first, *_ = problems(tmp_path / pattern)
    assert says in first


def test_shards_of_one_name_are_refused(tmp_path: Path) -> None:
    for folder in "ab":
        write_tar(tmp_path / folder / "s.tar", samples(1))
    (line,) = problems(tmp_path / "{a,b}" / "s.tar")
    assert line.startswith("shards share the names 's', such as ")


def test_every_unusable_shard_is_named(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / f"{name}.tar").write_bytes(b"short")
    assert len(problems(tmp_path / "?.tar")) == 3


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"split": "traning"}, "split should be train, holdout"),
        ({"weight": -1}, "weight should be a finite number of at least 0, and is not of 's/x'"),
        ({"weight": "heavy"}, "weight should be a finite number"),
        ({"weight": "inf"}, "weight should be a finite number"),
        ({"prompt_id": prompt_id("prompt 0")}, "different prompts share the prompt_id"),
    ],
)
def test_optional_keys_that_are_wrong(tmp_path: Path, fields: object, says: str) -> None:
    more = json.dumps({"prompt": "a cat"} | dict(fields)).encode()  # type: ignore[call-overload]  # a map
    path = write_tar(tmp_path / "s.tar", [*samples(1), ("x.png", image_bytes(1)), ("x.json", more)])
    (line,) = problems(path)
    assert says in line


def test_a_file_that_shrinks_is_one_line(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "s.tar", samples(5))
    images = dataset(path).images()
    path.write_bytes(path.read_bytes()[:2048])
    with pytest.raises(DataError, match="s/0004: the file was cut since it was first read"):
        images.open("s/0004")
    path.unlink()
    with pytest.raises(DataError, match=r"s\.tar: cannot be read: no such file"):
        pickle.loads(pickle.dumps(images.source)).open("s/0000")
