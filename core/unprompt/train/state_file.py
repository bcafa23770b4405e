"""The file of a checkpoint: tensors and what is written beside them, with a checksum of both.

safetensors has no checksum: without ours a training would go on from a flipped bit silently.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unprompt._files import paths
from unprompt._files.reading import check_file, reading
from unprompt._files.refusals import room_needed
from unprompt._files.writing import replacing
from unprompt.errors import DataError
from unprompt.types import Json

if TYPE_CHECKING:
    import torch

_CONTENT, _CHECKSUM = "unprompt.fit", "unprompt.crc32"


def write_state(
    path: Path, tensors: Mapping[str, torch.Tensor], content: Mapping[str, Json]
) -> None:
    """Write tensors, by rename.

    Args:
        path: The file.
        tensors: By name, on any device.
        content: Goes into the file's header.

    Raises:
        OutputError: It cannot be written; what was there before still is.
    """
    from safetensors.torch import save_file

    kept: dict[str, torch.Tensor] = {}
    shared: set[int] = set()
    for name, value in tensors.items():
        whole = value.detach().cpu().contiguous()
        # Tied parameters are written under each of their names.
        kept[name] = whole.clone() if whole.data_ptr() in shared else whole
        shared.add(whole.data_ptr())
    text = json.dumps(content)
    metadata = {_CONTENT: text, _CHECKSUM: _checksum(text, kept)}
    with replacing(path) as part, room_needed(path):
        save_file(kept, part, metadata=metadata)


def read_state(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Tensors and content of a file that `write_state` wrote.

    Raises:
        DataError: It is gone, damaged (one bit is enough) or another file.
    """
    from safetensors import SafetensorError, safe_open

    check_file(path)
    with reading(path, SafetensorError), safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
    try:
        text = metadata[_CONTENT]
        content: dict[str, Any] = json.loads(text)
    except (KeyError, json.JSONDecodeError) as error:
        raise DataError(f"{paths.shown(path)}: not a checkpoint of a training") from error
    # Checkpoints from before there were checksums have none.
    if _CHECKSUM in metadata and metadata[_CHECKSUM] != _checksum(text, tensors):
        raise DataError(f"{paths.shown(path)}: damaged: its content has another checksum")
    return tensors, content


def _checksum(text: str, tensors: Mapping[str, torch.Tensor]) -> str:
    """Of names, types, shapes and bytes: CRC-32, as gigabytes are written each minute."""
    import torch

    total = zlib.crc32(text.encode())
    for name in sorted(tensors):
        value = tensors[name]
        total = zlib.crc32(f"{name} {value.dtype} {[*value.shape]}".encode(), total)
        content: Any = value.reshape(-1).view(torch.uint8).numpy()  # numpy's types know no buffer
        total = zlib.crc32(content, total)
    return f"{total:08x}"
