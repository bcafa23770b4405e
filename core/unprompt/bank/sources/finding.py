"""Which sources a path, a glob or a folder names, and of what kind each is."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from unprompt._data.globs import glob_entries
from unprompt._data.walking import is_hidden, walk
from unprompt._files import paths
from unprompt._files.compressed import bare_name
from unprompt._files.reading import read_json
from unprompt.bank.sources.prompts import Kind, SourceSpec
from unprompt.bank.store.manifest import MANIFEST, SHARDS
from unprompt.bank.store.progress import unfinished
from unprompt.errors import DataError

SUFFIXES: dict[str, Kind] = {
    ".txt": "lines",
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
"""The suffix of a file, without the one of its compression -> what it is."""

STATE, INFO, SPLITS = "state.json", "dataset_info.json", "dataset_dict.json"
"""What folders of `datasets` hold: one of `Dataset.save_to_disk` the first two, a folder of its
cache the second, one of `DatasetDict.save_to_disk` the third."""

DIFFUSIONDB = frozenset(["image_name", "prompt", "part_id", "seed", "step", "cfg", "sampler"])
"""Columns that only DiffusionDB's ``metadata.parquet`` has together: one row an image."""


def find_sources(
    names: Iterable[Path | str],
    *,
    column: str | None = None,
    count_column: str | None = None,
    output: Path | None = None,
) -> list[SourceSpec]:
    """The sources that paths and globs name, in their order; files of a folder by their names.

    A folder is one source where it is a bank or was saved by `datasets` (a dictionary of splits is
    one source a split); any other folder stands for the files in it, at any depth, whose suffix
    is known, and the banks. Names that start with a dot are left out.

    Args:
        names: Paths and globs.
        column: Of the prompts; see `SourceSpec`.
        count_column: Of their counts.
        output: The folder that is going to be written: none of the sources where a folder or a
            glob stands for it too, so that the same command finds the same sources again.

    Raises:
        DataError: There is no such path, nothing matches, a file is of no known kind, or a bank
            is unfinished.
    """
    sources: dict[Path, None] = {}
    own = None if output is None else os.path.realpath(output)
    for name in names:
        sources |= dict.fromkeys(_named_by(paths.user_path(name), own))
    if not sources:
        raise DataError("no source of prompts was named")
    for path in sources:
        source_kind(path)
    return [SourceSpec(path, column, count_column) for path in sources]


def _named_by(path: Path, own: str | None) -> Sequence[Path]:
    shown = paths.shown(path)
    if paths.is_folder(path):
        if _is_source(path):
            return [path]
        _refuse_unfinished(path)
        return _splits(path) or _known_files(path, own)
    if paths.exists(path):
        return [path]
    if not glob.has_magic(str(path)):
        raise DataError(f"{shown}: no such file or folder")
    matching = sorted(entry.path for entry in glob_entries(path) if not _is(entry.path, own))
    if not matching:
        raise DataError(f"{shown}: matches nothing")
    return [source for match in matching for source in _named_by(match, own)]


def _is(path: Path, own: str | None) -> bool:
    return own is not None and os.path.realpath(path) == own


def _refuse_unfinished(folder: Path) -> None:
    """Raise DataError where a folder is a bank that is being built: its files are no source."""
    if not paths.is_file(folder / MANIFEST) and (problem := unfinished(folder)):
        raise DataError(problem)


def _is_bank(folder: Path) -> bool:
    """Whether a folder that is not being built is a bank."""
    return paths.is_file(folder / MANIFEST) and paths.is_folder(folder / SHARDS)


def _is_source(folder: Path) -> bool:
    """Whether a folder is read as a whole."""
    return any(paths.is_file(folder / name) for name in (MANIFEST, STATE, INFO))


def _splits(folder: Path) -> list[Path]:
    """The folders of the splits of a saved dictionary of them; empty: it is none."""
    path = folder / SPLITS
    if not paths.is_file(path):
        return []
    names = read_json(path, dict).get("splits")
    if not isinstance(names, list) or not names or not all(map(_is_name, names)):
        raise DataError(f"{paths.shown(path)}: names no splits")
    missing = [name for name in names if not paths.is_folder(folder / name)]
    if missing:
        raise DataError(f"{paths.shown(folder / missing[0])}: no such folder; {SPLITS} names it")
    return [folder / name for name in names]


