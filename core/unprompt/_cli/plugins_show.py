"""``unprompt plugins show``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from shutil import get_terminal_size
from textwrap import wrap
from typing import Any

import typer
import yaml

from unprompt._cli.cells import text_table
from unprompt._config.option_rows import AS_BELOW, OptionRow
from unprompt._registry.details import Details, Offer, details
from unprompt._registry.plugins import Registry


def show_command(name: str, *, as_json: bool) -> None:
    """Print what a plugin offers; loads its light module only."""
    registry = Registry()
    claim = registry.claim(name)
    shown = details(claim, registry.reference(claim))
    typer.echo(json.dumps(_plain(shown), indent=2) if as_json else "\n".join(_lines(shown)))


def _plain(shown: Details) -> dict[str, Any]:
    """As JSON; the example as YAML text, too."""
    plain = asdict(shown)
    for offer, entry in zip(shown.offers, plain["offers"], strict=True):
        entry["yaml"] = example_block(offer)
    return plain


def _lines(shown: Details) -> Iterator[str]:
    claim = shown.claim
    yield f"{claim.name}: from {claim.owner}, module {claim.module}"
    yield f"hooks: {', '.join(shown.hooks) or 'none'}"
    if shown.hooks and not shown.offers:  # an observer without options
        yield f"\nobservers:\n  - {shown.reference}"
    for offer in shown.offers:
        reads = ", reads prompts that are in the file" if offer.reads else ""
        yield ""
        yield f"{offer.kind}: {offer.summary} ({offer.target}{reads})"
        yield ""
        yield _table(offer.options) if offer.options else "It has no options."
        yield ""
        if offer.problem:
            yield f"Begin with this; the plugin asks for more: {offer.problem}"
        yield example_block(offer).rstrip("\n")


def _table(rows: tuple[OptionRow, ...]) -> str:
    """The options; columns that say nothing are left out."""
    columns = {
        "option": [row.key for row in rows],
        "type": [", ".join(filter(None, (row.type, row.limits))) for row in rows],
        "default": [row.default or ("required" if row.required else "") for row in rows],
        "unit": [row.unit for row in rows],
        "meaning": [row.meaning for row in rows],
    }
    filled = {head: cells for head, cells in columns.items() if any(cells)}
    table = text_table(list(filled), [list(line) for line in zip(*filled.values(), strict=True)])
    width = get_terminal_size().columns
    if not sys.stdout.isatty() or max(map(len, table.splitlines())) <= width:
        return table
    return "\n".join(line for row in rows for line in _entry(row, width))


def _entry(row: OptionRow, width: int) -> Iterator[str]:
    """An option in lines that fit a terminal: what it may be, and below it what it means."""
    facts = [row.type, row.limits, row.unit and f"in {row.unit}", "required" * row.required]
    if row.default and row.default != AS_BELOW:
        facts.append(f"default {row.default}")
    head = f"{row.key}: {', '.join(filter(None, facts))}"
    for text, indent in ((head, ""), (row.meaning, "    ")):
        yield from wrap(
            text,
            max(width, 40),
            initial_indent=indent,
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )


def example_block(offer: Offer) -> str:
    """The example as YAML, an option a line; those without a default are marked."""
    required = {row.key for row in offer.options if row.required}
    ((key, content),) = offer.example.items()
    part: Mapping[str, Any] = content[0] if isinstance(content, list) else content
    first, rest = ("  - ", "    ") if isinstance(content, list) else ("  ", "  ")
    lines = [f"{key}:", f"{first}plugin: {part['plugin']}"]
    if options := part.get("options"):
        lines.append(f"{rest}options:")
        for name, value in options.items():
            mark = "  # required" if name in required else ""
            lines.append(f"{rest}  {_flow(name, value)}{mark}")
    return "\n".join(lines) + "\n"


def _flow(name: str, value: Any) -> str:
    """``name: value`` on one line."""
    text = yaml.safe_dump(
        {name: value}, default_flow_style=True, width=float("inf"), allow_unicode=True
    )
    return text.strip()[1:-1]
