"""Each place in each format where generators leave texts, in each encoding that they use."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from unprompt_metadata.fields import FileTexts
from unprompt_metadata.files import file_texts, read_texts

from .writing import (
    Chunk,
    Comment,
    Stealth,
    chunk,
    exif_bytes,
    handmade_avif,
    png_chunks,
    segment,
    small_image,
    write_avif,
    write_gif,
    write_jpeg,
    write_jpeg_comment,
    write_jpeg_exif,
    write_png,
    write_stealth,
    write_webp,
)

PROMPT = "a cat, (best quality:1.2), café\nNegative prompt: ugly\nSteps: 20, Seed: 1, Size: 8x6"
WORLD = f"{PROMPT}, 猫と夜空 🐈"
XMP = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><é/></x:xmpmeta>'
ENCODINGS: list[Comment] = ["unicode-be", "unicode-le", "ascii", "utf8"]
KINDS: list[Stealth] = ["pnginfo", "pngcomp", "rgbinfo", "rgbcomp"]
JUMBF = struct.pack(">I4sI4s", 60, b"jumb", 30, b"jumd") + b"c2pa\x00\x11\x00\x10" + bytes(36)

Write = Callable[[Path], Path]


def pairs(texts: FileTexts) -> list[tuple[str, str]]:
    """A file's fields; it must have been read without a problem."""
    assert texts.problems == ()
    return [(field.name, field.text) for field in texts.fields]


# PNG


@pytest.mark.parametrize("kind", ["iTXt", "iTXt-deflated", "utf8-tEXt"])
@pytest.mark.parametrize("after_idat", [False, True])
def test_png_texts_of_all_letters(tmp_path: Path, kind: Chunk, after_idat: bool) -> None:
    fields = {"parameters": WORLD, "prompt": '{"1": NaN}'}
    texts = read_texts(write_png(tmp_path / "a.png", fields, after_idat, kind=kind))
    assert (texts.format, texts.size, texts.provenance) == ("PNG", (8, 6), False)
    assert pairs(texts) == [("png:parameters", WORLD), ("png:prompt", '{"1": NaN}')]


@pytest.mark.parametrize("kind", ["tEXt", "zTXt"])
def test_png_texts_in_latin_1(tmp_path: Path, kind: Chunk) -> None:
    texts = read_texts(write_png(tmp_path / "a.png", {"parameters": PROMPT}, kind=kind))
    assert pairs(texts) == [("png:parameters", PROMPT)]


