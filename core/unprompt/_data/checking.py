"""Opening every image once, to know before any model loads which of them can be read."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from unprompt._data.found import LeftOut, Report, bounded
from unprompt._data.image_input import Given, Mixed
from unprompt._data.images import Files
from unprompt._data.memory import MemoryImages
from unprompt._files.paths import opened, reason, shown
from unprompt.contracts import Images
from unprompt.errors import DataError


@dataclass(frozen=True, slots=True)
class Checked:
    """What opening every image once has shown.

    Attributes:
        problems: The id of each image that cannot be opened, in the order of the images, with
            the line of its error.
        notes: What is to be said of the others.
    """

    problems: Mapping[str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Readable:
    """The images that can be read, and why the others cannot.

    Attributes:
        images: These images.
        skipped: The id of each of the others, with the line of its error.
        report: Every file that is left out, those without an id as well, and notes.
    """

    images: Images
    skipped: Mapping[str, str]
    report: Report


def check_images(images: Images, workers: int, *, decode: bool = True) -> Checked:
    """Open every image once.

    Args:
        images: N images.
        workers: Threads that open them.
        decode: Whether their pixels are looked at; without, a file is opened and nothing is read.
    """

    def check(image_id: str) -> tuple[str | None, str | None]:
        """Problem and note."""
        try:
            if not decode:
                _open_file(images, image_id)
            elif isinstance(images.source, Files | MemoryImages | Mixed):
                return None, images.source.check(image_id)
            else:
                images.open(image_id)
        except DataError as error:
            return str(error), None
        return None, None

    with ThreadPoolExecutor(max(1, workers)) as threads:
        lines = list(zip(images.ids, threads.map(check, images.ids), strict=True))
    problems = {image_id: problem for image_id, (problem, _) in lines if problem}
    return Checked(problems, tuple(note for _, (_, note) in lines if note))


def _open_file(images: Images, image_id: str) -> None:
    """Raises DataError where an image is a file that cannot be opened."""
    path = images.path(image_id)
    try:
        if path is not None:
            with opened(path):
                pass
    except OSError as error:
        raise DataError(f"{shown(path or image_id)}: cannot be read: {reason(error)}") from error


def readable(
    given: Given, workers: int, *, skip: bool, required: bool = True, decode: bool = True
) -> Readable:
    """The images that can be read.

    Args:
        given: What was found.
        workers: Threads that open images.
        skip: Leave out what looks like an image and cannot be read, instead of stopping.
        required: Whether at least one image has to be left.
        decode: As in `check_images`.

    Raises:
        DataError: Something cannot be read and is not skipped, or nothing is left; lists the first
            of all such problems.
    """
    images = given.images
    checked = check_images(images, workers, decode=decode)
    left_out = [*given.left_out]
    for image_id, line in checked.problems.items():
        name = given.name(image_id)
        left_out.append(LeftOut(name, line.removeprefix(f"{name}: "), error=True))
    errors = [file.line for file in given.left_out if file.error] + [*checked.problems.values()]
    if errors and not skip:
        hint = "skip_unreadable (--skip-unreadable) leaves these out"
        raise DataError([*bounded(errors), hint])
    ids = [image_id for image_id in images.ids if image_id not in checked.problems]
    if required and not ids:
        skipped = [f"skipped: {line}" for line in bounded(errors)]
        raise DataError([*skipped, "no image that can be read is left"])
    report = Report(tuple(left_out), checked.notes)
    return Readable(images.select(ids), checked.problems, report)
