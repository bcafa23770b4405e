"""Reading a checkpoint: a state dict of tensors, without running anything in the file."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unprompt.errors import DataError, first_line
from unprompt.towers.files import check_file

if TYPE_CHECKING:
    import torch

_WRAPPERS = ("state_dict", "model_state_dict", "model")
_PREFIXES = ("module.", "_orig_mod.")


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

    check_file(path, owner)
    if path.suffix != ".safetensors" and (problem := _no_torch_file(path)):
        raise DataError(f"{owner}: {path}: not a checkpoint: {problem}")
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
        raise DataError(f"{owner}: {path}: not a checkpoint: {first_line(error)}") from error
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
    target = path.with_suffix(".tensors.pth")
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