def test_png_texts_as_pillow_writes_them(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", WORLD)
    info.add_itxt("prompt", WORLD, "en", "Eingabe", zip=True)
    info.add_text("workflow", "x" * 5000, zip=True)
    small_image().save(tmp_path / "a.png", pnginfo=info)
    expected = [("png:parameters", WORLD), ("png:prompt", WORLD), ("png:workflow", "x" * 5000)]
    assert pairs(read_texts(tmp_path / "a.png")) == expected


def test_png_texts_keep_the_order_of_the_file_and_repeated_keywords(tmp_path: Path) -> None:
    path = write_png(tmp_path / "a.png", {"b": "1", "a": "2"})
    raw = path.read_bytes()
    path.write_bytes(raw.replace(chunk(b"tEXt", b"b\x001"), 2 * chunk(b"tEXt", b"b\x001")))
    assert pairs(read_texts(path)) == [("png:b", "1"), ("png:b", "1"), ("png:a", "2")]


def test_png_exif_xmp_and_manifest(tmp_path: Path) -> None:
    path = write_png(
        tmp_path / "a.png",
        {"XML:com.adobe.xmp": XMP},
        kind="iTXt",
        exif=exif_bytes(WORLD, Software="made"),
        c2pa=JUMBF,
    )
    texts = read_texts(path)
    expected = [("xmp", XMP), ("exif:Software", "made"), ("exif:UserComment", WORLD)]
    assert (pairs(texts), texts.provenance) == (expected, True)


def test_png_profiles_in_hexadecimals_as_imagemagick_writes_them(tmp_path: Path) -> None:
    block = b"Exif\0\0" + exif_bytes(PROMPT)
    rows = "\n".join(block.hex()[i : i + 72] for i in range(0, 2 * len(block), 72))
    xmp = XMP.encode()
    fields = {
        "Raw profile type exif": f"\nexif\n{len(block):8}\n{rows}\n",
        "Raw profile type xmp": f"\nxmp\n{len(xmp):8}\n{xmp.hex()}\n",
        "Raw profile type icc": "\nicc\n       2\n0000\n",
    }
    texts = read_texts(write_png(tmp_path / "a.png", fields, kind="zTXt"))
    assert pairs(texts) == [("exif:UserComment", PROMPT), ("xmp", XMP)]


def test_trailing_nuls_are_left_out_and_empty_texts_are_none(tmp_path: Path) -> None:
    texts = read_texts(write_png(tmp_path / "a.png", {"prompt": "{}\0\0", "workflow": ""}))
    assert pairs(texts) == [("png:prompt", "{}")]


# EXIF


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("little", [False, True])
@pytest.mark.parametrize("sub_ifd", [False, True])
def test_user_comment(tmp_path: Path, encoding: Comment, little: bool, sub_ifd: bool) -> None:
    path = write_jpeg_exif(tmp_path / "a.jpg", WORLD, encoding, little=little, sub_ifd=sub_ifd)
    texts = read_texts(path)
    assert (texts.format, texts.size) == ("JPEG", (8, 6))
    assert pairs(texts) == [("exif:UserComment", WORLD)]


@pytest.mark.parametrize("text", ["猫", "夜空を見上げる少女", "ночной город, дождь", "a"])
@pytest.mark.parametrize("encoding", ENCODINGS[:2])
def test_utf16_of_other_scripts_in_either_byte_order(
    tmp_path: Path, text: str, encoding: Comment
) -> None:
    little = encoding == "unicode-le"
    path = write_jpeg_exif(tmp_path / "a.jpg", text, encoding, little=little)
    assert pairs(read_texts(path)) == [("exif:UserComment", text)]
    if len(text) > 1 or text == "a":  # the order of the text shows, whatever the block's
        path = write_jpeg_exif(tmp_path / "b.jpg", text, encoding, little=not little)
        assert pairs(read_texts(path)) == [("exif:UserComment", text)]


def test_user_comment_in_jis(tmp_path: Path) -> None:
    path = write_jpeg_exif(tmp_path / "a.jpg", "猫と夜空", "jis")
    assert pairs(read_texts(path)) == [("exif:UserComment", "猫と夜空")]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"UNICODE\0" + b"photo of a duck, 4k, caf\xc3\xa9", "photo of a duck, 4k, café"),
        (b"UNICODE\0" + "\ufeffa cat".encode("utf-16-le"), "a cat"),
        (b"UNICODE\0" + "a cat\0\0rubbish".encode("utf-16-be"), "a cat"),
        (b"UNICODE\0" + "a cat".encode("utf-16-be") + b"\0", "a cat"),
        (b"Unicode\0" + "a cat".encode("utf-16-le"), "a cat"),
        (bytes(8) + b"a cat", "a cat"),
        ("a cat".encode("utf-16-le"), "a cat"),
        ("\ufeffa cat".encode("utf-16-be"), "a cat"),
        (b"ASCII\0\0\0a cat\0rubbish", "a cat"),
        (b"ASCII\0\0\0caf\xe9", "café"),
        (b"a cat\0rubbish", "a cat"),
    ],
)
def test_user_comments_as_tools_write_them(tmp_path: Path, value: bytes, text: str) -> None:
    block = exif_bytes(raw={0x9286: (7, value)})
    path = write_jpeg(tmp_path / "a.jpg", segment(0xE1, b"Exif\0\0" + block))
    assert pairs(read_texts(path)) == [("exif:UserComment", text)]


