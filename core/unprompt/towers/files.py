"""The files behind a backbone: whether they are here, how to get them, and their hashes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from unprompt._files.hashing import file_hash
from unprompt.contracts import Need, Runtime
from unprompt.errors import ConfigError, DataError, MissingFileError, first_line, named

CONFIGURATION = ("*.json", "*.txt", "*.model")
CHECKPOINT = ("model.safetensors", "model.safetensors.index.json")
OPEN_CLIP_CHECKPOINT = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")


def hub_need(repository: str, names: Sequence[str]) -> Need:
    """Whether one of ``names`` of a hub repository is in the local cache.

    Args:
        repository: Such as ``openai/clip-vit-large-patch14``.
        names: File names that do equally well, the best first.

    Raises:
        ConfigError: A repository cannot be called that.
    """
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.constants import HF_HUB_CACHE
    from huggingface_hub.errors import HFValidationError

    try:
        cached = [try_to_load_from_cache(repository, name) for name in names]
    except HFValidationError as error:
        raise ConfigError(f"{repository!r} is no hub id: {first_line(error)}") from error
    hit = next((path for path in cached if isinstance(path, str)), None)
    return Need(
        what=f"{names[0]} of {repository}",
        where=hit or str(Path(HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}"),
        here=hit is not None,
        fetch=f"hf download {repository} {names[0]}",
    )


def hub_folder(
    repository: str, needed: Sequence[Sequence[str]], runtime: Runtime, owner: str
) -> Path:
    """The folder of a hub repository in the local cache, downloaded where it may be.

    Args:
        repository: Such as ``openai/clip-vit-large-patch14``.
        needed: For each file that has to be there, the names that do equally well.
        runtime: Says whether the network may be used.
        owner: Who needs it, for error lines.

    Raises:
        MissingFileError: A file is not here and cannot be had; the line says which, where it was
            looked for and how to fetch it.
    """
    missing = [names for names in needed if not hub_need(repository, names).here]
    reason = ""
    if missing and not runtime.offline:
        try:
            _download(repository, missing)
        except Exception as error:  # noqa: BLE001  # the hub's own, its HTTP client's, OSError
            reason = f" ({first_line(error)})"
    needs = [hub_need(repository, names) for names in needed]
    missing_needs = [need for need in needs if not need.here]
    if missing_needs:
        raise MissingFileError([missing_line(owner, need) + reason for need in missing_needs])
    return Path(needs[0].where).parent


def _download(repository: str, missing: Sequence[Sequence[str]]) -> None:
    """Fetch configuration, the first name that exists of each file, and shards of an index."""
    from huggingface_hub import hf_hub_download, snapshot_download
    from huggingface_hub.errors import EntryNotFoundError

    snapshot_download(repository, allow_patterns=list(CONFIGURATION))
    for names in missing:
        for name in names:
            try:
                hf_hub_download(repository, name)
            except EntryNotFoundError:
                continue  # the repository keeps it under another of the names
            if name.endswith(".index.json"):
                shards = name.replace(".safetensors.index.json", "-*.safetensors")
                snapshot_download(repository, allow_patterns=[shards])
            break


def missing_line(owner: str, need: Need) -> str:
    """One line: what is missing, where it was looked for, and what would fetch it."""
    line = f"{owner}: no {need.what}: looked in {need.where}"
    return f"{line}; fetch it with: {need.fetch}" if need.fetch else line


def file_need(path: Path) -> Need:
    """A file on this machine."""
    return Need(path.name, str(path), path.is_file())


def folder_needs(folder: Path, *needed: Sequence[str]) -> list[Need]:
    """The files that a folder has to hold; each a list of names that do equally well."""
    there = [[name for name in names if (folder / name).is_file()] for names in needed]
    return [
        Need(what=some[0] if some else " or ".join(names), where=str(folder), here=bool(some))
        for names, some in zip(needed, there, strict=True)
    ]


def check_file(path: Path, owner: str) -> Path:
    """The path itself.

    Raises:
        MissingFileError: There is no such file.
    """
    if not path.is_file():
        raise MissingFileError(f"{owner}: no file {path}")
    return path


def check_folder(folder: Path, owner: str, *needed: Sequence[str]) -> None:
    """Open every file of a backbone's folder: what libraries say of a broken one names no file.

    Args:
        folder: The backbone's folder.
        owner: Who needs it, for the error line.
        needed: Files that have to be there, each as names that do equally well.

    Raises:
        MissingFileError: A file is not there; the line names it.
        DataError: A file is damaged or cannot be read; the line names it.
    """
    from safetensors import SafetensorError, safe_open

    if not folder.is_dir():
        raise MissingFileError(f"{owner}: no folder {folder}")
    missing = [need for need in folder_needs(folder, *needed) if not need.here]
    if missing:
        raise MissingFileError([f"{owner}: no {need.what} in {need.where}" for need in missing])
    for path in folder_files(folder):
        try:
            if path.suffix == ".json":
                json.loads(path.read_text(encoding="utf-8"))
            elif path.suffix == ".safetensors":
                with safe_open(path, "numpy"):
                    pass  # opening checks the header against the file's size
        except (OSError, ValueError, SafetensorError) as error:
            raise DataError(f"{owner}: {path}: cannot be read: {error}") from error


def folder_files(folder: Path) -> list[Path]:
    """Configuration and parameters of a folder: everything that a loaded tower depends on."""
    suffixes = (".json", ".txt", ".model", ".safetensors", ".bin")
    return sorted(path for path in folder.iterdir() if path.suffix in suffixes)


def hub_file_hash(path: Path) -> str:
    """SHA-256 of a file; the hub's cache has it in the name of what a link points to."""
    blob = path.resolve().name
    return blob if re.fullmatch(r"[0-9a-f]{64}", blob) else file_hash(path)


@contextmanager
def loading(what: object, owner: str) -> Iterator[None]:
    """Turn what a library says of files that it cannot use into one line.

    Args:
        what: The files, as an error line names them.
        owner: Who needs them, likewise.

    Raises:
        MissingFileError: One more file is needed and not there: libraries raise OSError then, and
            `check_folder` has opened those that are there.
        DataError: They hold something else than the library wants.
    """
    try:
        yield
    except OSError as error:
        raise MissingFileError(f"{owner}: cannot load {what}: {first_line(error)}") from error
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise DataError(f"{owner}: cannot load {what}: {first_line(error)}") from error


def check_complete(missing_keys: Sequence[str], what: str, owner: str) -> None:
    """Refuse parameters that are not in the files: transformers would make them up at random.

    Raises:
        DataError: There are some.
    """
    if missing_keys:
        raise DataError(f"{owner}: {what} lacks {named(sorted(missing_keys))}")
