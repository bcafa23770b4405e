"""``unprompt score``."""

from __future__ import annotations

from pathlib import Path

import typer

from unprompt._cli.setup import workshop
from unprompt._config.models import RuntimeConfig, ScoreConfig, SplitConfig
from unprompt._data.predictions import read_predictions
from unprompt._data.prompts import join, read_prompts
from unprompt._data.splits import near_duplicate_groups
from unprompt._registry.loading import TEXT_ENCODER, Part
from unprompt._registry.plugins import Registry
from unprompt._scoring.intervals import score
from unprompt.contracts.specs import TextEncoderSpec
from unprompt.embeddings import cosine
from unprompt.errors import DataError


def score_command(predictions: Path, prompts: Path, *, quiet: bool) -> None:
    """Print the mean cosine with its interval over groups of near-duplicate prompts."""
    embeddings, table = read_predictions(predictions), read_prompts(prompts)
    ids = join(embeddings, table)
    registry = Registry()
    shop = workshop(registry, RuntimeConfig(), quiet=quiet)
    spec = registry.spec(TEXT_ENCODER, TextEncoderSpec)
    encoder = shop.text_encoder(Part(spec, spec.options()))
    if embeddings.dim != encoder.dim:
        raise DataError(
            f"{predictions}: {embeddings.dim} numbers per picture, {TEXT_ENCODER} has {encoder.dim}"
        )
    targets = encoder.encode([table[name] for name in ids])
    groups = near_duplicate_groups(targets, SplitConfig().group_cosine).astype(str).tolist()
    values = cosine(embeddings.align(ids).rows, targets)
    judging = ScoreConfig()
    found = score(values, groups, samples=judging.bootstrap, seed=judging.seed)
    typer.echo(
        f"{found.mean:.6f} (95 % interval {found.low:.6f} to {found.high:.6f}; "
        f"{len(ids)} pictures in {len(set(groups))} groups)"
    )
