"""Ways to damage a file: what disks, downloads, editors and attackers leave."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Damage = Callable[[Path], None]


def written(change: Callable[[bytes], bytes]) -> Damage:
    """Other bytes in the file's place; links to the healthy file keep theirs."""

    def damage(path: Path) -> None:
        content = change(path.read_bytes())
        path.unlink()
        path.write_bytes(content)

    return damage


def linked(target: str) -> Damage:
    """A link in the file's place; ``.`` is the file itself."""

    def damage(path: Path) -> None:
        path.unlink()
        path.symlink_to(path if target == "." else target)

    return damage


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _flipped(seed: int) -> Damage:
    def change(content: bytes) -> bytes:
        rng, flipped = random.Random(seed), bytearray(content)
        for _ in range(max(3, len(content) // 200)):
            flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
        return bytes(flipped)

    return written(change)


def _cut(share: float) -> Damage:
    return written(lambda content: content[: int(len(content) * share)])


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 9\n"

NOTHING_LEFT: dict[str, Damage] = {
    "empty": written(lambda content: b""),
    "one byte": written(lambda content: content[:1]),
    "zeros": written(lambda content: bytes(len(content))),
    "noise": written(lambda content: random.Random(len(content)).randbytes(len(content))),
    "a page": written(lambda content: b"<!DOCTYPE html>\n<html>404, not found</html>\n"),
    "a Git LFS pointer": written(lambda content: LFS),
    "a pickle": written(lambda content: b"\x80\x04cos\nsystem\n(Vtrue\ntR."),
    "a folder": _folder,
    "a FIFO": _fifo,
    "a link to itself": linked("."),
    "a dangling link": linked("nowhere"),
    "a link to a device": linked("/dev/zero"),
    "missing": Path.unlink,
}
"""Nothing of the file is left that could be read."""

PARTS_LEFT: dict[str, Damage] = {
    "a quarter": _cut(0.25),
    "half": _cut(0.5),
    "nine tenths": _cut(0.9),
    "but one byte": written(lambda content: content[:-1]),
    "an archive": written(lambda content: b"PK\x03\x04" + content[4:]),
    "twice": written(lambda content: content + content),
    "not UTF-8": written(lambda c: c[: len(c) // 2] + b"\xff\xfe" + c[len(c) // 2 :]),
    "NUL in the middle": written(lambda c: c[: len(c) // 2] + b"\0" + c[len(c) // 2 :]),
    "UTF-16": written(lambda content: content.decode("latin-1").encode("utf-16")),
    **{f"bits flipped {seed}": _flipped(seed) for seed in range(3)},
}
"""Some formats cannot see this: then what is left is read."""

JSON: dict[str, Damage] = {
    name: written(lambda content, text=text: text)  # type: ignore[misc]  # bound on purpose
    for name, text in {
        "a list": b"[]",
        "a list of maps": b'[{"a": 1}]',
        "a map": b'{"a": 1}',
        "an empty map": b"{}",
        "a text": b'"text"',
        "a number": b"7",
        "null": b"null",
        "true": b"true",
        "NaN": b"NaN",
        "deep lists": b"[" * 200_000,
        "deep maps": b'{"a":' * 100_000,
        "a closed deep list": b"[" * 100_000 + b"]" * 100_000,
        "a huge integer": b"[" + b"9" * 10_000 + b"]",
        "half a surrogate pair": b'{"\\ud800": "\\udfff"}',
        "two values": b"{} {}",
    }.items()
}
"""Well-formed JSON that is something else, or that breaks parsers."""

WRONG: tuple[object, ...] = ("x", None, [], {}, -1, 0, 10**12, 1e300, True, [[1], {"a": "b"}])
"""Values where others are expected."""


def wrong_values(content: Any, seed: int, each: int) -> Iterator[tuple[str, bytes]]:
    """Each value of a JSON document, down to the second level, replaced by some of `WRONG`."""
    rng = random.Random(seed)
    for key in content:
        inner = content[key]
        keys = [(key,)] + ([(key, name) for name in inner] if isinstance(inner, dict) else [])
        for where in keys:
            for value in rng.sample(WRONG, each):
                changed = json.loads(json.dumps(content))
                holder = changed if len(where) == 1 else changed[key]
                holder[where[-1]] = value
                yield f"{'.'.join(where)} = {value!r}", json.dumps(changed).encode()


def tensors(header: object, *, length: int | None = None, data: bytes = b"") -> bytes:
    """A safetensors file with any header, and any declared length of it."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def _one(dtype: str, shape: list[int], end: int) -> dict[str, Any]:
    names = ("targets", "keys", "fc.weight", "fc.bias", "embeds", "rows", "x")
    return {name: {"dtype": dtype, "shape": shape, "data_offsets": [0, end]} for name in names[-1:]}


SAFETENSORS: dict[str, Damage] = {
    name: written(lambda content, made=made: made)  # type: ignore[misc]  # bound on purpose
    for name, made in {
        "no tensors": tensors({}),
        "other tensors": tensors(_one("F32", [1], 4), data=bytes(4)),
        "a header of exabytes": tensors({}, length=1 << 62),
        "a header of 90 MB": tensors({}, length=90_000_000),
        "a shape of terabytes": tensors(_one("F32", [1 << 20, 1 << 20], 1 << 42), data=bytes(8)),
        "a shape that overflows": tensors(_one("F32", [1 << 40, 1 << 40], 4), data=bytes(4)),
        "offsets beyond the end": tensors(_one("F32", [4], 16), data=bytes(4)),
        "an unknown type": tensors(_one("F77", [1], 4), data=bytes(4)),
        "a header that is a list": tensors([1, 2]),
        "a deep header": tensors(b"[" * 100_000),
        "a header that is not UTF-8": tensors(b'{"\xff": 1}'),
    }.items()
}


def npy(header: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    """An npy file with any header."""
    return b"\x93NUMPY" + version + len(header).to_bytes(2, "little") + header.encode() + data


NPY: dict[str, Damage] = {
    name: written(lambda content, made=made: made)  # type: ignore[misc]  # bound on purpose
    for name, made in {
        "terabytes": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,)}"),
        "overflow": npy(f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({1 << 70},)}}"),
        "negative": npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", bytes(4)),
        "nothing wide": npy("{'descr': '<U0', 'fortran_order': False, 'shape': (10000000000,)}"),
        "objects": npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", b"\x80\x04N."),
        "no header": npy("{}"),
        "a deep header": npy("(" * 9000 + ")" * 9000),
        "a header that is code": npy("__import__('os').system('true')"),
        "version 9": npy("{}", version=b"\x09\x09"),
        "numbers": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2,)}", bytes(16)),
        "a number": npy("{'descr': '<f8', 'fortran_order': False, 'shape': ()}", bytes(8)),
    }.items()
}
