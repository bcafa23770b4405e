r"""The text of AUTOMATIC1111's web UI, which its forks and many others write.

Lines of prompt, lines of negative prompt from the one that begins with ``Negative prompt:`` on, and
a last line of settings, ``Steps: 20, Sampler: Euler a, ...``. Nothing is escaped, so that a prompt
may hold any of it: the last line holds settings only where it has at least three ``key: value``
pairs, two of them with keys that web UIs write; whatever else looks like settings is prompt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from unprompt_metadata.dialects.markers import NEGATIVE, hidden_marker
from unprompt_metadata.prompts import LONGEST, Answer, Refusal, answer
from unprompt_metadata.record import PARAMETERS, Entry, Record

_ENLARGED = "Postprocess upscale"
_LONGEST = 4 * LONGEST  # prompts of both sides and settings
_CHECKED = "png"  # a chunk has a checksum
_LONGEST_KEY = 60
_MOST_PAIRS = 500
_TAIL = 50
_KEY = re.compile(r"\w[\w \-/]+\Z")
# Possessive: a quote without an end costs one pass, not one per character.
_VALUE = re.compile(r'\s*+("(?:[^"\\]|\\.)++"(?=,|$)|[^,]*+)')
_KNOWN = frozenset(
    {
        *("Steps", "Sampler", "Schedule type", "Scheduler", "CFG scale", "CFG Scale", "Seed"),
        *("Size", "Model", "Model hash", "Version", "App", "Clip skip", "Denoising strength"),
        *("VAE", "RNG", "Pipeline", "Guidance Scale", "Distilled CFG Scale", "Civitai resources"),
    }
)
# What extensions write in lines after the settings, such as `Template: {a|b} cat`.
_APPENDED = re.compile(r"[A-Z][\w \-/]{1,40}: ")


def read(record: Record) -> Iterator[Answer]:
    """Read every comment that holds settings, and every text under ``parameters``."""
    for entry in record.all(PARAMETERS):
        if (result := read_entry(entry)) is not None:
            yield result


def read_entry(entry: Entry) -> Answer | None:
    """Read one text; None: nothing says that it is a generator's."""
    if entry.object is not None:
        unknown = f"{entry.field} holds JSON of a program that is not known"
        return Refusal(unknown) if entry.sure else None
    if len(entry.text) > _LONGEST:
        size = f"{len(entry.text):,} characters"
        return Refusal(f"{entry.field} has {size}") if entry.sure else None
    prompt, negative, settings = split(entry.text)
    if settings is None:
        if entry.text.lstrip().startswith("{"):
            return Refusal(f"{entry.field} {entry.flaw}")
        if not entry.sure and negative is None:
            return None
        if prompt.startswith(_ENLARGED):
            return Refusal(f"{entry.field} says how the image was enlarged, not its prompt")
    damage = hidden_marker(entry.text, negative=negative is not None)
    if damage is not None and entry.container != _CHECKED:
        return Refusal(f"{entry.field} {damage}")
    return answer(_generator(settings or {}), entry.field, prompt, negative or "")


def split(text: str) -> tuple[str, str | None, dict[str, str] | None]:
    """Prompt, negative prompt and settings; None for what is not there."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").strip().split("\n")
    settings: dict[str, str] | None = None
    end = _settings_line(lines)
    if end is not None:
        settings, lines = _pairs(lines[end]), lines[:end]
    starts = (at for at, line in enumerate(lines) if line.lstrip().startswith(NEGATIVE))
    at = next(starts, None)
    if at is None:
        return "\n".join(lines).strip(), None, settings
    first = lines[at].lstrip().removeprefix(NEGATIVE)
    return "\n".join(lines[:at]).strip(), "\n".join([first, *lines[at + 1 :]]).strip(), settings


def _settings_line(lines: list[str]) -> int | None:
    """The last line; or an earlier one with only lines of extensions after it."""
    last = len(lines) - 1
    if _holds_settings(lines[last]):
        return last
    for at in range(last - 1, max(-1, last - _TAIL), -1):
        if lines[at].startswith("Steps: ") and _APPENDED.match(lines[at + 1]):
            return at if _holds_settings(lines[at]) else None
    return None


def _holds_settings(line: str) -> bool:
    pairs = _pairs(line)
    return len(pairs) >= 3 and len(_KNOWN & pairs.keys()) >= 2


def _pairs(line: str) -> dict[str, str]:
    """The pairs of a line, in one pass over it; quoted values keep their quotes."""
    pairs: dict[str, str] = {}
    start = 0
    while len(pairs) < _MOST_PAIRS and (colon := line.find(":", start)) >= 0:
        run = colon
        while run > max(start, colon - _LONGEST_KEY) and _in_key(line[run - 1]):
            run -= 1
        start = colon + 1
        if (key := _KEY.search(line[run:colon])) is None:
            continue
        value = _VALUE.match(line, start)
        assert value is not None  # it matches nothing, too
        pairs.setdefault(key.group(), value.group(1).strip())
        start = value.end() + 1
    return pairs


def _in_key(character: str) -> bool:
    return character.isalnum() or character in "_ -/"


def _generator(settings: dict[str, str]) -> str:
    """Which program wrote the settings, by its version."""
    version = settings.get("Version", "")
    named = {"classic": "Forge Classic", "ComfyUI": "ComfyUI"}.get(version)
    if settings.get("App") == "SD.Next":
        return "SD.Next"
    if named:
        return named
    if version.startswith("neo"):
        return "Forge Neo"
    if version.startswith("Fooocus"):
        return "Fooocus"
    if re.match(r"f\d", version):
        return "reForge" if re.match(r"f[\d.]+(v\d+)?-v", version) else "Forge"
    if "Civitai resources" in settings:
        return "Civitai"
    return "A1111"
