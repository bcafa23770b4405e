"""The files behind a backbone: whether they are here, how to get them, and their hashes."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unprompt._files.hashing import file_hash
from unprompt.contracts import Need, Runtime
from unprompt.errors import DataError, MissingFileError, first_line

if TYPE_CHECKING:
    import torch

CONFIGURATION = ("*.json", "*.txt", "*.model")
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
OPEN_CLIP_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
_WRAPPERS = ("state_dict", "model_state_dict", "model")
_PREFIXES = ("module.", "_orig_mod.")


def hub_need(repository: str, names: Sequence[str]) -> Need:
    """Whether one of ``names`` of a hub repository is in the local cache.

    Args:
        repository: Such as ``openai/clip-vit-large-patch14``.
        names: File names that do equally well, the best first.
    """
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.constants import HF_HUB_CACHE

    found = [try_to_load_from_cache(repository, name) for name in names]
    hit = next((path for path in found if isinstance(path, str)), None)
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


def folder_needs(folder: Path, *needed: Sequence[str]) -> list[Need]:
    """The files that a folder has to hold; each a list of names that do equally well."""
    here = [[name for name in names if (folder / name).is_file()] for names in needed]
    return [
        Need(what=found[0] if found else " or ".join(names), where=str(folder), here=bool(found))
        for names, found in zip(needed, here, strict=True)
    ]


def check_folder(folder: Path, owner: str, *needed: Sequence[str]) -> None:
    """Open every file of a backbone's folder: what libraries say of a broken one names no file.

    Args:
        folder: The backbone's folder.
        owner: Who needs it, for the error line.
        needed: Files that have to be there, each as names that do equally well.

    Raises:
        MissingFileError: A file is not there or broken; the line names it.
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
            raise MissingFileError(f"{owner}: {path}: cannot be read: {error}") from error


def folder_files(folder: Path) -> list[Path]:
    """Configuration and weights of a folder: everything that a loaded tower depends on."""
    suffixes = (".json", ".txt", ".model", ".safetensors", ".bin")
    return sorted(path for path in folder.iterdir() if path.suffix in suffixes)


def weights_hash(path: Path) -> str:
    """SHA-256 of a file; the hub's cache has it in the name of what a link points to."""
    blob = path.resolve().name
    return blob if re.fullmatch(r"[0-9a-f]{64}", blob) else file_hash(path)


def read_state(path: Path, owner: str) -> dict[str, torch.Tensor]:
    """A state dict from safetensors or from torch's format, without running anything in it.

    Wrappers such as ``{"state_dict": ...}`` and the prefixes that DataParallel (``module.``) and
    torch.compile (``_orig_mod.``) leave are taken off.

    Raises:
        MissingFileError: There is no such file.
        DataError: It holds more than tensors, or none; the line says how to convert it.
    """
    import pickle

    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise MissingFileError(f"{owner}: no file {path}")
    if path.suffix != ".safetensors" and (problem := _no_torch_file(path)):
        raise DataError(f"{owner}: {path}: not weights: {problem}")
    try:
        state: Any = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except pickle.UnpicklingError as error:
        raise DataError(
            f"{owner}: {path} holds Python objects, which unprompt does not run; where you trust "
            f"it, convert it with: {conversion(path)}"
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError, SafetensorError) as error:
        raise DataError(f"{owner}: {path}: not weights: {first_line(error)}") from error
    for wrapper in _WRAPPERS:
        if isinstance(state, dict) and isinstance(state.get(wrapper), dict):
            state = state[wrapper]
    if not isinstance(state, dict) or not all(torch.is_tensor(value) for value in state.values()):
        raise DataError(f"{owner}: {path}: not a state dict; convert it with: {conversion(path)}")
    return {_bare(name): value for name, value in state.items()}


def _no_torch_file(path: Path) -> str | None:
    """Why torch cannot have written the file, such as a page or a pointer saved in its place."""
    with path.open("rb") as file:
        start = file.read(2)
    if start == b"PK":  # torch writes zip archives, and before version 1.6 wrote bare pickles
        return None if zipfile.is_zipfile(path) else "the file is cut short"
    return None if start[:1] == b"\x80" else "neither safetensors nor a file that torch saved"


def conversion(path: Path) -> str:
    """The command that turns a pickled model or checkpoint into a state dict of tensors."""
    target = path.with_suffix(".weights.pth")
    code = (
        f"import torch; m = torch.load('{path}', weights_only=False, map_location='cpu'); "
        f"m = next((m[k] for k in {_WRAPPERS} if k in m), m) if isinstance(m, dict) else m; "
        "m = m if isinstance(m, dict) else m.state_dict(); "
        f"torch.save(dict(m), '{target}')"
    )
    return f'python -c "{code}"'


def _bare(name: str) -> str:
    while name.startswith(_PREFIXES):
        name = name.partition(".")[2]
    return name
