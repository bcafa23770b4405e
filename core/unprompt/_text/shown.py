"""The prompt that is shown for a prediction, and its readback."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from unprompt._text.editing import edit_prompts
from unprompt.contracts import TextEncoder
from unprompt.embeddings import cosine
from unprompt.types import FloatArray


@dataclass(frozen=True, slots=True)
class ShownPrompt:
    """A readable prompt beside a predicted embedding.

    Attributes:
        text: The prompt.
        readback: The cosine of its embedding with the predicted one, -1..1.
        composed: Whether it is no candidate, but put together from parts of several.
        candidate: The nearest of the candidates, which is shown where nothing is edited.
    """

    text: str
    readback: float
    composed: bool
    candidate: str


def shown_prompts(
    rows: FloatArray,
    candidates: Sequence[Sequence[str]],
    encoder: TextEncoder,
    *,
    edit: bool,
    read: Mapping[int, str] = MappingProxyType({}),
) -> tuple[ShownPrompt | None, ...]:
    """For each prediction the prompt to show; None where it has no candidate, or is none.

    Args:
        rows: Unit rows of shape (N, D), or zero rows where there is no prediction.
        candidates: N lists of distinct texts.
        encoder: The text encoder of the target space.
        edit: Whether to edit the nearest candidates, see `edit_prompts`; without, the nearest
            is shown.
        read: Place of an image -> the prompt that was read from its file: it is shown as it is.
    """
    usable = [
        [text for text in texts if text.strip(", \t\n")] if i not in read and row.any() else []
        for i, (row, texts) in enumerate(zip(rows, candidates, strict=True))
    ]
    wanted = [i for i, texts in enumerate(usable) if texts]
    nearest = _nearest(rows, usable, encoder)
    texts = [nearest[i] for i in wanted]
    if edit:
        texts = list(edit_prompts(rows[wanted], [usable[i] for i in wanted], encoder))
    shown: list[ShownPrompt | None] = [None] * len(rows)
    if wanted:
        readbacks = cosine(encoder.encode(texts), rows[wanted])
        for i, text, readback in zip(wanted, texts, readbacks, strict=True):
            shown[i] = ShownPrompt(text, float(readback), text not in usable[i], nearest[i])
    if read:
        readbacks = cosine(encoder.encode([*read.values()]), rows[[*read]])
        for (i, text), readback in zip(read.items(), readbacks, strict=True):
            shown[i] = ShownPrompt(text, float(readback), composed=False, candidate=text)
    return tuple(shown)


def _nearest(
    rows: FloatArray, candidates: Sequence[Sequence[str]], encoder: TextEncoder
) -> list[str]:
    """For each row the candidate with the nearest embedding; empty where it has no candidate."""
    encoded = encoder.encode([text for texts in candidates for text in texts])
    nearest: list[str] = []
    start = 0
    for row, texts in zip(rows, candidates, strict=True):
        cosines = encoded[start : start + len(texts)] @ row
        nearest.append(texts[int(cosines.argmax())] if texts else "")
        start += len(texts)
    return nearest
