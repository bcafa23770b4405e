"""The samples of a tar file as WebDataset writes it: members with one key belong together."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path

from unprompt._data.prompts import PROMPT_COLUMNS
from unprompt._data.record_columns import OPTIONAL, optional_text
from unprompt._data.shards.index import Sample
from unprompt._data.shards.left_out import LeftOut
from unprompt._data.shards.tar_members import Damage, Member, Other, Unmarked, tar_members
from unprompt._data.texts import LONGEST, bare, text_of
from unprompt._files.paths import shown
from unprompt._files.reading import open_file, parse_json, reading
from unprompt.errors import DataError

IMAGES = ("jpg", "jpeg", "png", "webp")
"""Extensions of members that are images, in any case."""
TEXTS = ("txt", "caption")
JSON = "json"
_KINDS = frozenset([*IMAGES, *TEXTS, JSON])

LARGEST = 512 << 20
"""Bytes of the largest image file that is read."""
_LONGEST_JSON = 1 << 20
_CHUNK = 1 << 20


@dataclass(slots=True)
class _Parts:
    """The members of one key."""

    image: Member | None = None
    texts: dict[str, Member] = field(default_factory=dict)
    repeated: bool = False


def tar_samples(path: Path, prompt: str | None) -> tuple[list[Sample], list[LeftOut]]:
    """Every image of a tar file that has a prompt, and what cannot be used.

    Args:
        path: A tar file that is not compressed.
        prompt: ``txt``, ``caption`` or ``json.KEY``; None: what there is, in this order.

    Raises:
        DataError: It is missing, empty, compressed, or no tar file.
    """
    keys: dict[str, _Parts] = {}
    left_out: list[LeftOut] = []
    for member in tar_members(path):
        if isinstance(member, Damage):
            left_out.append(LeftOut(f"from byte {member.offset:,} on", member.reason))
        elif isinstance(member, Unmarked):
            where = f"ends at byte {member.offset:,}"
            left_out.append(
                LeftOut(where, "without the mark of a tar file's end: it may be cut", False)
            )
        elif isinstance(member, Other):
            left_out.append(LeftOut(shown(member.name), "a link, a device or a sparse file"))
        else:
            _sort_in(member, keys, left_out)
    samples = []
    with open_file(path) as file, reading(path):
        for key, parts in keys.items():
            made = _sample(file, key, parts, prompt)
            if isinstance(made, Sample):
                samples.append(made)
            else:
                left_out.append(LeftOut(key, made))
    return samples, left_out


def _sort_in(member: Member, keys: dict[str, _Parts], left_out: list[LeftOut]) -> None:
    """Put a member to its key; members of other kinds are nobody's."""
    folder, slash, name = member.name.rpartition("/")
    stem, _, extension = name.partition(".")
    kind = extension.lower()
    if kind not in _KINDS or not stem:
        return
    if why := _bad_name(member.name):
        left_out.append(LeftOut(shown(member.name), why))
        return
    parts = keys.setdefault(f"{folder}{slash}{stem}".removeprefix("./"), _Parts())
    if kind in IMAGES:
        parts.repeated |= parts.image is not None
        parts.image = parts.image or member
    else:
        parts.repeated |= kind in parts.texts
        parts.texts.setdefault(kind, member)


def _bad_name(name: str) -> str | None:
    """Why a name is not taken as an id."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return "the name is not UTF-8"
    if not name.isprintable():
        return "the name holds control characters"
    if name.startswith("/") or ".." in name.split("/"):
        return "the name leads out of the archive"
    return None


def _sample(file: BufferedReader, key: str, parts: _Parts, prompt: str | None) -> Sample | str:
    """One sample, or why it cannot be used."""
    image = parts.image
    if parts.repeated:
        return "its key is there twice"
    if image is None:
        return "no image"
    if not image.size:
        return "the image is empty"
    if image.size > LARGEST:
        return f"the image has more than {LARGEST:,} bytes"
    try:
        fields = _json(file, parts.texts[JSON]) if JSON in parts.texts else {}
        text = _prompt(file, parts, fields, prompt)
        values = [(name, fields.get(name)) for name in OPTIONAL]
        optional = [optional_text(name, text_of(value, name), value) for name, value in values]
    except DataError as error:
        return error.problems[0]
    if not text:
        return "no prompt"
    digest = _hash(file, image)
    return Sample(key, image.offset, image.size, digest, text, *optional)


def _prompt(
    file: BufferedReader, parts: _Parts, fields: dict[str, object], wanted: str | None
) -> str:
    """The prompt; empty where there is none."""
    if wanted is not None and wanted.startswith(f"{JSON}."):
        return bare(text_of(fields.get(wanted.removeprefix(f"{JSON}.")), "the prompt"))
    for kind in TEXTS if wanted is None else (wanted,):
        if kind in parts.texts:
            return _text(file, parts.texts[kind])
    texts = (fields.get(name) for name in PROMPT_COLUMNS if wanted is None)
    return bare(next((text_of(text, "the prompt") for text in texts if text is not None), ""))


def _text(file: BufferedReader, member: Member) -> str:
    if member.size > 4 * LONGEST:  # bytes of a letter, at most
        raise DataError(f"the prompt has more than {LONGEST:,} letters")
    try:
        text = os.pread(file.fileno(), member.size, member.offset).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError("the prompt is not UTF-8") from error
    return bare(text_of(text, "the prompt"))


def _json(file: BufferedReader, member: Member) -> dict[str, object]:
    if member.size > _LONGEST_JSON:
        raise DataError(f"the .json has more than {_LONGEST_JSON:,} bytes")
    content = os.pread(file.fileno(), member.size, member.offset)
    try:
        fields: dict[str, object] = parse_json(content, dict, "the .json")
    except DataError as error:
        raise DataError("the .json is damaged") from error
    return fields


def _hash(file: BufferedReader, member: Member) -> bytes:
    digest = hashlib.sha256()
    for start in range(0, member.size, _CHUNK):
        count = min(_CHUNK, member.size - start)
        digest.update(os.pread(file.fileno(), count, member.offset + start))
    return digest.digest()