def test_texts_of_the_first_directory_in_the_order_of_tags(tmp_path: Path) -> None:
    tags = {"Model": 'prompt:{"a": NaN}', "Make": "workflow:{}", "ImageDescription": "é"}
    path = write_webp(tmp_path / "a.webp", None, animated=True, **tags)
    texts = read_texts(path)
    assert texts.format == "WEBP"
    assert pairs(texts) == [
        ("exif:ImageDescription", "é"),
        ("exif:Make", "workflow:{}"),
        ("exif:Model", 'prompt:{"a": NaN}'),
    ]


def test_exif_as_pillow_writes_it(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0110] = "prompt:{}"
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + WORLD.encode("utf-16-be")
    small_image().save(tmp_path / "a.jpg", exif=exif)
    expected = [("exif:Model", "prompt:{}"), ("exif:UserComment", WORLD)]
    assert pairs(read_texts(tmp_path / "a.jpg")) == expected


def test_exif_over_several_jpeg_segments(tmp_path: Path) -> None:
    long = "word " * 40_000
    block = exif_bytes(long, "utf8")
    pieces = [block[i : i + 60_000] for i in range(0, len(block), 60_000)]
    path = write_jpeg(tmp_path / "a.jpg", *(segment(0xE1, b"Exif\0\0" + p) for p in pieces))
    assert pairs(read_texts(path)) == [("exif:UserComment", long)]


# JPEG


def test_jpeg_comment_xmp_and_manifest(tmp_path: Path) -> None:
    path = write_jpeg(
        tmp_path / "a.jpg",
        b"\xff\xff" + segment(0xFE, PROMPT.encode())[1:],  # a fill byte in front of the marker
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP.encode()),
        segment(0xEB, b"JP\0\1\0\0\0\1" + JUMBF),
        segment(0xEB, b"JP\0\2\0\0\0\1" + JUMBF.replace(b"c2pa", b"exif")),
    )
    texts = read_texts(path)
    assert (pairs(texts), texts.provenance) == ([("jpeg:comment", PROMPT), ("xmp", XMP)], True)


def test_a_box_of_another_kind_is_no_provenance(tmp_path: Path) -> None:
    other = JUMBF.replace(b"c2pa", b"exif")
    jpeg = write_jpeg(tmp_path / "a.jpg", segment(0xEB, b"JP\0\1\0\0\0\1" + other))
    png = write_png(tmp_path / "a.png", {}, c2pa=other)
    assert [read_texts(path).provenance for path in (jpeg, png)] == [False, False]


def _extended(content: bytes, name: str, parts: int = 3) -> list[bytes]:
    step = -(-len(content) // parts)
    head = b"http://ns.adobe.com/xmp/extension/\0" + name.encode()
    starts = range(0, len(content), step)
    return [
        segment(0xE1, head + struct.pack(">II", len(content), i) + content[i : i + step])
        for i in starts
    ]


def test_extended_xmp_in_any_order_of_its_parts(tmp_path: Path) -> None:
    content = f"<x>{WORLD * 900}</x>".encode()
    name = hashlib.md5(content).hexdigest().upper()
    packet = f'<x xmpNote:HasExtendedXMP="{name}"/>'
    first = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet.encode())
    parts = _extended(content, name)
    path = write_jpeg(tmp_path / "a.jpg", parts[2], first, parts[0], parts[1])
    assert pairs(read_texts(path)) == [("xmp", packet), ("xmp", content.decode())]
    path = write_jpeg(tmp_path / "a.jpg", first, *parts[:2])
    texts = read_texts(path)
    assert [field.text for field in texts.fields] == [packet]
    assert texts.problems == ("extended XMP is damaged: parts of it are missing",)
    path = write_jpeg(tmp_path / "a.jpg", first, *_extended(content.replace(b"c", b"d"), name))
    assert read_texts(path).problems == ("extended XMP is damaged: its checksum is wrong",)


