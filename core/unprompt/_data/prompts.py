"""Tables of images and prompts: their columns, their checks, and the join with predictions."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from unprompt._data.tables import Table, read_table
from unprompt._data.texts import bare, checked, what_is
from unprompt._files.paths import user_path
from unprompt.errors import DataError, named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unprompt.embeddings import Embeddings

ID_COLUMNS = ("image_id", "imgId")
PROMPT_COLUMNS = ("prompt", "text", "caption")
IMAGE_COLUMNS = (
    "image",
    "filepath",
    "image_path",
    "image_name",
    "file_name",
    "filename",
    "file",
    "path",
)


def prompt_id(prompt: str) -> str:
    """16 hex digits of the prompt's hash; white space around the prompt does not change them."""
    return hashlib.sha256(prompt.strip().encode()).hexdigest()[:16]


def path_id(image: str) -> str:
    """The id of an image that a table names by its path: the path without its suffix."""
    path = PurePosixPath(image)
    return (path.parent / path.stem).as_posix() if image else ""


def read_prompts(path: Path) -> dict[str, str]:
    """Read the prompt of each image from a table, such as Kaggle's ``prompts.csv``.

    The id is in a column ``image_id`` or ``imgId``; without one, it is `path_id` of the column
    that names the image.

    Returns:
        Each ``image_id`` with its prompt, in the order of the table.

    Raises:
        DataError: The table is broken or empty, lacks a column, repeats an id, or has an empty
            id or prompt.
    """
    table = read_table(path, (*ID_COLUMNS, *IMAGE_COLUMNS, *PROMPT_COLUMNS))
    column = table.find(ID_COLUMNS)
    if column is not None:
        ids = table.texts(column)
    else:
        column = table.pick((*ID_COLUMNS, *IMAGE_COLUMNS))
        ids = [path_id(image) for image in table.texts(column)]
    prompts = prompt_texts(table)
    problems = row_problems(path, ids, prompts)
    if problems:
        raise DataError(problems)
    return dict(zip(ids, prompts, strict=True))


def prompt_texts(table: Table, aliases: Sequence[str] = PROMPT_COLUMNS) -> list[str]:
    """The N prompts of a table, without white space around them, which no image depends on.

    A number is a prompt of digits; a missing one is empty, see `Table.texts`, and so is one in
    which nothing can be seen. Other control characters are kept: they are what the image was
    made of.

    Raises:
        DataError: There is not exactly one such column, or it holds values that are not text.
    """
    return [bare(prompt) for prompt in table.texts(table.pick(aliases))]


def row_problems(path: Path, ids: Sequence[str], prompts: Sequence[str]) -> list[str]:
    """What is wrong with the N ids and prompts of a table: one line per kind of problem."""
    without_id = [str(number) for number, name in enumerate(ids, start=1) if not name]
    repeated = [name for name, times in Counter(ids).items() if name and times > 1]
    without_prompt = [
        name for name, prompt in zip(ids, prompts, strict=True) if name and not prompt
    ]
    return [
        f"{path}: {what} {named(values)}"
        for what, values in (
            ("no image id in row", without_id),
            ("repeated ids", repeated),
            ("empty prompt for", without_prompt),
        )
        if values
    ]


def repeated_ids(where: str, ids: Sequence[str]) -> list[str]:
    """At most one line, on ids that are there more than once."""
    repeated = [name for name, times in Counter(ids).items() if times > 1]
    return [f"{where}: repeated ids {named(repeated)}"] if repeated else []


def join(predictions: Embeddings, prompts: Mapping[str, str]) -> tuple[str, ...]:
    """The ids of both tables, which must be the same set, in the order of ``prompts``.

    Raises:
        DataError: Lists prompts without a prediction and predictions without a prompt; or those
            that differ in their Unicode form only, as file names of a Mac do.
    """
    predicted = set(predictions.ids)
    missing = [name for name in prompts if name not in predicted]
    extra = [name for name in predictions.ids if name not in prompts]
    same = _same_letters(missing, extra)
    if same:
        raise DataError(
            f"{len(same)} ids of predictions and prompts are the same letters in different "
            f"Unicode forms (composed and decomposed): {named(same)}; write them in one form"
        )
    problems = [f"missing prediction for {named(missing)}"] if missing else []
    problems += [f"prediction without a prompt: {named(extra)}"] if extra else []
    if problems:
        raise DataError(problems)
    return tuple(prompts)


def _same_letters(missing: Sequence[str], extra: Sequence[str]) -> list[str]:
    """Those of ``missing`` that are in ``extra`` in another Unicode form."""
    forms = {unicodedata.normalize("NFC", name) for name in extra if not name.isascii()}
    return [name for name in missing if unicodedata.normalize("NFC", name) in forms]


_PROBLEMS = 20
"""Prompts and ids that are no text that are named; the others are counted."""


def prompt_table(prompts: Path | str | Mapping[str, str]) -> Mapping[str, str]:
    """Prompts by image id, from a table's file or a map.

    Raises:
        DataError: The file is broken, or ids or prompts are no text.
    """
    if not isinstance(prompts, Mapping):
        return read_prompts(user_path(prompts))
    problems: list[str] = []
    for name, prompt in prompts.items():
        try:
            _check_prompt(name, prompt)
        except DataError as error:
            problems += error.problems
    if problems:
        more = len(problems) - _PROBLEMS
        raise DataError([*problems[:_PROBLEMS], *[f"{more} more are no text"] * (more > 0)])
    empty = [name for name, prompt in prompts.items() if not bare(prompt)]
    if empty:
        raise DataError(f"empty prompt for {named(empty)}")
    return prompts


def _check_prompt(name: object, prompt: object) -> None:
    """Check that both are text."""
    if not isinstance(name, str):
        raise DataError(f"image ids are text, got {what_is(name)}")
    checked(name, f"the image id {name[:80]!r}")
    if prompt is None:
        raise DataError(f"empty prompt for {name!r}")
    if not isinstance(prompt, str):
        raise DataError(f"the prompt for {name!r} is {what_is(prompt)}, not text")
    checked(prompt, f"the prompt for {name!r}")
