"""Arrays from safetensors and npy files: what they declare is compared with what they hold."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from unprompt._files import paths
from unprompt._files.reading import check_file, open_file, reading
from unprompt.errors import DataError, named

if TYPE_CHECKING:
    from typing import BinaryIO

    import numpy.typing as npt

Shapes = Mapping[str, Sequence[int | str]]
"""Tensor -> its shape; a letter stands for one size, the same wherever the letter occurs."""


def read_tensors(path: Path, shapes: Shapes | None = None) -> dict[str, npt.NDArray[Any]]:
    """The tensors of a safetensors file, as NumPy arrays.

    Args:
        path: The file.
        shapes: What has to be in it: floating-point numbers, all finite. Other tensors are left
            out. None: every tensor, as it is.

    Raises:
        DataError: The file is missing or damaged, NumPy has no such type of number, or a tensor
            is missing, of another type or shape, or not finite; the line names it.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    check_file(path)
    with reading(path, SafetensorError):
        tensors: dict[str, npt.NDArray[Any]] = load_file(path)
    if shapes is None:
        return tensors
    problems = _problems(tensors, shapes)
    if problems:
        raise DataError(f"{paths.shown(path)}: {'; '.join(problems)}")
    return {name: tensors[name] for name in shapes}


def _problems(tensors: Mapping[str, npt.NDArray[Any]], shapes: Shapes) -> list[str]:
    """What is wrong with tensors; the first thing of each."""
    import numpy as np

    missing = [name for name in shapes if name not in tensors]
    if missing:
        has = f"; it has {named([*tensors])}" if tensors else ""
        return [f"holds no {named(missing)}{has}"]
    problems, sizes = [], dict[str, int]()
    for name, shape in shapes.items():
        array = tensors[name]
        known = [sizes.get(size, size) if isinstance(size, str) else size for size in shape]
        fits = len(known) == array.ndim and all(
            isinstance(want, str) or want == size
            for want, size in zip(known, array.shape, strict=True)
        )
        if array.dtype.kind != "f":
            problems.append(f"{name!r} holds {array.dtype}, not floating-point numbers")
        elif not fits:
            wanted = ", ".join(map(str, known))
            problems.append(f"{name!r} is of shape {array.shape}, not of ({wanted})")
        elif not np.isfinite(array).all():
            problems.append(f"{name!r} holds numbers that are not finite")
        else:
            pairs = zip(shape, array.shape, strict=True)
            sizes |= {letter: size for letter, size in pairs if isinstance(letter, str)}
    return problems


def read_array(path: Path) -> npt.NDArray[Any]:
    """The array of an npy file, whose declared size is compared with the file's before a read.

    Raises:
        DataError: The file is missing or damaged, or holds Python objects.
    """
    import numpy as np

    with open_file(path) as file, reading(path):
        _npy_header(file, path)
        file.seek(0)
        array: npt.NDArray[Any] = np.load(file, allow_pickle=False)
        return array


def map_array(path: Path) -> npt.NDArray[Any]:
    """The array of an npy file, read-only and left on the disk. Raises as `read_array`.

    An array of no values is no map, as none can be made.
    """
    import numpy as np

    with open_file(path) as file, reading(path):
        shape, fortran, dtype = _npy_header(file, path)
        if not math.prod(shape):
            return np.empty(shape, dtype)
        order: Literal["C", "F"] = "F" if fortran else "C"
        return np.memmap(file, dtype, "r", offset=file.tell(), shape=shape, order=order)


def _npy_header(file: BinaryIO, path: Path) -> tuple[tuple[int, ...], bool, Any]:
    """Shape, order and dtype of an npy file; leaves the file at its first value.

    Raises:
        DataError: They are damaged, or not of the file's size, or values are Python objects.
    """
    from numpy.lib import format as npy

    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    try:
        shape, fortran, dtype = read(file)
    except Exception as error:  # Python's parser reads it, and speaks of its syntax tree
        raise DataError(f"{paths.shown(path)}: cannot be read: a damaged header") from error
    size = path.stat().st_size - file.tell()
    if dtype.hasobject:
        raise DataError(f"{paths.shown(path)}: holds Python objects, which are not read")
    if not dtype.itemsize or math.prod(shape) * dtype.itemsize != size:
        raise DataError(
            f"{paths.shown(path)}: cut or damaged: declares {math.prod(shape)} values of "
            f"{dtype.itemsize} bytes, {size} bytes follow"
        )
    return shape, fortran, dtype
