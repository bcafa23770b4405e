"""``unprompt check``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import typer

from unprompt._cli.cells import text_table
from unprompt._config.models import RuntimeConfig
from unprompt._data.checking import readable
from unprompt._data.image_input import as_images
from unprompt._members.dry_run import DryRun, Requirements, dry_run, noise, requirements
from unprompt._pipeline.setup import ensemble_file, make_context
from unprompt._registry.loading import load_ensemble
from unprompt._registry.parts import Ensemble, Member
from unprompt._registry.plugins import Registry
from unprompt.contracts import Images, Runtime

GIB = 2**30
NOISE = 2
"""Images of a dry run that is given none: heads need at least two to learn from."""


def check_command(
    path: Path,
    *,
    images: Sequence[str],
    dry_run: bool,
    config: RuntimeConfig,
    overrides: Sequence[str],
) -> None:
    """Say what an ensemble needs; exit 1 if a file is missing or a dry run fails."""
    registry = Registry()
    ensemble = load_ensemble(ensemble_file(path), registry, overrides)
    inputs = _readable(images) if images else noise(NOISE)
    runtime = make_context(registry, config, offline=True).runtime
    required = {member.name: requirements(member, registry, runtime) for member in ensemble.members}
    typer.echo(_files(required))
    typer.echo(f"\n{_sizes(required)}")
    if dry_run:
        failed = _dry_run(ensemble, inputs, runtime)
    else:
        failed = any(
            member.problem or not all(need.here for need in member.needs)
            for member in required.values()
        )
    raise typer.Exit(int(failed))


def _readable(arguments: Sequence[str]) -> Images:
    """The images that the arguments name, each opened once; says what is left out."""
    checked = readable(as_images(arguments), os.cpu_count() or 1, skip=False)
    for line in checked.report.lines(len(checked.images), "readable"):
        typer.echo(line, err=True)
    return checked.images


def _files(required: Mapping[str, Requirements]) -> str:
    """Each member's files: where they are, or how to get them."""
    rows = [
        [name, "here" if need.here else "MISSING", need.what, need.where]
        for name, member in required.items()
        for need in member.needs
    ]
    lines = [text_table(["member", "", "file", "where"], rows)] if rows else ["no files needed"]
    missing = [need for member in required.values() for need in member.needs if not need.here]
    fetch = _merged([need.fetch for need in missing if need.fetch])
    if fetch:
        lines += ["", "To fetch what is missing:", *(f"  {command}" for command in fetch)]
    return "\n".join(lines)


def _merged(commands: Sequence[str]) -> list[str]:
    """``hf download REPOSITORY FILE`` of one repository as one command."""
    merged: dict[str, list[str]] = {}
    for command in dict.fromkeys(commands):
        head, _, file = command.rpartition(" ")
        same = command.startswith("hf download ")
        merged.setdefault(head if same else command, []).extend([file] if same else [])
    return [" ".join([head, *files]) for head, files in merged.items()]


def _sizes(required: Mapping[str, Requirements]) -> str:
    """Each member's towers: parameters, and their memory as float32."""
    rows = []
    for name, member in required.items():
        for tower, count in member.towers.items():
            memory = f"{count * 4 / GIB:.2f} GiB"
            rows.append([name, tower, f"{count / 1e6:,.1f} M", memory])
        if member.problem:
            rows.append([name, "?", member.problem, ""])
    return text_table(["member", "tower", "parameters", "as float32"], rows)


def _dry_run(ensemble: Ensemble, images: Images, runtime: Runtime) -> bool:
    """Run member by member, a line each as it is done; whether one failed."""
    typer.echo(
        "\nOf a bank or a table of phrases a few rows are embedded: the time and memory of the "
        "whole are not in these numbers."
    )
    typer.echo(
        f"With random parameters, {len(images)} images, {runtime.precision}, batches of "
        f"{runtime.batch_size}:"
    )
    width = max(len(member.name) for member in ensemble.members)
    typer.echo(f"{'member'.ljust(width)}  ready in  per image  peak memory")
    failed = False
    for member in ensemble.members:
        result = dry_run(member, ensemble.text_encoder, images, runtime)
        failed |= result.problem is not None
        typer.echo(_line(member, result, width, len(images)))
    return failed


def _line(member: Member, result: DryRun, width: int, images: int) -> str:
    name = member.name.ljust(width)
    if result.problem:
        return f"{name}  FAILED: {result.problem}"
    each = f"{result.each:.2f} s"
    line = f"{name}  {result.ready:6.1f} s  {each:>9}  {result.peak / GIB:7.2f} GiB"
    return line if result.answered == images else f"{line}  answered {result.answered} of {images}"
