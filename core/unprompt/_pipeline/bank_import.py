"""Importing embeddings that exist as a bank, with the models that they were made with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from unprompt._files.paths import user_path
from unprompt._pipeline.bank_backbone import TextTower, backbone_source, described
from unprompt._pipeline.bank_build import TEXT_ENCODER, encoder_of
from unprompt._pipeline.setup import make_context, runtime_config
from unprompt._registry.plugins import Registry
from unprompt.bank.importing import Format, Imported, import_folder
from unprompt.bank.store import SHARD_ROWS
from unprompt.contracts import Progress, silent
from unprompt.towers import OpenClipSource


def import_bank(
    folder: Path | str,
    output: Path | str,
    *,
    kind: Format,
    backbone: str | OpenClipSource,
    text_encoder: str = TEXT_ENCODER,
    keys: str | None = None,
    column: str = "caption",
    pair_by_position: bool = False,
    normalise: bool = False,
    shard_rows: int = SHARD_ROWS,
    device: str = "cpu",
    precision: str = "float32",
    batch_size: int = 64,
    offline: bool = False,
    progress: Progress = silent,
) -> Imported:
    """Write a bank of embeddings that exist; see `unprompt.bank.importing.import_folder`.

    Args:
        folder: What to import.
        output: A new folder, or an empty one.
        kind: ``shard-pairs`` or ``clip-retrieval``.
        backbone: The CLIP that the keys were made with, see `backbone_source`.
        text_encoder: The plugin whose space the targets are in.
        keys: The folder of keys in each set, where there are several.
        column: Of the captions.
        pair_by_position: The user says that keys and targets are in the same order.
        normalise: Whether rows are divided by their lengths; else these have to be 1.
        shard_rows: Rows of a shard.
        device: A torch device, such as ``cpu`` or ``cuda:0``.
        precision: ``float32``, ``bfloat16`` or ``auto``, of the backbone.
        batch_size: Texts per forward pass.
        offline: Never touch the network.
        progress: Shows progress.

    Raises:
        UnpromptError: A user's mistake; no folder is left behind.
    """
    config = runtime_config(device, precision, batch_size)
    context = make_context(Registry(), config, offline=offline, progress=progress)
    source = backbone_source(backbone)
    encoder, space = encoder_of(text_encoder, context)
    return import_folder(
        user_path(folder),
        user_path(output),
        kind=kind,
        text_encoder=space,
        target_dim=encoder.dim,
        backbone=described(source, context.runtime),
        encode=encoder.encode,
        encode_keys=TextTower(source, replace(context.runtime, progress=silent)),
        keys=keys,
        column=column,
        pair_by_position=pair_by_position,
        normalise=normalise,
        shard_rows=shard_rows,
        progress=progress,
    )
