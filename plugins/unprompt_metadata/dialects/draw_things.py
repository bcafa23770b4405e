"""Draw Things: XMP, whose comment is JSON with one-letter keys."""

from __future__ import annotations

from collections.abc import Iterator

from unprompt_metadata.prompts import Answer, answer
from unprompt_metadata.record import PARAMETERS, Record

NAME = "Draw Things"


def read(record: Record) -> Iterator[Answer]:
    """Read the comment of a packet whose tool is Draw Things."""
    for tool in record.all("CreatorTool"):
        if tool.text.startswith(NAME):
            for entry, values in record.objects(PARAMETERS):
                if "c" in values:
                    yield answer(NAME, entry.field, values["c"], values.get("uc"))
