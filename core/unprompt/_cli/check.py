"""``unprompt check``."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import typer

from unprompt._cli.predict import ensemble_file
from unprompt._cli.setup import workshop
from unprompt._cli.tables import text_table
from unprompt._config.models import RuntimeConfig
from unprompt._data.pictures import folder_images
from unprompt._members.dry_run import Rehearsed, Wants, noise, rehearse, wants
from unprompt._registry.loading import Ensemble, Member, load_ensemble
from unprompt._registry.plugins import Registry
from unprompt.contracts import Images, Runtime

GIB = 2**30
NOISE = 2
"""Pictures of a rehearsal that is given none: heads want at least two to learn from."""


def check_command(
    path: Path,
    *,
    images: Sequence[str],
    random_weights: bool,
    config: RuntimeConfig,
    overrides: Sequence[str],
) -> None:
    """Say what an ensemble needs; exit 1 if a file is missing or a rehearsal fails."""
    logging.disable(logging.WARNING)  # libraries warn of random weights, which are wanted here
    registry = Registry()
    ensemble = load_ensemble(ensemble_file(path), registry, overrides)
    pictures = folder_images(images) if images else noise(NOISE)
    runtime = workshop(registry, config, offline=True, quiet=True).runtime
    found = {member.name: wants(member, registry, runtime) for member in ensemble.members}
    typer.echo(_files(found))
    typer.echo(f"\n{_sizes(found)}")
    if random_weights:
        problems = _rehearse(ensemble, pictures, runtime)
    else:
        problems = any(w.problem or not all(n.here for n in w.needs) for w in found.values())
    raise typer.Exit(int(problems))


def _files(found: dict[str, Wants]) -> str:
    """Each member's files: where they are, or how to get them."""
    rows = [
        [name, "here" if need.here else "MISSING", need.what, need.where]
        for name, wanted in found.items()
        for need in wanted.needs
    ]
    lines = [text_table(["member", "", "file", "where"], rows)] if rows else ["no files needed"]
    missing = [need for wanted in found.values() for need in wanted.needs if not need.here]
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


def _sizes(found: dict[str, Wants]) -> str:
    """Each member's towers: parameters, and their memory as float32."""
    rows = []
    for name, wanted in found.items():
        for tower, count in wanted.towers.items():
            memory = f"{count * 4 / GIB:.2f} GiB"
            rows.append([name, tower, f"{count / 1e6:,.1f} M", memory])
        if wanted.problem:
            rows.append([name, "?", wanted.problem, ""])
    return text_table(["member", "tower", "parameters", "as float32"], rows)


def _rehearse(ensemble: Ensemble, pictures: Images, runtime: Runtime) -> bool:
    """Rehearse member by member, a line each as it is done; whether one failed."""
    typer.echo(
        f"\nWith random weights, {len(pictures)} pictures, {runtime.precision}, batches of "
        f"{runtime.batch_size}:"
    )
    width = max(len(member.name) for member in ensemble.members)
    typer.echo(f"{'member'.ljust(width)}  ready in  per picture  peak memory")
    results = []
    for member in ensemble.members:
        result = rehearse(member, ensemble.text_encoder, pictures, runtime)
        results.append(result)
        typer.echo(_line(member, result, width))
    return any(result.problem for result in results)


def _line(member: Member, result: Rehearsed, width: int) -> str:
    name = member.name.ljust(width)
    if result.problem:
        return f"{name}  FAILED: {result.problem}"
    each = f"{result.each:.2f} s"
    return f"{name}  {result.ready:6.1f} s  {each:>11}  {result.peak / GIB:7.2f} GiB"
