"""Building a bank from what people name: sources, a backbone, a text encoder, limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from unprompt._data.space import TextSpace
from unprompt._files import paths
from unprompt._files.paths import user_path
from unprompt._members.context import Context
from unprompt._pipeline.bank_backbone import TextTower, backbone_source, described
from unprompt._pipeline.bank_filters import Limits, filters_of, folded
from unprompt._pipeline.setup import make_context, runtime_config
from unprompt._registry.parts import Part
from unprompt._registry.plugins import Registry
from unprompt.bank.building import Built, Encoder, HeldRows, Plan, build, collect
from unprompt.bank.building.sources import BankRows, OpenedSource
from unprompt.bank.indexing import index_bank
from unprompt.bank.search.filling import check_factory
from unprompt.bank.sources import find_sources
from unprompt.bank.store import SHARD_ROWS, BankBackbone, BankManifest
from unprompt.bank.store.manifest import KEYS, TARGETS, VERSION
from unprompt.contracts import Progress, TextEncoder, silent
from unprompt.contracts.specs import TextEncoderSpec
from unprompt.errors import ConfigError, UnpromptError
from unprompt.towers import OpenClipSource
from unprompt.types import PlainData

TEXT_ENCODER = "minilm"
"""The plugin of the text encoder where none is named."""


def build_bank(
    sources: Sequence[Path | str] | Path | str,
    output: Path | str,
    *,
    column: str | None = None,
    count_column: str | None = None,
    backbone: str | OpenClipSource | None = None,
    text_encoder: str = TEXT_ENCODER,
    limits: Limits | None = None,
    index: str | None = None,
    shard_rows: int = SHARD_ROWS,
    shard: tuple[int, int] | None = None,
    device: str = "cpu",
    precision: str = "float32",
    batch_size: int = 64,
    offline: bool = False,
    progress: Progress = silent,
) -> Built:
    """Build a prompt bank on disk, or go on with one that was interrupted.

    Exact duplicates, after folding of case and white space, are one prompt with a count. Several
    processes and machines can build one bank at once: the same call joins in.

    Args:
        sources: Text lines, csv, tsv, jsonl and Parquet files, folders that Hugging Face's
            `datasets` saved, other banks; globs and folders of such files. What another bank has
            embedded with the same models is copied.
        output: The bank's folder: a new or an empty one, or the one of the call before.
        column: The column of the prompts; None: ``prompt``, ``text`` or ``caption``.
        count_column: The column with how often each prompt occurred; None: every row is one.
        backbone: The CLIP that the bank is searched with, see `backbone_source`; None: a bank
            without keys.
        text_encoder: The plugin of the target space.
        limits: Which prompts are left out; None: those without text.
        index: faiss's name of an index for approximate search, which is made when all shards are
            done, see `unprompt.bank.index_bank`; None: search is exact.
        shard_rows: Rows of a shard: what a killed build has to encode again.
        shard: ``(i, n)``, i from 1 to n: every n-th shard only, beginning with the i-th.
        device: A torch device, such as ``cpu`` or ``cuda:0``.
        precision: ``float32``, ``bfloat16`` or ``auto``, of the backbone.
        batch_size: Texts per forward pass.
        offline: Never touch the network.
        progress: Shows progress.

    Returns:
        How many shards are done, and the bank where all are.

    Raises:
        UnpromptError: A user's mistake; without a finished shard no folder is left behind.
    """
    if shard_rows < 1:
        raise ConfigError(f"--shard-rows: should be at least 1, got {shard_rows}")
    if shard is not None and not 1 <= shard[0] <= shard[1]:
        raise ConfigError(f"--shard: should be I/N with I from 1 to N, got {shard[0]}/{shard[1]}")
    several = [sources] if isinstance(sources, str | Path) else list(sources)
    folder = user_path(output)
    found = find_sources(several, column=column, count_column=count_column, output=folder)
    opened = [OpenedSource(spec) for spec in found]
    config = runtime_config(device, precision, batch_size)
    context = make_context(Registry(), config, offline=offline, progress=progress)
    tower = None if backbone is None else backbone_source(backbone)
    plan = _plan(opened, tower, text_encoder, limits or Limits(), shard_rows, context)
    if index is not None:
        check_factory(plan.target_dim, index)
    built = build(folder, plan, share=shard, progress=progress)
    if index is None or built.bank is None or built.bank.manifest.index(index) is not None:
        return built
    try:
        return replace(built, bank=index_bank(built.folder, index, progress=progress))
    except UnpromptError as error:
        shown = paths.shown(built.folder)
        error.add_note(f"{shown}: the bank is finished, without this index")
        raise


def _plan(
    sources: Sequence[OpenedSource],
    backbone: OpenClipSource | None,
    text_encoder: str,
    limits: Limits,
    shard_rows: int,
    context: Context,
) -> Plan:
    encoder, space = encoder_of(text_encoder, context)
    keys = None if backbone is None else described(backbone, context.runtime)
    filters = filters_of(limits, encoder)
    encoders = [
        Encoder(
            TARGETS,
            f"text encoder {text_encoder!r}",
            encoder.dim,
            encoder.encode,
            tuple(_held_targets(source, space) for source in sources),
        )
    ]
    if keys is not None and backbone is not None:
        held = tuple(_held_keys(source, keys) for source in sources)
        tower = TextTower(backbone, context.runtime)
        encoders.append(Encoder(KEYS, f"backbone {keys.name}", keys.dim, tower, held))
    runtime = context.runtime
    request: dict[str, PlainData] = {
        "layout": VERSION,
        "sources": [source.request for source in sources],
        "filters": [[rule.name, rule.value] for rule in filters],
        "shard_rows": shard_rows,
        "text_encoder": [
            encoder.identity,
            context.registry.foreign_code(space.plugin, TextEncoderSpec),
        ],
        "backbone": None if keys is None else keys.identity,
        "precision": runtime.precision,
        "batch_size": runtime.batch_size,
    }
    first_stage = partial(
        collect,
        sources=sources,
        filters=filters,
        folded=folded,
        shard_rows=shard_rows,
        progress=runtime.progress,
    )
    return Plan(request, space, encoder.dim, keys, tuple(encoders), first_stage)


def encoder_of(name: str, context: Context) -> tuple[TextEncoder, TextSpace]:
    """A plugin's text encoder with its default options, and what files say of it.

    Its rows are not cached: a bank is where they are kept.

    Raises:
        PluginError: There is no such plugin, or it offers no text encoder.
    """
    spec = context.registry.spec(name, TextEncoderSpec)
    part = Part(spec, spec.options())
    quiet = replace(context.runtime, progress=silent)
    encoder: TextEncoder = context.registry.build(spec, part.options, quiet)
    return encoder, TextSpace(**part.plain(), identity=encoder.identity)


def _held_targets(source: OpenedSource, space: TextSpace) -> HeldRows | None:
    """A source's targets, where it is a bank of the same text encoder."""
    bank = source.bank
    if bank is None or bank.manifest.text_encoder.identity != space.identity:
        return None
    return BankRows(bank, "targets")


def _held_keys(source: OpenedSource, backbone: BankBackbone) -> HeldRows | None:
    """A source's keys, where it is a bank of the same backbone in the same precision."""
    manifest: BankManifest | None = source.bank.manifest if source.bank else None
    if manifest is None or manifest.backbone is None or source.bank is None:
        return None
    own = (manifest.backbone.identity, manifest.backbone.precision)
    same = own == (backbone.identity, backbone.precision)
    return BankRows(source.bank, "keys") if same else None
