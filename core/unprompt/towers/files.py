"""The files behind a tower: whether they are here, how to get them, and their hashes."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from unprompt._files import paths, reading
from unprompt._files.hashing import content_hash, file_hash
from unprompt.contracts import Need, Runtime
from unprompt.errors import ConfigError, MissingFileError, first_line
from unprompt.towers.messages import check_readable, owned

Origin = Path | str
"""A folder on this machine, or a hub repository, such as ``openai/clip-vit-large-patch14``."""

Names = Sequence[str]
"""Names of one file that do equally well, the best first."""

CONFIGURATION = ("*.json", "*.txt", "*.model")
CHECKPOINT = ("model.safetensors", "model.safetensors.index.json")


def origin_needs(origin: Origin, files: Sequence[Names]) -> list[Need]:
    """Whether each of ``files`` is in the folder, or in the hub's cache; touches no network.

    Raises:
        ConfigError: A repository cannot be called that.
    """
    if isinstance(origin, str):
        return [hub_need(origin, names) for names in files]
    return [_folder_need(origin, names) for names in files]


def find_folder(origin: Origin, files: Sequence[Names], runtime: Runtime, owner: str) -> Path:
    """The folder that holds ``files``: a repository's is in the hub's cache.

    Configuration and parameters in it are opened: what libraries say of a broken file names none.

    Args:
        origin: Where to look.
        files: What has to be there.
        runtime: Whether a repository may be downloaded.
        owner: Who needs it, for error lines.

    Raises:
        MissingFileError: A file is not here and cannot be had; the line says which, where it was
            looked for and how to fetch it.
        DataError: A file is damaged or cannot be read; the line names it.
    """
    folder = _hub_folder(origin, files, runtime, owner) if isinstance(origin, str) else origin
    with owned(owner):
        if not paths.is_folder(folder):
            raise MissingFileError(f"no folder {paths.shown(folder)}")
    missing = [need for need in origin_needs(folder, files) if not need.here]
    if missing:
        raise MissingFileError([f"{owner}: no {need.what} in {need.where}" for need in missing])
    with owned(owner):
        for path in folder_files(folder):
            check_readable(path)
    return folder


def hub_need(repository: str, names: Names) -> Need:
    """Whether a file of a hub repository is in the local cache. Raises as `origin_needs`."""
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


def _folder_need(folder: Path, names: Names) -> Need:
    name = next((name for name in names if paths.is_file(folder / name)), None)
    return Need(name or " or ".join(names), str(folder), name is not None)


def _hub_folder(repository: str, files: Sequence[Names], runtime: Runtime, owner: str) -> Path:
    """The folder of a repository in the local cache, downloaded where it may be."""
    missing = [names for names in files if not hub_need(repository, names).here]
    reason = ""
    if missing and not runtime.offline:
        try:
            _download(repository, missing)
        except Exception as error:  # noqa: BLE001  # the hub's own, its HTTP client's, OSError
            reason = f" ({first_line(error)})"
    needs = [hub_need(repository, names) for names in files]
    lines = [f"{owner}: {missing_line(need)}{reason}" for need in needs if not need.here]
    if lines:
        raise MissingFileError(lines)
    return Path(needs[0].where).parent


def _download(repository: str, missing: Sequence[Names]) -> None:
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


def missing_line(need: Need) -> str:
    """What is missing, where it was looked for, and what would fetch it."""
    line = f"no {need.what}: looked in {need.where}"
    return f"{line}; fetch it with: {need.fetch}" if need.fetch else line


def file_need(path: Path) -> Need:
    """A file on this machine."""
    return Need(path.name, str(path), paths.is_file(path))


def check_file(path: Path, owner: str) -> Path:
    """The path itself.

    Raises:
        MissingFileError: There is no such file.
        DataError: It is no regular file, may not be read, or is a Git LFS pointer.
    """
    with owned(owner):
        if not paths.is_file(path):
            raise MissingFileError(f"no file {paths.shown(path)}")
        reading.check_file(path)
    return path


def folder_files(folder: Path) -> list[Path]:
    """Configuration and parameters of a folder: everything that a loaded tower depends on."""
    suffixes = (".json", ".txt", ".model", ".safetensors", ".bin")
    with reading.reading(folder):
        files = [path for path in folder.iterdir() if path.suffix in suffixes]
    return sorted(path for path in files if not path.is_dir())


def hub_file_hash(path: Path) -> str:
    """SHA-256 of a file; the hub's cache has it in the name of what a link points to."""
    blob = Path(os.path.realpath(path)).name
    return blob if re.fullmatch(r"[0-9a-f]{64}", blob) else file_hash(path)


def files_hash(files: Sequence[Path]) -> str:
    """One hash of the content of files, whatever they are called."""
    return content_hash([(path.suffix, hub_file_hash(path)) for path in files])
