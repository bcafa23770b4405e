"""The family: files -> texts -> prompts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from unprompt import Images, PromptReader, Reading
from unprompt_metadata.dialects import read_prompt
from unprompt_metadata.embedded import EmbeddedOptions
from unprompt_metadata.fields import FileTexts
from unprompt_metadata.files import read_texts
from unprompt_metadata.prompts import ReadPrompt

_PROVENANCE = "has a C2PA manifest: provenance, which holds no prompt"


class EmbeddedMetadata(PromptReader):
    """Reads what generators write into files; the image itself is not looked at."""

    options: EmbeddedOptions

    def read(self, images: Images) -> Iterator[Reading]:
        """What each file says; an image without a file says nothing.

        Raises:
            DataError: A file cannot be read.
        """
        for image_id in images.ids:
            path = images.path(image_id)
            yield Reading(image_id) if path is None else self._reading(image_id, path)

    def _reading(self, image_id: str, path: Path) -> Reading:
        texts = read_texts(path, stealth=self.options.stealth)
        result = read_prompt(texts)
        if not isinstance(result, ReadPrompt):
            return Reading(image_id, remark=_remark(texts, result.reason if result else None))
        prompt = result.prompt
        if self.options.characters and result.characters:
            prompt = ", ".join((prompt.rstrip(" ,\n"), *result.characters))
        source = f"{result.generator}, {result.field}"
        return Reading(image_id, prompt, source, _remark(texts, result.remark))


def _remark(texts: FileTexts, reason: str | None) -> str | None:
    """What there is to say of a file, in one line."""
    lines = [reason] if reason else []
    if texts.provenance:
        lines.append(_PROVENANCE)
    return "; ".join((*lines, *texts.problems)) or None
