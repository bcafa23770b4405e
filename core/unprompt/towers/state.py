"""Reading a checkpoint: a state dict of tensors, without running anything in the file."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unprompt._files.reading import reading
from unprompt.errors import DataError, named
from unprompt.towers.files import check_file
from unprompt.towers.messages import owned, said

if TYPE_CHECKING:
    import torch

_WRAPPERS = ("state_dict", "model_state_dict", "model")
PREFIXES = ("module.", "_orig_mod.")
"""What DataParallel and torch.compile put in front of every key."""

_OBJECTS = re.compile(r"\bGLOBAL\b|Unsupported (global|class)")
"""What torch says where a pickle names something that is no tensor; other refusals are damage."""

_GROWTH = 4
"""How many times a file's size its tensors may have: a view can repeat one number for ever."""


def read_state(path: Path, owner: str) -> dict[str, torch.Tensor]:
    """A state dict from safetensors or from torch's format, without running anything in it.

    Wrappers such as ``{"state_dict": ...}`` and the prefixes that DataParallel (``module.``) and
    torch.compile (``_orig_mod.``) leave are taken off.

    Raises:
        MissingFileError: There is no such file.
        DataError: It is damaged, or holds more than tensors, or none; the line says how to
            convert it.
    """
    import torch

    check_file(path, owner)
    with owned(owner):
        state = _safetensors(path) if path.suffix == ".safetensors" else _torch(path)
        for wrapper in _WRAPPERS:
            if isinstance(state, dict) and isinstance(state.get(wrapper), dict):
                state = state[wrapper]
        if not isinstance(state, dict) or not all(map(torch.is_tensor, state.values())):
            raise DataError(f"{path}: not a state dict; convert it with: {conversion(path)}")
        if problem := _unusable(state, path):
            raise DataError(f"{path}: not a checkpoint: {problem}")
    return {bare(name): value for name, value in state.items()}


def _safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    with reading(path, SafetensorError):
        return load_file(path)


def _torch(path: Path) -> Any:
    import pickle

    import torch

    if problem := _no_torch_file(path):
        raise DataError(f"{path}: not a checkpoint: {problem}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of protocols, which damaged files have at random
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if not _OBJECTS.search(str(error)):
            raise DataError(f"{path}: not a checkpoint: the file is damaged") from error
        raise DataError(
            f"{path} holds Python objects, which unprompt does not run; where you trust "
            f"it, convert it with: {conversion(path)}"
        ) from error
    except Exception as error:  # unpickling damaged bytes can end in any of Python's
        raise DataError(f"{path}: not a checkpoint: {said(error)}") from error


def _no_torch_file(path: Path) -> str | None:
    """Why torch cannot have written the file, such as a page saved in its place."""
    with reading(path), path.open("rb") as file:
        start = file.read(2)
    if start != b"PK":  # torch writes zip archives, and before version 1.6 wrote bare pickles
        known = start[:1] == b"\x80"
        return None if known else "neither safetensors nor a file that torch saved"
    try:
        with reading(path), zipfile.ZipFile(path) as archive:
            declared = sum(entry.file_size for entry in archive.infolist())
    except DataError:
        return "the file is cut short or damaged"
    # torch compresses nothing.
    return None if declared <= path.stat().st_size else "it declares more bytes than it has"


def _unusable(state: Mapping[Any, torch.Tensor], path: Path) -> str | None:
    """Why nothing can be filled with these tensors."""
    import torch

    if not state:
        return "it holds no tensors"
    if not all(isinstance(name, str) for name in state):
        return "its keys are not names"
    if any(value.layout != torch.strided or value.is_quantized for value in state.values()):
        return "it holds sparse or quantised tensors"
    size = sum(value.numel() * value.element_size() for value in state.values())
    if size > _GROWTH * path.stat().st_size:
        return "its tensors are larger than the file"
    return None


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


def bare(name: str) -> str:
    """A key without the prefixes of wrappers."""
    while name.startswith(PREFIXES):
        name = name.partition(".")[2]
    return name


def misfit(own: Mapping[str, torch.Tensor], state: Mapping[str, torch.Tensor]) -> str | None:
    """Which keys of a checkpoint are not the model's, the first of each kind; None: it fits.

    Args:
        own: The model's state dict.
        state: The checkpoint's.
    """
    shapes = [
        f"{name} {tuple(state[name].shape)}, not {tuple(own[name].shape)}"
        for name in own
        if name in state and state[name].shape != own[name].shape
    ]
    missing = [name for name in own if name not in state]
    return misfit_line(missing, [name for name in state if name not in own], shapes)


def no_numbers(own: Mapping[str, torch.Tensor], state: Mapping[str, torch.Tensor]) -> str | None:
    """Why tensors of the right names and shapes are no parameters; None where they are.

    Args:
        own: The model's state dict.
        state: The checkpoint's.
    """
    floats = {
        name: value
        for name, value in state.items()
        if name in own and own[name].is_floating_point()
    }
    for name, value in floats.items():
        if not value.is_floating_point():
            kind = str(value.dtype).removeprefix("torch.")
            return f"the numbers of {name!r} are {kind}, not floating-point"
    # Ends at the first tensor of a checkpoint that is one.
    return None if any(value.any() for value in floats.values()) else "it holds only zeros"


def misfit_line(missing: list[str], unexpected: list[str], shapes: list[str]) -> str | None:
    """Names the keys that do not fit, and counts them; None where there are none."""
    kinds = {"missing": missing, "unexpected": unexpected, "of another shape": shapes}
    parts = [f"{what} ({len(keys)}): {named(keys)}" for what, keys in kinds.items() if keys]
    return "; ".join(parts) or None
