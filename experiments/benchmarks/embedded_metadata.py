"""What reading the texts of image files costs: files a second, and bytes read of each file.

Images are made on the spot, smooth shapes with noise as generators give them, with and without
``parameters``. Each format's file is copied as often as asked, so that each copy is opened anew;
the files are warm in the system's cache. Pillow opens the same files and gives the texts that it
knows, beside it.

    python experiments/benchmarks/embedded_metadata.py [--files 2000] [--size 1024]
"""

from __future__ import annotations

import argparse
import io
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from unprompt_metadata.files import file_texts, read_texts

TEXT = "a cat on a roof at night, " * 20 + "\nNegative prompt: blurry\nSteps: 20, Seed: 1, CFG: 7"


class Counting(io.FileIO):
    """A file that counts the bytes that are read of it."""

    count = 0

    def read(self, size: int | None = -1) -> bytes:
        """Read and count."""
        content = super().read(-1 if size is None else size) or b""
        self.count += len(content)
        return content


def main() -> None:
    """Print a line for each kind of file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--size", type=int, default=1024, help="pixels of a side")
    arguments = parser.parse_args()
    print(f"{arguments.files:,} files of each kind, {arguments.size} pixels a side, one thread")
    heads = ("file kB", "read bytes", "files/s", "no stealth", "Pillow", "stat+1 kB")
    print(f"{'kind':22}" + "".join(f"{head:>12}" for head in heads))
    with tempfile.TemporaryDirectory() as folder:
        for name, first in _files(Path(folder), arguments.size):
            copies = [first.with_name(f"{i}{first.suffix}") for i in range(arguments.files)]
            for copy in copies:
                shutil.copyfile(first, copy)
            print(f"{name:22}{_costs(first, copies)}")
            for copy in copies:
                copy.unlink()


def _costs(first: Path, copies: Sequence[Path]) -> str:
    with Counting(first) as stream:
        file_texts(stream)
        count = stream.count
    speeds = [
        _speed(read_texts, copies),
        _speed(lambda path: read_texts(path, stealth=False), copies),
        _speed(_by_pillow, copies),
        _speed(_header, copies),
    ]
    numbers = [first.stat().st_size // 1024, count, *speeds]
    return "".join(f"{number:12,}" for number in numbers)


def _speed(read: Callable[[Path], object], paths: Sequence[Path]) -> int:
    """Files a second, the median of five parts."""
    each = -(-len(paths) // 5)
    speeds = []
    for start in range(0, len(paths), each):
        part = paths[start : start + each]
        begun = time.perf_counter()
        for path in part:
            read(path)
        speeds.append(len(part) / (time.perf_counter() - begun))
    return int(statistics.median(speeds))


def _by_pillow(path: Path) -> object:
    with Image.open(path) as image:
        return image.info, dict(image.getexif())


def _header(path: Path) -> bytes:
    """What nobody can do without."""
    path.stat()
    with path.open("rb", buffering=0) as file:
        return file.read(1024)


def _files(folder: Path, size: int) -> Iterator[tuple[str, Path]]:
    """Kinds of files with a file of each."""
    image = _image(size)
    opaque = image.copy()
    opaque.putalpha(255)
    text = PngImagePlugin.PngInfo()
    text.add_text("parameters", TEXT)
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + TEXT.encode("utf-16-be")
    kinds: dict[str, tuple[str, Image.Image, dict[str, Any]]] = {
        "PNG": ("png", image, {}),
        "PNG, alpha": ("png", opaque, {}),
        "PNG, parameters": ("png", image, {"pnginfo": text}),
        "JPEG": ("jpg", image, {"quality": 92}),
        "JPEG, UserComment": ("jpg", image, {"quality": 92, "exif": exif}),
        "WebP": ("webp", image, {"quality": 90}),
        "WebP, UserComment": ("webp", image, {"quality": 90, "exif": exif}),
        "WebP, lossless": ("webp", image, {"lossless": True, "quality": 0, "method": 0}),
        "AVIF": ("avif", image, {"speed": 10}),
        "GIF": ("gif", image, {}),
    }
    for name, (suffix, pixels, options) in kinds.items():
        path = folder / f"first.{suffix}"
        pixels.save(path, **options)
        yield name, path


def _image(size: int) -> Image.Image:
    """Waves of colour with a little noise, which no compressor can leave out."""
    y, x = np.mgrid[0:size, 0:size] / size
    waves = [np.sin(7 * x + 3 * y), np.cos(5 * y - 2 * x), np.sin(9 * x * y)]
    noise = np.random.default_rng(0).normal(0, 3, (size, size, 3))
    pixels = 128 + 100 * np.stack(waves, axis=-1) + noise
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


if __name__ == "__main__":
    main()
