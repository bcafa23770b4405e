"""The prompt behind each image: what its file says, else what an ensemble predicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from unprompt._data.checking import readable
from unprompt._data.expected import Expected
from unprompt._data.found import Report
from unprompt._data.image_input import Given
from unprompt._data.images import Files, find_images
from unprompt._data.texts import checked
from unprompt._files.paths import shown
from unprompt._pipeline.loaded_ensemble import LoadedEnsemble, Predictions
from unprompt._registry.plugins import Registry
from unprompt.contracts import Images, PromptReader, Reading, Runtime
from unprompt.contracts.specs import PredictorSpec
from unprompt.errors import PluginError, named

READER = "embedded-metadata"
"""The plugin that reads prompts from files."""


_WORKERS = Runtime().workers


@dataclass(frozen=True, slots=True)
class ImagePrompt:
    """The prompt behind one image.

    Attributes:
        path: The image's file.
        prompt: The text; None: there is none in the file, and nothing predicted one.
        origin: ``read`` from the file, or ``predicted`` from the image; None without a prompt.
        source: For a prompt that was read, who stored it and where.
        remark: What else the file says, such as why its texts give no prompt; None: nothing.
        readback: For a predicted prompt, the cosine of its embedding with the predicted one.
        expected: For a predicted prompt, the score to expect; None where nothing is known.
    """

    path: Path
    prompt: str | None = None
    origin: Literal["read", "predicted"] | None = None
    source: str | None = None
    remark: str | None = None
    readback: float | None = None
    expected: Expected | None = None


@dataclass(frozen=True, slots=True)
class ImagePrompts:
    """The prompts behind images, and what became of every other file.

    Attributes:
        prompts: One per image, in the order in which files were found.
        report: Every file that was found and left out, with the reason, and notes.
    """

    prompts: tuple[ImagePrompt, ...]
    report: Report


def image_prompts(
    arguments: Sequence[str | Path],
    registry: Registry,
    ensemble: LoadedEnsemble | None,
    *,
    skip_unreadable: bool,
    edit: bool,
) -> ImagePrompts:
    """Read the prompt in each image's file, and predict those that are in none.

    Args:
        arguments: Files, folders and globs.
        registry: The plugins.
        ensemble: Predicts the prompts that are in no file; None: nothing does.
        skip_unreadable: Leave out what looks like an image and cannot be read.
        edit: As in `LoadedEnsemble.predict`.

    Raises:
        UnpromptError: A path or an image is not there or broken, or the reader is not installed.
    """
    found = find_images(arguments, ids_are_paths=True)
    files = Given(Images(tuple(found.paths), Files(found.paths)), found.left_out)
    there = readable(files, _WORKERS, skip=skip_unreadable, decode=False)
    images = there.images
    readings = read_prompts(images, registry)
    rest = [name for name in images.ids if readings[name].prompt is None]
    unread = Given(images.select(rest if ensemble else ()), there.report.left_out)
    opened = readable(unread, _WORKERS, skip=skip_unreadable, required=False)
    predictions = None
    if ensemble and len(opened.images):
        predictions = ensemble.predict_readable(opened, edit=edit)
    prompts = (
        _prompt(name, found.paths[name], reading, predictions)
        for name, reading in readings.items()
        if name not in opened.skipped
    )
    return ImagePrompts(tuple(prompts), opened.report)


def read_prompts(images: Images, registry: Registry) -> dict[str, Reading]:
    """What each image's file says, by id; loads no model.

    Raises:
        PluginError: The reader is not installed, does not read, or gives other images.
    """
    spec = registry.spec(READER, PredictorSpec)
    reader: PromptReader = registry.build(spec, spec.options(), Runtime())
    if not isinstance(reader, PromptReader):
        raise PluginError(f"plugin {READER!r}: {spec.target} is no PromptReader")
    readings = {reading.image_id: reading for reading in reader.read(images)}
    if readings.keys() != set(images.ids):
        others = sorted(readings.keys() ^ set(images.ids))
        raise PluginError(f"plugin {READER!r} did not read each image once: {named(others)}")
    for name, reading in readings.items():
        if reading.prompt is not None:
            checked(reading.prompt, f"the prompt in {shown(name)}")
    return {name: readings[name] for name in images.ids}


def _prompt(
    name: str, path: Path, reading: Reading, predictions: Predictions | None
) -> ImagePrompt:
    if reading.prompt is not None:
        return ImagePrompt(path, reading.prompt, "read", reading.source, reading.remark)
    prompt = predictions.prompts[name] if predictions else None
    if predictions is None or prompt is None:
        return ImagePrompt(path, remark=reading.remark)
    return ImagePrompt(
        path,
        prompt,
        "predicted",
        remark=reading.remark,
        readback=predictions.readback[name],
        expected=predictions.expected.get(name),
    )
