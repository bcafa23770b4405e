"""Models of transformers from a folder: whole, in float32, nothing made up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unprompt.errors import DataError, named
from unprompt.towers.files import loading


def load_pretrained(kind: Any, folder: Path, what: str, owner: str) -> Any:
    """A model from the safetensors of a folder.

    Args:
        kind: A model class of transformers, or an Auto class.
        folder: See `find_folder`.
        what: The model, as an error line names it.
        owner: Who needs it, likewise.

    Raises:
        MissingFileError: See `loading`.
        DataError: See `loading`; or the files lack parameters, which transformers would make up at
            random.
    """
    import torch

    with loading(what, owner):
        model, report = kind.from_pretrained(
            str(folder),
            local_files_only=True,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    if report["missing_keys"]:
        raise DataError(f"{owner}: {what} lacks {named(sorted(report['missing_keys']))}")
    return model
