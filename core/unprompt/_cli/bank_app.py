"""``unprompt bank``: a group of commands; each imports what it needs when it runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

import typer

from unprompt._cli.console import progress_on
from unprompt._cli.options import (
    AsJSON,
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

Bank = Annotated[Path, path_argument("A bank's folder.")]
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


@bank_app.command()
def info(
    folder: Bank,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare every byte with its SHA-256 first.")
    ] = False,
    as_json: AsJSON = False,
    quiet: Quiet = False,
) -> None:
    """Say what a bank holds, where it came from, and what was left out."""
    from unprompt._cli.bank import info_command

    info_command(folder, verify=verify, as_json=as_json, progress=progress_on(quiet=quiet))


@bank_app.command("index")
def index_(
    folder: Bank,
    factory: Annotated[
        str,
        typer.Argument(
            metavar="FACTORY", help="faiss's name of the index, such as IVF4096,RaBitQ4 or HNSW32."
        ),
    ],
    count: Annotated[
        int, typer.Option("--count", "-k", min=1, help="K: the recall is that of the K nearest.")
    ] = 100,
    recall: Annotated[
        float,
        typer.Option(min=0, max=1, help="Search more and more lists until so much is found."),
    ] = 0.99,
    remove: Annotated[bool, typer.Option("--remove", help="Remove this index instead.")] = False,
    quiet: Quiet = False,
) -> None:
    """Make an index for approximate search, and measure it.

    It is compared with exact search on 1,000 queries and kept in the bank's folder, for
    `unprompt bank search --index FACTORY` and for members with
    `bank: {folder: DIR, index: FACTORY}`.
    """
    from unprompt._cli.bank import index_command
    from unprompt.bank.indexing import index_bank, remove_index

    if remove:
        bank = remove_index(folder, factory)
    else:
        bank = index_bank(
            folder, factory, count=count, recall=recall, progress=progress_on(quiet=quiet)
        )
    index_command(bank, factory)


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


@bank_app.command()
def search(
    folder: Bank,
    query: Annotated[
        str, typer.Argument(metavar="TEXT_OR_IMAGE", help="A text, or the file of an image.")
    ],
    count: Annotated[int, typer.Option("--count", "-k", min=1, help="Prompts to print.")] = 10,
    index: Annotated[
        str | None,
        typer.Option(
            metavar="FACTORY",
            help="Search by this index of the bank, approximately. Default: exact search.",
        ),
    ] = None,
    recall: Annotated[
        float,
        typer.Option(min=0, max=1, help="With --index: refuse one that was measured below it."),
    ] = 0.99,
    as_json: AsJSON = False,
    device: Device = "cpu",
    precision: Precision = "float32",
    offline: Offline = False,
    quiet: Quiet = False,
) -> None:
    """Print the prompts that are nearest to a text or an image.

    A text is compared with the bank's targets, an image with its keys.
    """
    from unprompt._cli.bank import search_command
    from unprompt._pipeline.bank_search import search_bank

    hits = search_bank(
        folder,
        query,
        count,
        index=index,
        recall=recall,
        device=device,
        precision=precision,
        offline=offline,
        progress=progress_on(quiet=quiet),
    )
    search_command(hits, as_json=as_json)
