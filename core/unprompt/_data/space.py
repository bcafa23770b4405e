"""Which text encoder's space predictions are in, as their files say it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from unprompt._files import paths
from unprompt._files.reading import mistake
from unprompt.errors import DataError, named

COLUMN = "text_encoder"
"""The field or column of it; absent in files of older versions, and null in those of others."""


class TextSpace(BaseModel):
    """A text encoder: how to build it, and what it has to be then.

    Attributes:
        plugin: As YAML writes it.
        options: Its options, secrets masked.
        identity: Its `TextEncoder.identity`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    plugin: str
    options: dict[str, Any] = {}
    identity: str

    @property
    def text(self) -> str:
        """As one line of JSON."""
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=False, sort_keys=True)


def read_space(texts: Iterable[object], path: Path) -> TextSpace | None:
    """The one text encoder that the rows of a file name; None where they name none.

    Args:
        texts: What the rows have there: text of JSON, or what it holds; None where nothing is.
        path: The file.

    Raises:
        DataError: They name several, or something that is none.
    """
    distinct = {
        text if isinstance(text, str) else json.dumps(text, sort_keys=True)
        for text in texts
        if text is not None
    }
    spaces: dict[str, TextSpace] = {}
    for text in sorted(distinct):
        try:
            space = TextSpace.model_validate_json(text)
        except ValidationError as error:
            what = f"{COLUMN}: {mistake(error)}"
            raise DataError(f"{paths.shown(path)}: {what}") from error
        spaces.setdefault(space.identity, space)
    if len(spaces) > 1:
        raise DataError(
            f"{paths.shown(path)}: its rows are of {len(spaces)} text encoders: "
            f"{named(list(spaces))}"
        )
    return next(iter(spaces.values()), None)
