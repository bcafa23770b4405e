"""Small shards as other programs write them, and worse ones."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

Members = Iterable[tuple[str, bytes]]


def image_bytes(seed: int, kind: str = "png", size: tuple[int, int] = (9, 7)) -> bytes:
    """An image file of random pixels."""
    width, height = size
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def write_tar(path: Path, members: Members, format: int = tarfile.PAX_FORMAT) -> Path:
    """A tar file, as Python writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=format) as archive:
        for name, content in members:
            header = tarfile.TarInfo(name)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return path


def samples(count: int, first: int = 0) -> list[tuple[str, bytes]]:
    """Images and prompts by turns."""
    return [
        member
        for i in range(first, first + count)
        for member in ((f"{i:04}.png", image_bytes(i)), (f"{i:04}.txt", f"prompt {i}".encode()))
    ]


def write_parquet(path: Path, columns: Mapping[str, Any], rows_per_group: int = 4) -> Path:
    """A Parquet file; structs of bytes and path become what Hugging Face writes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(dict(columns)), path, row_group_size=rows_per_group)
    return path


def structs(contents: Iterable[bytes | None]) -> pa.Array:
    """A column of images of Hugging Face's datasets."""
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    values = [{"bytes": content, "path": f"{i}.png"} for i, content in enumerate(contents)]
    return pa.array(values, kind)