# WebP, AVIF, GIF


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("write", [write_webp, write_avif])
def test_webp_and_avif(tmp_path: Path, write: Callable[..., Path], encoding: Comment) -> None:
    texts = read_texts(write(tmp_path / "a", WORLD, encoding, xmp=XMP, Make="workflow:{}"))
    assert texts.format in ("WEBP", "AVIF")
    assert texts.size == (8, 6)
    expected = [("exif:Make", "workflow:{}"), ("exif:UserComment", WORLD), ("xmp", XMP)]
    assert sorted(pairs(texts)) == expected


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_webp_without_texts(tmp_path: Path, lossless: bool, mode: str) -> None:
    path = write_webp(tmp_path / "a.webp", lossless=lossless, image=small_image((31, 17), mode))
    texts = read_texts(path)
    assert (texts.format, texts.size, pairs(texts)) == ("WEBP", (31, 17), [])


def test_webp_manifest(tmp_path: Path) -> None:
    path = write_webp(tmp_path / "a.webp", PROMPT)
    body = path.read_bytes()[8:] + b"C2PA" + struct.pack("<I", len(JUMBF)) + JUMBF
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    texts = read_texts(path)
    assert (pairs(texts), texts.provenance) == ([("exif:UserComment", PROMPT)], True)


def test_avif_manifest(tmp_path: Path) -> None:
    path = write_avif(tmp_path / "a.avif", PROMPT)
    content = bytes.fromhex("d8fec3d61b0e483c92975828877ec481") + bytes(4) + b"manifest\0"
    box = struct.pack(">I4s", 8 + len(content), b"uuid") + content
    path.write_bytes(path.read_bytes() + box)
    texts = read_texts(path)
    assert (pairs(texts), texts.provenance) == ([("exif:UserComment", PROMPT)], True)


@pytest.mark.parametrize(
    ("version", "in_idat"), [(0, False), (1, False), (1, True), (2, False), (2, True)]
)
def test_avif_items_in_pieces_and_inside_of_meta(version: int, in_idat: bool) -> None:
    raw = handmade_avif(exif_bytes(WORLD), XMP.encode(), version=version, in_idat=in_idat)
    texts = file_texts(io.BytesIO(raw))
    assert (texts.format, texts.size) == ("AVIF", (640, 480))
    assert pairs(texts) == [("exif:UserComment", WORLD), ("xmp", XMP)]


def test_gif_comment_longer_than_a_sub_block_and_xmp(tmp_path: Path) -> None:
    long = f"{WORLD}, " * 20
    texts = read_texts(write_gif(tmp_path / "a.gif", long, xmp=XMP))
    assert (texts.format, texts.size) == ("GIF", (8, 6))
    assert pairs(texts) == [("gif:comment", long), ("xmp", XMP)]


