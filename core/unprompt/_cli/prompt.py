"""``unprompt prompt``: what made these images?"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unprompt._cli.console import progress_on, say
from unprompt._cli.options import (
    AsJSON,
    BatchSize,
    Device,
    Edit,
    Offline,
    Overrides,
    Precision,
    Quiet,
    SkipUnreadable,
    path_option,
    readable_yaml,
)
from unprompt._files import paths
from unprompt._files.reading import read_bytes
from unprompt._files.writing import check_writable, write_text
from unprompt._report.visible import visible
from unprompt.errors import DataError, OutputError

if TYPE_CHECKING:
    from unprompt._pipeline.image_prompts import ImagePrompt, ImagePrompts


def prompt(
    images: Annotated[list[str], typer.Argument(help="Images, folders or globs.")],
    ensemble: Annotated[
        Path | None,
        path_option(
            "An ensemble's YAML file, or a run's folder: predicts the prompts that are in no file.",
            "--ensemble",
            "-e",
            parser=readable_yaml,
        ),
    ] = None,
    as_json: AsJSON = False,
    sidecar: Annotated[
        bool, typer.Option("--sidecar", help="Write each prompt into NAME.txt beside its image.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace side files that exist.")
    ] = False,
    skip_unreadable: SkipUnreadable = False,
    edit: Edit = True,
    device: Device = "cpu",
    precision: Precision = "float32",
    batch_size: BatchSize = 64,
    overrides: Overrides = None,
    offline: Offline = False,
    quiet: Quiet = False,
) -> None:
    """Say what prompt made images: what the file says, else what an ensemble predicts."""
    from unprompt import _api

    loaded = None
    if ensemble is not None:
        loaded = _api.load_ensemble(
            ensemble,
            overrides=overrides or [],
            device=device,
            precision=precision,
            batch_size=batch_size,
            offline=offline,
            progress=progress_on(quiet=quiet),
        )
    given = _api.find_prompts(images, ensemble=loaded, skip_unreadable=skip_unreadable, edit=edit)
    _show(given, as_json=as_json, sidecar=sidecar, overwrite=overwrite)


def _show(given: ImagePrompts, *, as_json: bool, sidecar: bool, overwrite: bool) -> None:
    """Print the prompts, and write them beside their images: all of them or none.

    They are printed first, because predicting them may have taken long.

    Raises:
        OutputError: A side file exists already, belongs to two images, or cannot be written.
    """
    if as_json:
        typer.echo(json.dumps([_plain(item) for item in given.prompts], indent=2))
    else:
        for item in given.prompts:
            typer.echo(_lines(item))
    files = _side_files(given.prompts, overwrite=overwrite) if sidecar else {}
    new = {path: prompt for path, prompt in files.items() if not _holds(path, prompt)}
    for path, prompt in new.items():
        write_text(path, prompt)
    for line in given.report.lines(len(given.prompts), "looked at"):
        say(line)
    origins = Counter(item.origin or "without a prompt" for item in given.prompts)
    say(", ".join(f"{times} {what}" for what, times in sorted(origins.items())) or "no image")
    if files:
        before = f", {len(files) - len(new)} there already" if len(new) < len(files) else ""
        say(f"{len(new)} side {'file' if len(new) == 1 else 'files'} written{before}")


def _lines(item: ImagePrompt) -> str:
    """The image with where its prompt comes from, and below it the prompt."""
    head = f"{paths.shown(item.path)}: {_origin(item)}"
    if item.remark:
        head += f" ({visible(item.remark)})"
    body = [f"    {visible(line)}" for line in (item.prompt or "").splitlines()]
    return "\n".join([head, *body])


def _origin(item: ImagePrompt) -> str:
    if item.origin == "read":
        return f"read ({visible(item.source or '')})"
    if item.origin is None:
        return "no prompt in the file"
    facts = []
    if item.readback is not None:
        facts.append(f"readback {item.readback:.2f}")
    if item.expected and item.expected.out_of_domain:
        facts.append("out of domain")
    elif item.expected and item.expected.score is not None:
        facts.append(f"expected score {item.expected.score:.2f}")
    return f"predicted ({', '.join(facts)})" if facts else "predicted"


def _plain(item: ImagePrompt) -> dict[str, Any]:
    plain = asdict(item) | {"path": paths.shown(item.path)}
    expected = plain.pop("expected") or {}
    return plain | {
        "expected_score": expected.get("score"),
        "out_of_domain": expected.get("out_of_domain"),
    }


def _holds(path: Path, prompt: str) -> bool:
    """Whether a side file has this prompt already, so that the command can be given again."""
    content = prompt.encode()
    try:
        return paths.is_file(path) and read_bytes(path, limit=len(content)) == content
    except DataError:  # a longer file, or one that cannot be read
        return False


def _side_files(items: Sequence[ImagePrompt], *, overwrite: bool) -> dict[Path, str]:
    """Each side file, ``x.txt`` beside ``x.png``, with its prompt; none is written yet."""
    files: dict[Path, str] = {}
    problems: list[str] = []
    images = {item.path for item in items}
    for item in items:
        if item.prompt is None:
            continue
        path = item.path.with_suffix(".txt")
        shared = files.get(path)
        if path == item.path:
            problems.append(f"{paths.shown(path)}: is the image itself")
        elif path in images:
            problems.append(f"{paths.shown(path)}: is an image that was given, too")
        elif shared is not None and shared != item.prompt:
            problems.append(f"{paths.shown(path)}: is the side file of two images")
        elif paths.exists(path) and not (overwrite or _holds(path, item.prompt)):
            problems.append(f"{paths.shown(path)}: exists; --overwrite replaces it")
        files[path] = item.prompt
    if problems:
        raise OutputError(list(dict.fromkeys(problems)))  # two images may share a side file
    for path in files:
        check_writable(path)
    return files
