"""What a checkpoint was trained on, as the file beside it says, and what a run has to say of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from unprompt._config.location import Location
from unprompt._config.reference import plugin_name
from unprompt._files.reading import read_bytes
from unprompt._files.writing import write_text
from unprompt._registry.parts import Experiment
from unprompt.errors import DataError, first_line

FILE = "training.json"
CARD = "README.md"


class TrainingPart(BaseModel):
    """One training of those that a checkpoint went through.

    Attributes:
        plugin: The dataset's plugin.
        options: Its options.
        images: How many of its samples were trained on, without those held out: images, or prompts
            alone in a training that opens no image.
        seed: The random seed of the training.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    plugin: str
    options: dict[str, Any]
    images: int
    seed: int

    @property
    def key(self) -> str:
        """The dataset as text, by which two are the same."""
        return json.dumps([self.plugin, self.options], sort_keys=True)


def read_training(folder: Path) -> tuple[TrainingPart, ...]:
    """The trainings behind the checkpoint in a folder; none where no file says them.

    Raises:
        DataError: The file is damaged or holds something else.
    """
    path = folder / FILE
    if not path.is_file():
        return ()
    try:
        return TypeAdapter(tuple[TrainingPart, ...]).validate_json(read_bytes(path))
    except ValidationError as error:
        raise DataError(f"{path}: does not say what was trained on: {first_line(error)}") from error


def write_training(folder: Path, parts: Sequence[TrainingPart]) -> None:
    """Write what `read_training` reads."""
    lines = [json.dumps(part.model_dump(mode="json")) for part in parts]
    write_text(folder / FILE, "[\n " + ",\n ".join(lines) + "\n]\n")


def training_notes(experiment: Experiment) -> tuple[str, ...]:
    """What a reader of the scores should know: which checkpoints saw data of the run's kind.

    Raises:
        DataError: See `read_training`.
    """
    plugin = plugin_name(experiment.dataset.plugin)
    seen: dict[str, TrainingPart] = {}
    members = []
    for member in experiment.ensemble.members:
        folders = dict.fromkeys(_folders(member.part.options))
        known = [part for folder in folders for part in read_training(folder)]
        own = {part.key: part for part in known if plugin_name(part.plugin) == plugin}
        seen |= own
        members += [member.name] if own else []
    if not seen:
        return ()
    images = sum(part.images for part in seen.values())
    note = (
        f"checkpoints of {', '.join(members)} were trained on {images:,} samples of {plugin} in "
        f"{len(seen)} datasets, which the {CARD} beside each checkpoint lists"
    )
    return (note,)


def _folders(value: object) -> Iterator[Path]:
    """Every path that options name, however deep."""
    if isinstance(value, Location):
        yield value.path
    elif isinstance(value, BaseModel):
        for _, part in value:
            yield from _folders(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _folders(part)
