"""What is needed to explain or repeat the run."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

from unprompt._runs.manifest import Hardware, Manifest


@dataclass(frozen=True, slots=True)
class Record:
    """The section.

    Attributes:
        command: What was typed.
        notes: What a reader of the scores should know.
        tables: By title, what a table's names are, and its names and values.
    """

    command: str
    notes: tuple[str, ...]
    tables: Mapping[str, tuple[str, Mapping[str, str]]]


def record(manifest: Manifest) -> Record:
    """Lay out the manifest."""
    hashes = {
        "experiment": manifest.experiment_hash,
        "data": manifest.data_hash,
        "splits": manifest.splits_hash,
        "text encoder": manifest.text_encoder,
    }
    hashes |= {f"member {name}": digest for name, digest in manifest.members.items()}
    # The program by its name: where it is installed repeats nothing.
    words = [PurePath(word).name if i == 0 else word for i, word in enumerate(manifest.command)]
    return Record(
        command=shlex.join(words),
        notes=manifest.notes,
        tables={
            "Versions": ("Package", manifest.versions),
            "Plugins": ("Name", {name: own.shown for name, own in manifest.plugins.items()}),
            "Machine": ("What", _machine(manifest.hardware)),
            "Hashes": ("Of", hashes),
        },
    )


def _machine(hardware: Hardware) -> dict[str, str]:
    cores = {} if hardware.cores is None else {"cores": str(hardware.cores)}
    return {
        "platform": hardware.platform,
        "processor": hardware.processor,
        **cores,
        "peak memory": f"{hardware.peak_memory_bytes / 2**30:.2f}\N{NO-BREAK SPACE}GiB",
    }
