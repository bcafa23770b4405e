"""The commands of ``unprompt bank`` that use a bank; each imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unprompt._cli.console import progress_on
from unprompt._cli.options import AsJSON, Device, Offline, Precision, Quiet, path_argument

Bank = Annotated[Path, path_argument("A bank's folder.")]


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
        typer.Option(min=0, max=1, help="Search more and more of it until so much is found."),
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