def _is_name(name: object) -> bool:
    """Whether it can be the name of one folder inside another one."""
    return isinstance(name, str) and name not in ("", ".", "..") and not {"/", "\0"} & {*name}


def _known_files(folder: Path, own: str | None) -> list[Path]:
    """The files and the banks in a folder, without the one that is going to be written."""

    def enter(parts: tuple[str, ...], _: bool) -> bool:
        path = folder.joinpath(*parts)
        if is_hidden(parts) or _is(path, own):
            return False
        _refuse_unfinished(path)
        return not _is_bank(path)

    found = []
    for entry in walk(folder, enter):
        if entry.unlisted:
            raise DataError(f"{paths.shown(entry.path)}: {entry.problem}")
        if is_hidden(entry.parts) or _is(entry.path, own):
            continue
        is_file = entry.problem is None and _suffix(entry.path) in SUFFIXES
        if is_file or (entry.problem is not None and _is_bank(entry.path)):
            found.append(entry.path)
    if not found:
        known = ", ".join(SUFFIXES)
        raise DataError(
            f"{paths.shown(folder)}: holds no prompts: no bank, no saved dataset, and no file "
            f"ending in {known}"
        )
    return sorted(found)


def source_kind(path: Path) -> Kind:
    """What a source is.

    Raises:
        DataError: It is missing, of no known kind, or a damaged Parquet file.
    """
    shown = paths.shown(path)
    if paths.is_folder(path):
        if paths.is_file(path / MANIFEST):
            return "bank"
        if _is_source(path):
            return "dataset"
        raise DataError(f"{shown}: is a folder, and neither a bank nor a saved dataset")
    if not paths.exists(path):
        raise DataError(f"{shown}: no such file or folder")
    suffix = _suffix(path)
    if suffix == ".npy":
        raise DataError(f"{shown}: embeddings are no source of prompts; see `unprompt bank import`")
    if suffix not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        raise DataError(
            f"{shown}: not a source of prompts; known are {known}, all but the last one also "
            "with .gz or .zst behind it"
        )
    if suffix != ".parquet":
        return SUFFIXES[suffix]
    from unprompt._data.parquet_columns import column_names

    return "diffusiondb" if DIFFUSIONDB <= set(column_names(path)) else "parquet"


def _suffix(path: Path) -> str:
    return Path(bare_name(path)).suffix.lower()


def source_files(path: Path) -> list[Path]:
    """The files that a source's prompts are read from, for a hash of its content.

    Raises:
        DataError: It is missing, of no known kind, or a folder that is damaged.
    """
    kind = source_kind(path)
    if kind == "bank":
        return [path / MANIFEST]  # which holds the SHA-256 of every other file
    return dataset_files(path) if kind == "dataset" else [path]


def dataset_files(folder: Path) -> list[Path]:
    """The Arrow files of a folder of `datasets`, in the order of their rows.

    Raises:
        DataError: There are none, one is missing, or it has a selection that only an old version
            of `datasets` can apply.
    """
    path = folder / STATE
    if not paths.is_file(path):
        files = sorted(folder.glob("*.arrow"))
        if not files:
            raise DataError(f"{paths.shown(folder)}: a folder of `datasets` without .arrow files")
        return files
    state = read_json(path, dict)
    if state.get("_indices_data_files") or state.get("_indices_files"):
        raise DataError(
            f"{paths.shown(path)}: keeps a selection of rows apart; load and save it again with a "
            "version of `datasets` above 2"
        )
    names = _listed(state.get("_data_files"))
    if not names:
        raise DataError(f"{paths.shown(path)}: names no data files")
    missing = [name for name in names if not paths.is_file(folder / name)]
    if missing:
        raise DataError(f"{paths.shown(folder / missing[0])}: no such file; {STATE} names it")
    return [folder / name for name in names]


def _listed(entries: object) -> list[str]:
    """The names in a list of files; empty where it is no such list."""
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return []
    names = [entry.get("filename") for entry in entries]
    return names if all(map(_is_name, names)) else []
