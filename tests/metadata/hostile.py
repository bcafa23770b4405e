"""Files that claim, repeat or inflate to more than anybody should read; run it to measure them."""

from __future__ import annotations

import functools
import gzip
import io
import json
import struct
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from unprompt_metadata.files import read_texts

from .writing import (
    PNG_SIGNATURE,
    chunk,
    exif_bytes,
    handmade_avif,
    png_chunks,
    segment,
    small_image,
    stealth_bits,
    write_stealth,
)

MB = 1 << 20
HEADER, *PIXELS, END = png_chunks(small_image())


@functools.cache
def bomb(size: int = 100 * MB) -> bytes:
    """A zlib stream of spaces."""
    packer = zlib.compressobj(9)
    return b"".join([*(packer.compress(b" " * MB) for _ in range(size // MB)), packer.flush()])


def png(*chunks: bytes) -> bytes:
    """A PNG file with chunks in front of its pixels."""
    return PNG_SIGNATURE + HEADER + b"".join(chunks) + b"".join(PIXELS) + END


def jpeg(*segments: bytes) -> bytes:
    """A JPEG file that ends at its scan."""
    return b"\xff\xd8" + b"".join(segments) + segment(0xDA, b"") + b"\xff\xd9"


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    """A WebP file of these chunks."""
    body = b"".join(
        kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
        for kind, content in chunks
    )
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def gif(*blocks: bytes) -> bytes:
    """A GIF file without an image."""
    return b"GIF89a" + struct.pack("<HHBBB", 8, 6, 0, 0, 0) + b"".join(blocks)


def box(kind: bytes, content: bytes, length: int | None = None) -> bytes:
    """An ISO box, with a length of its own choice."""
    return struct.pack(">I", 8 + len(content) if length is None else length) + kind + content


FTYP = box(b"ftyp", b"avif\0\0\0\0avif")


def tiff(*directories: list[tuple[int, int, int, int]]) -> bytes:
    """A little-endian TIFF block of directories, each right after the other."""
    raw = b"II*\0\x08\0\0\0"
    for entries in directories:
        raw += struct.pack("<H", len(entries))
        raw += b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    return raw


def pixel_bomb() -> bytes:
    """A small PNG file of 400 million pixels whose first rows begin with a stealth signature."""
    size = 20_000
    bits = stealth_bits("", "rgbinfo", 1 << 31)[:120].reshape(40, 3)
    packer = zlib.compressobj(9)
    rows = [b"\0" + bytes(row.tolist()) + bytes(3 * size - 3) for row in bits]
    idat = b"".join(packer.compress(row) for row in rows) + packer.flush()
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    chunks = [chunk(b"IHDR", header), chunk(b"IDAT", idat), chunk(b"IEND", b"")]
    return PNG_SIGNATURE + b"".join(chunks)


def stealth(text: bytes, kind: str, length: int | None = None) -> bytes:
    """A stealth PNG file whose text is these bytes, not gzip."""
    import numpy as np
    from PIL import Image

    raw = f"stealth_{kind}".encode() + struct.pack(
        ">I", 8 * len(text) if length is None else length
    )
    bits = np.unpackbits(np.frombuffer(raw + text, np.uint8))
    side = int(len(bits) ** 0.5) + 1
    alpha = np.full(side * side, 254, np.uint8)
    alpha[: len(bits)] |= bits
    image = Image.new("RGBA", (side, side))
    image.putalpha(Image.fromarray(alpha.reshape(side, side).T.copy()))
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def large_pixels(mode: str, length: int) -> bytes:
    """The largest image that is decoded, with a text of very many NULs."""
    side = 4096
    bits = stealth_bits("", "pnginfo" if mode == "RGBA" else "rgbinfo", length)
    bands = len(mode)
    rows = bytearray(b"".join(b"\0" + bytes(side * bands) for _ in range(side)))
    for i, bit in enumerate(bits):
        pixel, band = (i, 3) if mode == "RGBA" else divmod(i, 3)
        rows[pixel * (1 + side * bands) + 1 + band] |= int(bit)
    header = struct.pack(">IIBBBBB", side, side, 8, 6 if mode == "RGBA" else 2, 0, 0, 0)
    idat = zlib.compress(bytes(rows), 0)
    return PNG_SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", idat) + END


SUB_IFD = (0x8769, 4, 1, 8)
HUGE = 0xFFFF_FFF0
FILES: dict[str, Callable[[], bytes]] = {
    "png-text-of-100-MB": lambda: png(chunk(b"tEXt", b"parameters\0" + b"a" * (100 * MB))),
    "png-zlib-bomb": lambda: png(chunk(b"zTXt", b"parameters\0\0" + bomb())),
    "png-itxt-bomb": lambda: png(chunk(b"iTXt", b"parameters\0\1\0\0\0" + bomb())),
    "png-many-bombs": lambda: png(*[chunk(b"zTXt", b"parameters\0\0" + bomb(3 * MB))] * 5000),
    "png-many-damaged-bombs": lambda: png(
        *[chunk(b"zTXt", b"parameters\0\0" + bomb(3 * MB)[:-3])] * 5000
    ),
    "png-many-wrong-checksums": lambda: png(
        *[chunk(b"tEXt", b"a\0" + b"b" * (3 * MB))[:-1] + b"x"] * 40
    ),
    "png-endless-chunks": lambda: png(*[chunk(b"abCd", b"")] * 100_000),
    "png-endless-pieces": lambda: PNG_SIGNATURE + HEADER + chunk(b"IDAT", b"") * 100_000,
    "png-chunk-of-4-GB": lambda: png(struct.pack(">I", HUGE) + b"tEXt" + b"parameters\0a"),
    "png-pixels-of-4-GB": lambda: PNG_SIGNATURE + HEADER + struct.pack(">I", HUGE) + b"IDATxyz",
    "png-raw-profile": lambda: png(
        chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n9\n" + b"4" * 9))
    ),
    "png-pixel-bomb": pixel_bomb,
    "png-huge-stealth-length": lambda: stealth(b"", "pnginfo", HUGE),
    "png-stealth-length-over-pixels": lambda: stealth(b"", "pnginfo", 8000),
    "png-stealth-gzip-bomb": lambda: stealth(gzip.compress(b" " * (100 * MB)), "pngcomp"),
    "png-stealth-no-gzip": lambda: stealth(b"hello", "pngcomp"),
    "png-stealth-wrong-gzip-checksum": lambda: stealth(
        gzip.compress(b"hello")[:-8] + bytes(8), "pngcomp"
    ),
    "png-stealth-cut-gzip": lambda: stealth(gzip.compress(b"hello")[:-2], "pngcomp"),
    "png-stealth-no-text": lambda: stealth(b"\xff\xfe\xfd", "pnginfo"),
    "png-stealth-of-odd-bits": lambda: stealth(b"hello", "pnginfo", 33),
    "png-stealth-of-all-pixels": lambda: large_pixels("RGBA", 8 * 2_000_000),
    "png-stealth-of-all-colours": lambda: large_pixels("RGB", 32_000_000),
    "jpeg-endless-segments": lambda: jpeg(*[segment(0xE2, b"")] * 100_000),
    "jpeg-of-fill-bytes": lambda: b"\xff\xd8" + b"\xff" * 100_000,
    "jpeg-exif-in-endless-segments": lambda: jpeg(
        segment(0xE1, b"Exif\0\0" + exif_bytes("a")),
        *[segment(0xE1, b"Exif\0\0" + b"a" * 60_000)] * 300,
    ),
    "jpeg-xmp-in-endless-segments": lambda: jpeg(
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0HasExtendedXMP='" + b"A" * 32 + b"'"),
        *[
            segment(
                0xE1,
                b"http://ns.adobe.com/xmp/extension/\0"
                + b"A" * 32
                + struct.pack(">II", HUGE, i)
                + b"a" * 60_000,
            )
            for i in range(300)
        ],
    ),
    "jpeg-directories-in-a-circle": lambda: jpeg(
        segment(0xE1, b"Exif\0\0" + tiff([(0x010F, 2, 9, HUGE), SUB_IFD]))
    ),
    "webp-chain-of-directories": lambda: riff(
        (b"EXIF", tiff(*[[(0x8769, 4, 1, 8 + 18 * (i + 1))] for i in range(100_000)]))
    ),
    "jpeg-directory-of-65535-entries": lambda: jpeg(
        segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0\xff\xff")
    ),
    "webp-values-of-4-GB": lambda: riff(
        (b"EXIF", tiff([(tag, 2, HUGE, 8) for tag in (0x010E, 0x010F, 0x0110)]))
    ),
    "webp-one-value-many-times": lambda: riff(
        (
            b"EXIF",
            tiff([(tag, 2, 3 * MB, 2002) for tag in (0x010D, 0x010E, 0x010F, 0x0110, 0x0131)] * 20)
            + "🐈".encode() * (MB - 9999),
        )
    ),
    "webp-chunk-of-4-GB": lambda: riff((b"XMP ", b"a")).replace(
        b"\1\0\0\0a", struct.pack("<I", HUGE) + b"a"
    ),
    "webp-many-blocks": lambda: riff(*[(b"EXIF", tiff([]) + bytes(3 * MB))] * 8),
    "webp-endless-chunks": lambda: riff(*[(b"abcd", b"")] * 100_000),
    "webp-lossless-of-268-million-pixels": lambda: riff((b"VP8L", b"\x2f" + b"\xff" * 40)),
    "avif-box-of-size-1": lambda: FTYP + box(b"meta", b"\0\0\0\0\0\0\0\1", 1),
    "avif-box-of-size-2": lambda: FTYP + box(b"meta", b"", 2),
    "avif-box-of-4-GB": lambda: FTYP + box(b"meta", b"", HUGE),
    "avif-box-of-2-to-the-64": lambda: FTYP + box(b"meta", b"\xff" * 8, 1),
    "avif-meta-of-2-MB": lambda: FTYP + box(b"meta", bytes(2 * MB)),
    "avif-endless-boxes": lambda: FTYP + box(b"free", b"") * 3000,
    "avif-many-metas": lambda: FTYP + box(b"meta", bytes(4) + box(b"free", bytes(99_000))) * 100,
    "avif-endless-pieces": lambda: (
        FTYP
        + box(
            b"meta",
            bytes(4)
            + box(b"iinf", bytes(4) + b"\0\1" + box(b"infe", b"\2\0\0\0\0\1\0\0Exif\0"))
            + box(b"iloc", bytes(6) + b"\xff\xff" + (b"\0\1\0\0\xff\xff" * 20_000)),
        )
    ),
    "avif-overlapping-pieces": lambda: handmade_avif(
        exif_bytes("a"), b"a", version=1, in_idat=False
    ).replace(struct.pack(">I", 1), struct.pack(">I", HUGE)),
    "gif-endless-sub-blocks": lambda: gif(b"\x21\xfe" + (b"\xff" + b"a" * 255) * (100 * MB // 256)),
    "gif-sub-blocks-of-a-byte": lambda: gif(b"\x21\xfe" + b"\1a" * (2 * MB)),
    "gif-endless-extensions": lambda: gif(b"\x21\xf9\0" * 200_000),
    "gif-many-comments": lambda: gif(
        *[b"\x21\xfe" + (b"\xff" + b"a" * 255) * 10_000 + b"\0"] * 8, b";"
    ),
    "gif-xmp-without-an-end": lambda: gif(b"\x21\xff\x0bXMP DataXMP<x/>" + bytes(400), b";"),
}
PICKED: dict[str, Callable[[Path], Path]] = {
    "length.png": lambda path: write_stealth(path, "a cat", "rgbcomp", length=1 << 31),
    "length.webp": lambda path: write_stealth(path, "a cat", "pngcomp", length=HUGE),
}


def write_all(folder: Path) -> Iterator[Path]:
    """Write the files, one after another; each is gone when the next one comes."""
    for name, content in FILES.items():
        path = folder / name
        path.write_bytes(content())
        yield path
        path.unlink()
    for name, write in PICKED.items():
        yield write(folder / name)


def main() -> None:
    """For the name of a file on each line: seconds of CPU, bytes beyond what was in use, texts."""
    import PIL.PngImagePlugin
    import PIL.WebPImagePlugin  # noqa: F401  # imports are not what is measured

    for name in sys.stdin:
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before = _peak()
        start = time.process_time()
        texts = read_texts(Path(name.rstrip("\n")))
        report: dict[str, object] = {"seconds": time.process_time() - start}
        report["more_bytes"] = _peak() - before
        report["letters"] = sum(len(field.text) for field in texts.fields)
        report["problems"] = texts.problems
        del texts
        sys.stdout.write(json.dumps(report) + "\n")
        sys.stdout.flush()


def _peak() -> int:
    """Bytes of the largest memory so far."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


if __name__ == "__main__":
    main()
