"""Edit prompts until no edit brings them nearer to their predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from unprompt._text.edits import Edit, Rows, edits, estimates, pool
from unprompt._text.nearness import Nearness, common_direction
from unprompt._text.parts import Part, Parts, join, length, split
from unprompt.contracts import TextEncoder
from unprompt.types import FloatArray

BEAM = 2
"""Prompts of an image that are edited side by side."""
TRIED = 3
"""Edits of an image that are encoded in a round, the most promising by their estimates."""
ROUNDS = 5
"""At most; a round in which no image gains is the last."""
GAIN = 0.002
"""What an edit has to bring, unless it only drops a part."""
LENGTH = 0.95
"""No prompt becomes longer than this quantile of its candidates' lengths, or than it was."""
IMAGES = 256
"""Images that are edited together, which limits memory."""


@dataclass(frozen=True, slots=True)
class _Prompt:
    """A prompt on the way, with what it is worth, the text and its unit row of shape (D,)."""

    value: float
    parts: Parts
    text: str
    row: FloatArray


@dataclass(frozen=True, slots=True)
class _Trial:
    """An edited prompt that is to be encoded.

    Attributes:
        parts: Of it.
        text: Of it.
        needed: The value that it should exceed.
        estimate: Of what the edit brings.
    """

    parts: Parts
    text: str
    needed: float
    estimate: float


@dataclass(slots=True)
class _Image:
    """One image: its prediction, its nearest candidate, its parts, and what it has come to."""

    nearness: Nearness
    nearest: _Prompt
    pool: tuple[Part, ...]
    limit: int
    beam: list[_Prompt]
    seen: set[str]
    expanded: set[str] = field(default_factory=set)


def edit_prompts(
    rows: FloatArray, candidates: Sequence[Sequence[str]], encoder: TextEncoder
) -> tuple[str, ...]:
    """For each prediction a prompt near to it, made of its candidates.

    Greedy search with a small beam: it starts from the nearest candidates, drops, replaces and
    appends their parts, ranks all edits by a linear estimate and encodes the most promising. An
    image's prompt depends on nothing but its own row and candidates.

    Args:
        rows: Unit rows of shape (N, D).
        candidates: N lists of at least one distinct text.
        encoder: The text encoder of the target space.
    """
    common = common_direction(encoder) if len(rows) else np.empty(0, np.float32)
    edited: list[str] = []
    for start in range(0, len(rows), IMAGES):
        part = slice(start, start + IMAGES)
        edited += _edit(rows[part], candidates[part], encoder, common)
    return tuple(edited)


def _edit(
    rows: FloatArray,
    candidates: Sequence[Sequence[str]],
    encoder: TextEncoder,
    common: FloatArray,
) -> list[str]:
    known = _encoded([text for texts in candidates for text in texts], encoder)
    images = [
        _begin(row, common, texts, known) for row, texts in zip(rows, candidates, strict=True)
    ]
    # Edits are compared with each other by the thousand: the fast encoder's rounding decides near
    # ties among them, and what comes of them is judged by exact rows in the end.
    fast = encoder.fastest()
    edited = _encoded([part.words for image in images for part in image.pool], fast)
    for _ in range(ROUNDS):
        trials = [_trials(image, edited) for image in images]
        edited |= _encoded([trial.text for tried in trials for trial in tried], fast)
        gains = [_keep(image, tried, edited) for image, tried in zip(images, trials, strict=True)]
        if not any(gains):
            break
    final = _encoded([prompt.text for image in images for prompt in image.beam], encoder)
    return [_best(image, final) for image in images]


def _encoded(texts: Sequence[str], encoder: TextEncoder) -> dict[str, FloatArray]:
    distinct = list(dict.fromkeys(texts))
    return dict(zip(distinct, encoder.encode(distinct), strict=True))


def _begin(row: FloatArray, common: FloatArray, texts: Sequence[str], known: Rows) -> _Image:
    """An image with its nearest candidates."""
    candidates = np.stack([known[text] for text in texts])
    nearness = Nearness.among(candidates, row, common)
    values = nearness(candidates)
    prompts = [
        _Prompt(float(value), split(text), text, own)
        for value, text, own in zip(values, texts, candidates, strict=True)
    ]
    beam = sorted(prompts, key=_rank)[:BEAM]
    usual = float(np.quantile([length(prompt.parts) for prompt in prompts], LENGTH))
    limit = max(int(usual), length(beam[0].parts))
    return _Image(nearness, beam[0], pool(texts), limit, beam, set(texts))


def _trials(image: _Image, known: Rows) -> list[_Trial]:
    """The most promising edits of an image's prompts; none that was tried before."""
    trials: list[_Trial] = []
    for prompt in image.beam:
        if prompt.text not in image.expanded and prompt.parts:
            image.expanded.add(prompt.text)
            trials += _promising(prompt, image, known)
    chosen: dict[str, _Trial] = {}
    for trial in sorted(trials, key=lambda trial: (-trial.estimate, trial.text)):
        if len(chosen) < TRIED and trial.text not in image.seen:
            chosen.setdefault(trial.text, trial)
    image.seen |= chosen.keys()
    return list(chosen.values())


def _promising(prompt: _Prompt, image: _Image, known: Rows) -> list[_Trial]:
    changes = list(edits(prompt.parts, image.pool, image.limit))
    if not changes:
        return []
    values = estimates(prompt.parts, prompt.row, changes, known, image.nearness)
    best = np.argsort(-values, kind="stable")[: 4 * TRIED]  # some were tried before
    return [_trial(prompt, changes[i], float(values[i])) for i in best]


def _trial(prompt: _Prompt, edit: Edit, estimate: float) -> _Trial:
    needed = prompt.value + (0.0 if edit.new is None else GAIN)
    return _Trial(edit.parts, join(edit.parts), needed, estimate)


def _keep(image: _Image, trials: Sequence[_Trial], known: Rows) -> bool:
    """Put the edits that bring enough into the beam; whether there are any."""
    if not trials:
        return False
    rows = np.stack([known[trial.text] for trial in trials])
    better = [
        _Prompt(float(value), trial.parts, trial.text, row)
        for value, trial, row in zip(image.nearness(rows), trials, rows, strict=True)
        if value > trial.needed
    ]
    image.beam = sorted([*image.beam, *better], key=_rank)[:BEAM]
    return bool(better)


def _best(image: _Image, exact: Rows) -> str:
    """The best by exact rows of what an image has come to, and of its nearest candidate."""
    texts = [prompt.text for prompt in image.beam]
    values = image.nearness(np.stack([exact[text] for text in texts])).tolist()
    best = min(zip(values, texts, strict=True), key=lambda pair: (-pair[0], pair[1]))
    return best[1] if best[0] >= image.nearest.value else image.nearest.text


def _rank(prompt: _Prompt) -> tuple[float, str]:
    return -prompt.value, prompt.text