def test_gif_comment_after_the_images_of_an_animation(tmp_path: Path) -> None:
    frames = [small_image((40, 30)), small_image((40, 30)).rotate(90)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    raw = (tmp_path / "a.gif").read_bytes()
    assert raw.endswith(b";")
    raw = raw[:-1] + b"\x21\xfe\x05hello\x00;"
    assert pairs(file_texts(io.BytesIO(raw))) == [("gif:comment", "hello")]


def test_gif_as_pillow_writes_it(tmp_path: Path) -> None:
    small_image().save(tmp_path / "a.gif", comment=(PROMPT * 9).encode())
    assert pairs(read_texts(tmp_path / "a.gif")) == [("gif:comment", PROMPT * 9)]


def test_gif_manifest() -> None:
    stream = io.BytesIO()
    small_image().save(stream, "GIF")
    raw = stream.getvalue()
    block = b"\x21\xff\x0bC2PA_GIF\x01\x00\x00\x04jumb\x00"
    assert file_texts(io.BytesIO(raw[:-1] + block + b";")).provenance


# Pixels


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("suffix", ["png", "webp"])
@pytest.mark.parametrize("size", [(64, 64), (3000, 3), (70, 119), (50, 121)])
def test_stealth(tmp_path: Path, kind: Stealth, suffix: str, size: tuple[int, int]) -> None:
    path = write_stealth(tmp_path / f"a.{suffix}", WORLD, kind, size=size)
    texts = read_texts(path)
    channel = "alpha" if kind.startswith("png") else "rgb"
    assert (texts.size, pairs(texts)) == (size, [(f"stealth:{channel}", WORLD)])
    assert pairs(read_texts(path, stealth=False)) == []


@pytest.mark.parametrize("filtered", range(5))
def test_stealth_behind_each_filter_of_png(tmp_path: Path, filtered: int) -> None:
    path = write_stealth(tmp_path / "a.png", WORLD, "pngcomp", size=(90, 40))
    with Image.open(path) as image:
        raw, width = image.tobytes(), 4 * image.width
        header = png_chunks(image)[0]
    rows = [raw[i : i + width] for i in range(0, len(raw), width)]
    above = [bytes(width), *rows]
    lines = [filter_row(filtered, *pair) for pair in zip(rows, above, strict=False)]
    stream = zlib.compress(b"".join(lines))
    idat = b"".join(chunk(b"IDAT", stream[i : i + 50]) for i in range(0, len(stream), 50))
    raw = b"\x89PNG\r\n\x1a\n" + header + idat + chunk(b"IEND", b"")
    assert pairs(file_texts(io.BytesIO(raw))) == [("stealth:alpha", WORLD)]


def filter_row(kind: int, row: bytes, above: bytes) -> bytes:
    """A row of RGBA pixels with a filter of PNG (9.2), written out."""
    line = bytearray([kind])
    for i, value in enumerate(row):
        left, corner = (row[i - 4], above[i - 4]) if i >= 4 else (0, 0)
        up = above[i]
        distances = [(abs(left + up - corner - v), n) for n, v in enumerate((left, up, corner))]
        paeth = (left, up, corner)[min(distances)[1]]
        line.append((value - (0, left, up, (left + up) >> 1, paeth)[kind]) % 256)
    return bytes(line)


def test_stealth_in_an_interlaced_image(tmp_path: Path) -> None:
    path = write_stealth(tmp_path / "a.png", "a cat", "pnginfo", size=(20, 20))
    with Image.open(path) as image:
        raw = interlaced(image)
        with Image.open(io.BytesIO(raw)) as same:
            assert same.tobytes() == image.tobytes()
    assert pairs(file_texts(io.BytesIO(raw))) == [("stealth:alpha", "a cat")]


def interlaced(image: Image.Image) -> bytes:
    """An RGBA image as PNG in Adam7's seven passes, without filters."""
    header = struct.pack(">IIBBBBB", *image.size, 8, 6, 0, 0, 1)
    lines = b""
    steps = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2)]
    for x, y, dx, dy in [*steps, (0, 1, 1, 2)]:
        for row in range(y, image.height, dy):
            pixels = [image.getpixel((column, row)) for column in range(x, image.width, dx)]
            lines += b"\0" + b"".join(bytes(pixel) for pixel in pixels if isinstance(pixel, tuple))
    chunks = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(lines)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


# Anything else


def test_comment_of_jpeg(tmp_path: Path) -> None:
    path = write_jpeg_comment(tmp_path / "a.jpg", b"caf\xe9")
    assert pairs(read_texts(path)) == [("jpeg:comment", "café")]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the file is empty"),
        (b"hello", "no PNG, JPEG, WebP, AVIF or GIF file"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "no PNG, JPEG, WebP, AVIF or GIF file"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
            "a Git LFS pointer, not the file: run `git lfs pull`",
        ),
    ],
)
def test_what_is_no_image_says_so(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "a").write_bytes(content)
    assert read_texts(tmp_path / "a") == FileTexts(None, None, (), problems=(problem,))
