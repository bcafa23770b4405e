"""What ``unprompt bank`` prints."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from unprompt._cli.cells import text_table
from unprompt._cli.console import say
from unprompt._report.visible import visible
from unprompt.bank.search import LEAST_RECALL
from unprompt.bank.store import StoredBank
from unprompt.bank.store import verify as verify_bank
from unprompt.contracts import Progress
from unprompt.errors import amount

if TYPE_CHECKING:
    from unprompt._pipeline.bank_search import BankHit
    from unprompt.bank.building import Built
    from unprompt.bank.cleaning import Deduplicated
    from unprompt.bank.importing import Imported
    from unprompt.bank.store import BankManifest


def build_command(built: Built) -> None:
    """Print a finished bank, or how far it is."""
    if built.bank is not None:
        typer.echo(bank_table(built.bank))
    else:
        say(
            f"{built.done} of {built.shards} shards are done; the bank is finished when the "
            "processes with the other shards are"
        )
    typer.echo(str(built.folder))


def dedup_command(folder: Path, done: Deduplicated) -> None:
    """Print a bank without near-duplicates."""
    typer.echo(bank_table(StoredBank.open(folder)))
    typer.echo(str(folder))
    say(f"{done.rows - done.dropped:,} of {done.rows:,} prompts are kept")


def import_command(folder: Path, imported: Imported) -> None:
    """Print a bank that was imported."""
    typer.echo(bank_table(StoredBank.open(folder)))
    typer.echo(str(folder))
    if imported.dropped:
        say(f"{imported.dropped:,} rows have no caption and were left out")


def index_command(bank: StoredBank, factory: str) -> None:
    """Print a bank whose indexes were changed, and what a new one is worth."""
    typer.echo(bank_table(bank))
    typer.echo(str(bank.folder))
    made = bank.manifest.index(factory)
    for what, about in () if made is None else made.parts.items():
        say(f"{what}: {about.quality}")
        if about.quality.recall < LEAST_RECALL:
            say(f"{what}: below {LEAST_RECALL:g}, so that it is used only with a lower `recall`")


def info_command(folder: Path, *, verify: bool, as_json: bool, progress: Progress) -> None:
    """Print what a bank says of itself.

    Raises:
        DataError: It is no bank, unfinished or damaged.
    """
    checked = verify_bank(folder, progress) if verify else None
    bank = StoredBank.open(folder)
    if as_json:
        facts = {"identity": bank.manifest.identity, "bytes": bank.manifest.bytes}
        typer.echo(json.dumps(facts | bank.manifest.model_dump(mode="json"), indent=2))
    else:
        typer.echo(bank_table(bank))
    if checked is not None:
        shards = amount(len(bank.manifest.shards), "shard")
        indexes = len(bank.manifest.index_files(folder))
        more = f" and {amount(indexes, 'index', 'indexes')}" if indexes else ""
        say(f"verified: {checked:,} bytes in {shards}{more} are as written")


def search_command(hits: Sequence[BankHit], *, as_json: bool) -> None:
    """Print the prompts that were found."""
    if as_json:
        typer.echo(json.dumps([asdict(hit) for hit in hits], indent=2, ensure_ascii=False))
        return
    header = ["cosine", "count", "row", "prompt"]
    rows = [
        [
            f"{hit.cosine:.4f}",
            f"{hit.count:,}",
            f"{hit.row:,}",
            visible(" ".join(hit.prompt.split())) or "(imported without a prompt)",
        ]
        for hit in hits
    ]
    typer.echo(text_table(header, _right(rows, header, (0, 1, 2))))


def bank_table(bank: StoredBank) -> str:
    """A bank as text: its size, its sources, what was left out, and its models."""
    manifest = bank.manifest
    rows = [
        [
            _line(source.name),
            _line(source.kind),
            f"{source.read:,}",
            f"{source.kept:,}",
            source.pairing or "",
        ]
        for source in manifest.sources
    ]
    header = ["source", "kind", "read", "kept", "paired by"]
    cut = len(header) if manifest.imported else -1
    models = ["", "columns", "size", "model"]
    prompts, shards = amount(manifest.rows, "prompt"), amount(len(manifest.shards), "shard")
    return "\n".join(
        [
            f"{prompts} in {shards}, {size(manifest.bytes)}",
            "",
            text_table(header[:cut], _right([row[:cut] for row in rows], header, (2, 3))),
            "",
            *(_left_out(manifest) if manifest.adds_up else ()),
            *([""] if manifest.adds_up else ()),
            text_table(models, _right(list(_models(manifest)), models, (1, 2))),
        ]
    )


def _left_out(manifest: BankManifest) -> Iterator[str]:
    """What happened to what was read, which adds up."""
    rows = [["read", f"{manifest.read:,}"]]
    for part in manifest.filters:
        value = "" if part.value is None else f" {part.value}"
        rows.append([_line(f"left out: {part.name.replace('_', ' ')}{value}"), f"{part.dropped:,}"])
    if not manifest.imported:  # as it is, with what is repeated
        rows.append(["repeated", f"{manifest.repeated:,}"])
    rows.append(["prompts", f"{manifest.rows:,}"])
    width = max(len(count) for _, count in rows)
    names = max(len(name) for name, _ in rows)
    for name, count in rows:
        yield f"{name.ljust(names)}  {count.rjust(width)}"


def _models(manifest: BankManifest) -> Iterator[list[str]]:
    sizes: dict[str, int] = {}
    for shard in manifest.shards:
        for name, file in shard.files.items():
            sizes[name] = sizes.get(name, 0) + file.bytes
    encoder, backbone = manifest.text_encoder, manifest.backbone
    yield ["prompts", "", size(sizes.get("prompts.parquet", 0)), ""]
    yield [
        "targets",
        f"{manifest.target_dim:,}",
        size(sizes.get("targets.npy", 0)),
        _line(f"{encoder.plugin}: {encoder.identity.partition('@')[0]}"),
    ]
    if backbone is not None:
        yield [
            "keys",
            f"{backbone.dim:,}",
            size(sizes.get("keys.npy", 0)),
            _line(f"{backbone.name}, {backbone.precision}"),
        ]
    for index in manifest.indexes:
        for what, about in index.parts.items():
            found = f"recall@{about.quality.count} {about.quality.recall:.4f}"
            spent = f"{about.quality.milliseconds:.2f} ms a query"
            yield [
                f"index of {what}",
                f"{about.dims:,}",
                size(about.bytes),
                _line(f"{index.factory}, {found}, {spent}"),
            ]


def _line(text: str) -> str:
    """What files and manifests say, on one line of a table: they may hold what moves a cursor."""
    return visible(text).replace("\n", "\N{SYMBOL FOR LINE FEED}").replace("\t", " ")


def size(count: int) -> str:
    """Bytes for people: ``5.2 GB``."""
    number, unit = float(count), "bytes"
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if number < 1000 or unit == "TB":
            break
        number /= 1000
    return f"{count:,} bytes" if unit == "bytes" else f"{number:.1f} {unit}"


def _right(
    rows: Sequence[Sequence[str]], header: Sequence[str], columns: Sequence[int]
) -> list[list[str]]:
    """Rows whose numbers end below each other."""
    widths = {i: max(len(row[i]) for row in (header, *rows)) for i in columns}
    return [[cell.rjust(widths.get(i, 0)) for i, cell in enumerate(row)] for row in rows]
