"""Models of transformers from a folder: whole, in float32, nothing made up."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unprompt.errors import DataError
from unprompt.towers.messages import check_size, loading, silent
from unprompt.towers.state import PREFIXES, bare, misfit_line, no_numbers

if TYPE_CHECKING:
    import torch

_WITHOUT_PREFIXES = {rf"^(?:{'|'.join(map(re.escape, PREFIXES))})+": ""}
"""Keys as transformers renames them."""


def load_pretrained(kind: Any, folder: Path, what: str, owner: str) -> Any:
    """A model from the safetensors of a folder.

    Args:
        kind: A model class of transformers, or an Auto class.
        folder: See `find_folder`.
        what: The model, as an error line names it.
        owner: Who needs it, likewise.

    Raises:
        MissingFileError: See `loading`.
        DataError: See `loading`; or the files lack parameters or have others of another shape,
            which transformers would make up at random; names the first of each.
    """
    import torch

    with loading(what, owner), silent():
        check_size(_sketch(kind, folder), folder.iterdir())
        model, report = kind.from_pretrained(
            str(folder),
            local_files_only=True,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are in the report, and refused below
            key_mapping=_WITHOUT_PREFIXES if _prefixed(folder) else None,
        )
    missing, shapes = sorted(report["missing_keys"]), _shapes(report["mismatched_keys"])
    if missing or shapes:
        # Others may be there: a whole CLIP is a checkpoint of its vision tower, too.
        unexpected = sorted(report["unexpected_keys"]) if missing else []
        line = misfit_line(missing, unexpected, shapes)
        raise DataError(f"{owner}: {what}: not a checkpoint of its configuration: {line}")
    own = model.state_dict()
    if problem := _integers(folder, own) or no_numbers(own, own):
        raise DataError(f"{owner}: {what}: not a checkpoint: {problem}")
    return model


def _sketch(kind: Any, folder: Path) -> Any:
    """The model that the configuration describes, on the device ``meta``."""
    import torch
    from transformers import AutoConfig

    known = getattr(kind, "config_class", None)
    config = (known or AutoConfig).from_pretrained(str(folder), local_files_only=True)
    with torch.device("meta"):
        return kind(config) if known else kind.from_config(config)


def _prefixed(folder: Path) -> bool:
    """Whether a key of the folder's checkpoint has the prefix of a wrapper."""
    from safetensors import safe_open

    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "numpy") as file:
            if any(name.startswith(PREFIXES) for name in file.keys()):  # noqa: SIM118  # no mapping
                return True
    return False


def _integers(folder: Path, own: Mapping[str, torch.Tensor]) -> str | None:
    """Which of a model's parameters are integers in its files: transformers would take them."""
    from safetensors import safe_open

    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "numpy") as file:
            for name in file.keys():  # noqa: SIM118  # no mapping
                kind = file.get_slice(name).get_dtype()
                known = own.get(bare(name))
                if known is None or not known.is_floating_point():
                    continue
                if re.match(r"[IU]\d|BOOL", kind):
                    return f"the numbers of {name!r} are {kind}, not floating-point"
    return None


def _shapes(mismatched: Iterable[Sequence[Any]]) -> list[str]:
    """The keys of another shape, and both shapes."""
    return sorted(f"{name} {tuple(has)}, not {tuple(want)}" for name, has, want in mismatched)
