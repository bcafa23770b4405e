"""A file's texts by keyword, whatever the container did to the keywords.

PNG has keywords. JPEG, WebP, AVIF and GIF have few fields, so that generators and converters put a
keyword in front of the text (``prompt:{...}`` in EXIF's Make and Model), or wrap all keywords into
one JSON object in the comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from unprompt_metadata.containers.xmp import properties
from unprompt_metadata.fields import Field, FileTexts
from unprompt_metadata.strict_json import StrictJson

PARAMETERS = "parameters"
"""The keyword of settings as text, and of every comment that has no keyword."""

# A JSON object in a comment with one of these wraps what PNG keeps in chunks of those keywords.
_WRAPPED = frozenset(
    {
        "Comment",
        "Dream",
        "extraMetadata",
        "fooocus_scheme",
        "generation_data",
        "invokeai_metadata",
        "parameters",
        "parameters-json",
        "sd-metadata",
        "smproj",
        "workflow",
    }
)
_PREFIX = re.compile(r"\s*([A-Za-z][\w-]{0,30})\s*:\s*(?=[{\[])")
_CREATOR = "http://ns.adobe.com/xap/1.0/CreatorTool"
_XMP_TEXTS = frozenset(
    {"http://ns.adobe.com/exif/1.0/UserComment", "http://purl.org/dc/elements/1.1/description"}
)
_COMMENTS = frozenset({"exif:UserComment", "jpeg:comment", "gif:comment", "png:UserComment"})
_SURE = frozenset({"png:parameters", "stealth:alpha", "stealth:rgb"})


@dataclass(frozen=True)
class Entry:
    """One text under its keyword.

    Attributes:
        key: The keyword.
        value: The text, or the object that a wrapper had there.
        field: The name of the field that it came from.
        json: What reads JSON in the file.
        sure: Whether nothing but settings of a generator is written there.
    """

    key: str
    value: str | dict[str, Any]
    field: str
    json: StrictJson
    sure: bool = False

    @property
    def container(self) -> str:
        """What the field is a part of, such as ``png``."""
        return self.field.partition(":")[0]

    @property
    def text(self) -> str:
        """The text; empty for an object."""
        return self.value if isinstance(self.value, str) else ""

    @cached_property
    def _parsed(self) -> tuple[dict[str, Any] | None, str | None]:
        if isinstance(self.value, dict):
            return self.value, None
        try:
            return self.json.object(self.value), None
        except ValueError as flaw:
            return None, str(flaw)

    @property
    def object(self) -> dict[str, Any] | None:
        """The JSON object that the text is; None: it is none."""
        return self._parsed[0]

    @property
    def flaw(self) -> str | None:
        """Why it is no JSON object."""
        return self._parsed[1]


class Record:
    """All entries of a file.

    Attributes:
        size: Width and height of the image in pixels; None where unknown.
        json: What reads JSON in the file.
        damaged: Whether a part of the file could not be read, so that a text may be missing.
    """

    def __init__(self, texts: FileTexts) -> None:
        """Sort the fields by keyword."""
        self.size = texts.size
        self.damaged = bool(texts.problems)
        self.json = StrictJson()
        self._by_key: dict[str, list[Entry]] = {}
        self._first: dict[tuple[str, str], Entry] = {}
        for field in texts.fields:
            for entry in _entries(field, self.json):
                self._by_key.setdefault(entry.key, []).append(entry)
                self._first.setdefault((entry.container, entry.key), entry)

    def all(self, *keys: str) -> tuple[Entry, ...]:
        """The entries under the keywords: keyword by keyword, each in the order of the file."""
        return tuple(entry for key in keys for entry in self._by_key.get(key, ()))

    def objects(self, *keys: str) -> Iterator[tuple[Entry, dict[str, Any]]]:
        """The entries under the keywords that are JSON objects, with them."""
        for entry in self.all(*keys):
            if entry.object is not None:
                yield entry, entry.object

    def beside(self, entry: Entry, key: str) -> Entry | None:
        """The first entry under a keyword in the same part of the file."""
        return self._first.get((entry.container, key))


def _entries(field: Field, json: StrictJson) -> Iterator[Entry]:
    container, _, keyword = field.name.partition(":")
    if container == "xmp" or keyword == "XML:com.adobe.xmp":
        yield from _packet(field.text, json)
    elif field.name in _COMMENTS or field.name in _SURE:
        yield from _comment(field.text, field.name, json)
    elif container == "exif" and keyword in ("Make", "Model", "ImageDescription"):
        if prefix := _PREFIX.match(field.text):
            yield Entry(prefix.group(1).lower(), field.text[prefix.end() :], field.name, json)
        else:
            yield from _comment(field.text, field.name, json)
    else:
        yield Entry(keyword, field.text, field.name, json)


def _packet(text: str, json: StrictJson) -> Iterator[Entry]:
    """The tool and the texts of an XMP packet; none of one that is damaged."""
    try:
        pairs = properties(text)
    except ValueError:
        return
    for name, value in pairs:
        if name == _CREATOR:
            yield Entry("CreatorTool", value, "xmp", json)
        elif name in _XMP_TEXTS:
            yield from _comment(value, "xmp", json)


def _comment(text: str, field: str, json: StrictJson) -> Iterator[Entry]:
    """A text without a keyword of its own: settings, or an object that wraps keywords."""
    entry = Entry(PARAMETERS, text, field, json, sure=field in _SURE)
    yield entry
    inner = entry.object if text.lstrip("\ufeff \t\r\n").startswith("{") else None
    if inner is None or not (_WRAPPED & inner.keys() or isinstance(inner.get("prompt"), dict)):
        return
    for key, value in inner.items():
        if isinstance(value, str | dict):
            yield Entry(key, value, field, json)
