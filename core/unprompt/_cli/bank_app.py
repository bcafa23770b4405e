"""``unprompt bank``: a group of commands; each imports what it needs when it runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

import typer

from unprompt._cli.bank_using import Bank, index_, info, search
from unprompt._cli.console import progress_on
from unprompt._cli.options import (
    BatchSize,
    Device,
    Offline,
    Precision,
    Quiet,
    path_argument,
    path_option,
)

bank_app = typer.Typer(
    help="Build, look at and search banks of prompts.", no_args_is_help=True, rich_markup_mode=None
)

Backbone = Annotated[
    str | None,
    typer.Option(
        metavar="B",
        help="The CLIP that images are searched with: MODEL/TAG of open_clip, hf-hub:ID, a folder, "
        "or package:NAME/PATH. Default: none, and no keys.",
    ),
]
TextEncoder = Annotated[str, typer.Option(help="The plugin of the target space.")]
Output = Annotated[
    Path,
    path_option(
        "The bank's folder: a new one, an empty one, or that of a build to go on with.",
        "--output",
        "-o",
    ),
]


def shard_of(text: str) -> tuple[int, int]:
    """``I/N`` as two numbers."""
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        line = "should be I/N with I from 1 to N, such as 2/4"
        raise typer.BadParameter(line, param_hint="'--shard'")
    return int(match[1]), int(match[2])


@bank_app.command()
def build(
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Text lines, csv, tsv, jsonl, Parquet (also .gz and .zst), folders of Hugging "
            "Face's datasets, other banks; globs and folders of these."
        ),
    ],
    output: Output,
    column: Annotated[
        str | None, typer.Option(help="Column of the prompts. Default: prompt, text or caption.")
    ] = None,
    count_column: Annotated[
        str | None, typer.Option(help="Column of how often each occurred. Default: once a row.")
    ] = None,
    backbone: Backbone = None,
    text_encoder: TextEncoder = "minilm",
    min_length: Annotated[
        int | None, typer.Option(min=1, help="Leave out prompts of fewer letters.")
    ] = None,
    max_length: Annotated[
        int | None, typer.Option(min=1, help="Leave out prompts of more letters.")
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="Leave out prompts of more tokens.")
    ] = None,
    block: Annotated[
        list[str] | None,
        typer.Option(metavar="REGEX", help="Leave out prompts that match; repeatable."),
    ] = None,
    index: Annotated[
        str | None,
        typer.Option(
            metavar="FACTORY",
            help="When it is finished, make an index for approximate search; see `bank index`.",
        ),
    ] = None,
    shard_rows: Annotated[int, typer.Option(min=1, help="Prompts in a shard.")] = 65536,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N", help="Only every N-th shard, from the I-th. Default: any that is free."
        ),
    ] = None,
    device: Device = "cpu",
    precision: Precision = "float32",
    batch_size: BatchSize = 64,
    offline: Offline = False,
    quiet: Quiet = False,
) -> None:
    """Build a bank, or go on with one that was interrupted.

    Several processes can build one together.
    """
    from unprompt._cli.bank import build_command
    from unprompt._pipeline.bank_build import build_bank
    from unprompt._pipeline.bank_filters import Limits

    built = build_bank(
        list(sources),
        output,
        column=column,
        count_column=count_column,
        backbone=backbone,
        text_encoder=text_encoder,
        limits=Limits(min_length, max_length, max_tokens, tuple(block or ())),
        index=index,
        shard_rows=shard_rows,
        shard=None if shard is None else shard_of(shard),
        device=device,
        precision=precision,
        batch_size=batch_size,
        offline=offline,
        progress=progress_on(quiet=quiet),
    )
    build_command(built)


bank_app.command()(info)
bank_app.command("index")(index_)


@bank_app.command()
def dedup(
    folder: Bank,
    output: Annotated[Path, path_option("A new folder, or an empty one.", "--output", "-o")],
    threshold: Annotated[
        float,
        typer.Option(min=0.1, max=1, help="Cosine of targets from which on one is left out."),
    ] = 0.9,
    shard_rows: Annotated[int, typer.Option(min=1, help="Prompts in a shard.")] = 65536,
    quiet: Quiet = False,
) -> None:
    """Write a bank without the near-duplicates of another one.

    Of each cluster the most frequent prompt is kept, with the counts of all.
    """
    from unprompt._cli.bank import dedup_command
    from unprompt.bank import dedup as write

    done = write(
        folder,
        output,
        threshold=threshold,
        shard_rows=shard_rows,
        progress=progress_on(quiet=quiet),
    )
    dedup_command(output, done)


@bank_app.command("import")
def import_(
    folder: Annotated[Path, path_argument("What to import.")],
    output: Annotated[Path, path_option("A new folder, or an empty one.", "--output", "-o")],
    kind: Annotated[
        Literal["shard-pairs", "clip-retrieval"],
        typer.Option(
            "--format",
            help="shard-pairs: npy files of keys and of targets. clip-retrieval: text_emb/*.npy "
            "and metadata/*.parquet.",
        ),
    ],
    backbone: Annotated[
        str,
        typer.Option(
            metavar="B",
            help="The CLIP that the keys were made with: MODEL/TAG of open_clip, hf-hub:ID, a "
            "folder, or package:NAME/PATH.",
        ),
    ],
    text_encoder: TextEncoder = "minilm",
    keys: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Folder of keys in each set, where there are several."),
    ] = None,
    column: Annotated[str, typer.Option(help="Column of the captions.")] = "caption",
    pair_by_position: Annotated[
        bool,
        typer.Option(
            "--pair-by-position",
            help="Keys and targets are in the same order, which nothing in the files says.",
        ),
    ] = False,
    normalise: Annotated[
        bool, typer.Option("--normalise", help="Divide rows by their lengths, which else are 1.")
    ] = False,
    shard_rows: Annotated[int, typer.Option(min=1, help="Prompts in a shard.")] = 65536,
    device: Device = "cpu",
    precision: Precision = "float32",
    batch_size: BatchSize = 64,
    offline: Offline = False,
    quiet: Quiet = False,
) -> None:
    """Write a bank of embeddings that exist, as they are.

    Rows are checked, not encoded again.
    """
    from unprompt._cli.bank import import_command
    from unprompt._pipeline.bank_import import import_bank

    imported = import_bank(
        folder,
        output,
        kind=kind,
        backbone=backbone,
        text_encoder=text_encoder,
        keys=keys,
        column=column,
        pair_by_position=pair_by_position,
        normalise=normalise,
        shard_rows=shard_rows,
        device=device,
        precision=precision,
        batch_size=batch_size,
        offline=offline,
        progress=progress_on(quiet=quiet),
    )
    import_command(output, imported)


bank_app.command()(search)
