"""The 68th-place solution's bank: sets of npy files of keys, and of targets in the same order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from unprompt._files import paths
from unprompt.errors import ConfigError, DataError, amount, named

TARGETS = "all_minilm_l6_v2"
"""The name of a folder of targets; case does not matter, and ``-`` is ``_``."""

_DEPTH = 3
"""Folders between the one that is named and a set's."""


@dataclass(frozen=True, slots=True)
class ShardPair:
    """Two files whose rows belong together.

    Attributes:
        keys: CLIP text embeddings.
        targets: Embeddings in the target space.
    """

    keys: Path
    targets: Path


@dataclass(frozen=True, slots=True)
class PairSet:
    """A set of pairs, such as all of DiffusionDB.

    Attributes:
        folder: It holds the two folders of files.
        pairs: In the order of their names.
    """

    folder: Path
    pairs: tuple[ShardPair, ...]


def find_pairs(folder: Path, *, by_position: bool, keys: str | None = None) -> list[PairSet]:
    """The sets of a folder: itself, or folders below it.

    A set holds a folder ``all_minilm_l6_v2`` or ``all-MiniLM-L6-v2`` and one of keys, such as
    ``vith14``. The files have no ids, so they are paired by sorted name and their rows by position.

    Args:
        folder: Where they are.
        by_position: Whether the user says that both are in the same order.
        keys: The name of the folder of keys; None: the only one there is.

    Raises:
        ConfigError: The user does not say so, or has to name the folder of keys.
        DataError: There is no set, or files have no partner.
    """
    if not paths.is_folder(folder):
        what = "is no folder" if paths.exists(folder) else "no such folder"
        raise DataError(f"{paths.shown(folder)}: {what}")
    sets = [*_sets(folder)]
    if not sets:
        raise DataError(
            f"{paths.shown(folder)}: no folder {TARGETS} in it with a folder of keys beside it"
        )
    if not by_position:
        raise ConfigError(
            f"{paths.shown(folder)}: its rows have no ids, so that keys and targets can be paired "
            "by position only; --pair-by-position says that both are in the same order"
        )
    return [PairSet(at, _pairs(at, targets, keys)) for at, targets in sets]


def _sets(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Each set's folder, and its folder of targets."""
    for depth in range(_DEPTH + 1):
        for path in sorted(folder.glob("/".join(["*"] * (depth + 1)))):
            if path.name.lower().replace("-", "_") == TARGETS and path.is_dir():
                yield path.parent, path


def _pairs(folder: Path, targets: Path, keys: str | None) -> tuple[ShardPair, ...]:
    others = sorted(
        path.name
        for path in folder.iterdir()
        if path.is_dir() and path != targets and any(path.glob("*.npy"))
    )
    shown = paths.shown(folder)
    if not others:
        raise DataError(f"{shown}: no folder of keys beside {targets.name}")
    if keys is None and len(others) > 1:
        raise ConfigError(
            f"{shown}: has several folders of keys, {named(others)}: --keys NAME says which one"
        )
    if keys is not None and keys not in others:
        raise DataError(f"{shown}: no folder {keys} of .npy files; has {named(others)}")
    files = [_files(folder / (keys or others[0])), _files(targets)]
    if len(files[0]) != len(files[1]):
        raise DataError(
            f"{shown}: {amount(len(files[0]), 'file')} in {keys or others[0]}, {len(files[1])} in "
            f"{targets.name}: they are no pairs"
        )
    pairs = tuple(ShardPair(*pair) for pair in zip(*files, strict=True))
    for pair in pairs:
        numbers = [_number(pair.keys), _number(pair.targets)]
        if None not in numbers and numbers[0] != numbers[1]:
            raise DataError(
                f"{paths.shown(pair.keys)}: would be paired with {pair.targets.name}, which has "
                "another number: a file is missing"
            )
    return pairs


def _files(folder: Path) -> Sequence[Path]:
    files = sorted(folder.glob("*.npy"))
    if not files:
        raise DataError(f"{paths.shown(folder)}: no .npy file in it")
    return files


def _number(path: Path) -> int | None:
    """The number that a file's name ends with."""
    match = re.search(r"([0-9]{1,18})$", path.stem)
    return int(match[1]) if match else None
