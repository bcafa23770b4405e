"""The optional columns of a dataset: what their texts mean, and what is wrong with them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from unprompt._data.prompts import prompt_id
from unprompt.contracts import Record
from unprompt.errors import named

OPTIONAL = ("prompt_id", "group", "split", "weight", "subset")
"""Their names; a value that is missing is the empty text."""

SPLITS = {
    "train": "train",
    "holdout": "holdout",
    "validation": "holdout",
    "valid": "holdout",
    "val": "holdout",
    "dev": "holdout",
    "test": "test",
}
"""Names that tables and folders give to splits, in lower case -> ours."""


def record_of(
    image_id: str,
    prompt: str,
    own_prompt_id: str = "",
    group: str = "",
    split: str = "",
    weight: str | float = "",
    subset: str = "",
) -> Record:
    """A row as a record, not checked yet: see `record_problems`.

    An unknown split is kept for the error line; a weight that is no number becomes NaN.
    """
    return Record(
        image_id=image_id,
        prompt_id=own_prompt_id or prompt_id(prompt),
        prompt=prompt,
        group=group or None,
        split=SPLITS.get(split.strip().lower(), split) or None,
        weight=_number(weight),
        subset=subset.strip() or None,
    )


def optional_text(name: str, text: str, value: object) -> str:
    """The text of an optional column's value, for `record_of`.

    As texts NaN and infinity are missing; as weights they are mistakes, and stay to be named.

    Args:
        name: The column's, one of `OPTIONAL`.
        text: What `text_of` makes of the value.
        value: What a row holds.
    """
    return str(value) if name == "weight" and not text and isinstance(value, float) else text


def record_problems(records: Sequence[Record], where: str) -> list[str]:
    """What is wrong with optional columns, one line per kind of problem.

    Args:
        records: All of a dataset's.
        where: How error lines name it, such as its file.
    """
    first: dict[str, str] = {}
    for record in records:
        first.setdefault(record.prompt_id, record.prompt)
    ambiguous = sorted({row.prompt_id for row in records if first[row.prompt_id] != row.prompt})
    unknown = sorted({row.split for row in records if row.split} - set(SPLITS.values()))
    light = [row.image_id for row in records if not 0 <= row.weight < math.inf]
    return [
        f"{where}: {what} {named(values)}"
        for what, values in (
            ("different prompts share the prompt_id", ambiguous),
            ("split should be train, holdout (validation, val, dev) or test, not", unknown),
            ("weight should be a finite number of at least 0, and is not of", light),
        )
        if values
    ]


def _number(weight: str | float) -> float:
    """1 where nothing is written; NaN for what is no number."""
    if weight == "":
        return 1.0
    try:
        return float(weight)
    except ValueError:
        return math.nan
