"""The modes: from an image's caption and its cosines with all phrases to a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from unprompt import Evidence
from unprompt.towers import ClipTowers
from unprompt_blip.chain import Chain, FloatArray
from unprompt_blip.options import InterrogatorOptions
from unprompt_blip.phrases import Numbers, Phrases
from unprompt_blip.tables import LEAST, MERGED
from unprompt_blip.template import CLASSIC, FIELDS, distinct, fields, fit, render

if TYPE_CHECKING:
    import torch

KIND = "phrase"


@dataclass(frozen=True, slots=True)
class Written:
    """What was written for one image.

    Attributes:
        text: The predicted prompt.
        evidence: The caption and phrases with their cosines to the image, of kind ``phrase``:
            those of the text first to be chosen, then the nearest others; sorted by cosine.
    """

    text: str
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Sheet:
    """One image, and what may be said of it.

    Attributes:
        cosines: With all phrases, (P,).
        caption: Its caption; empty where there is none.
        caption_cosine: Of the caption with the image; None where there is none.
        ranked: The nearest phrases of the merged tables.
        chosen: The phrases of each field of the template.
        candidates: What mode best tries to add.
    """

    cosines: FloatArray
    caption: str
    caption_cosine: float | None
    ranked: Numbers
    chosen: dict[str, Numbers]
    candidates: Numbers

    @property
    def opening(self) -> list[str]:
        """The caption as the first phrase of the text, where there is one."""
        return [self.caption] if self.caption else []


@dataclass(frozen=True)
class Writer:
    """Writes texts in the mode that the options say; see `Chain` for what mode best adds."""

    options: InterrogatorOptions
    phrases: Phrases
    towers: ClipTowers
    device: str

    def write(self, images: FloatArray, captions: Sequence[str]) -> list[Written]:
        """A text for each image of a batch.

        Args:
            images: Unit rows of shape (n, C).
            captions: n captions; empty where there is none.
        """
        cosines = self.phrases.cosines(images, self.device)  # (n, P)
        ranked = self.phrases.top(cosines, MERGED, self._depth())  # (n, K)
        chosen = {
            name: self.phrases.top(cosines, tables, count, lowest=name == "negative")
            for name, (tables, count) in self._wanted().items()
        }
        best = self.options.mode == "best"
        candidates = self._candidates(cosines, ranked) if best else ranked[:, :0]
        rows = cosines.cpu().numpy()
        caption_cosines = self._caption_cosines(images, captions)
        sheets = [
            _Sheet(
                rows[i],
                captions[i],
                caption_cosines[i],
                ranked[i],
                {name: numbers[i] for name, numbers in chosen.items()},
                candidates[i],
            )
            for i in range(len(images))
        ]
        texts = self._best(sheets, images) if best else [self._text(sheet) for sheet in sheets]
        return [
            Written(text or self._nearest(sheet), self._evidence(sheet))
            for text, sheet in zip(texts, sheets, strict=True)
        ]

    def _depth(self) -> int:
        """How many phrases of the merged tables are looked at."""
        options = self.options
        depths = {
            "fast": options.max_phrases,
            "best": max(options.candidates, options.max_phrases),
        }
        return max(options.evidence, depths.get(options.mode, 1))

    def _candidates(self, cosines: torch.Tensor, ranked: Numbers) -> list[Numbers]:
        """What mode best tries to add to each image's text, the nearest to it first.

        An eighth of them comes from each table but the largest kind, if it has as many: the
        nearest phrases of all are often one thing in many words, and none says the medium.
        """
        count = self.options.candidates
        rows = cosines.cpu().numpy()
        tables = ("mediums", "movements", "artists", "trendings")
        tops = [self.phrases.top(cosines, (table,), max(1, count // 8)) for table in tables]
        candidates = []
        for row, nearest, *own in zip(rows, ranked, *tops, strict=True):
            first = dict.fromkeys(np.concatenate(own))
            distinct_numbers = dict.fromkeys([*first, *nearest])
            numbers = np.array([*distinct_numbers][: max(count, len(first))], np.int64)
            candidates.append(numbers[np.argsort(-row[numbers], kind="stable")][:count])
        return candidates

    def _wanted(self) -> dict[str, tuple[tuple[str, ...], int]]:
        """The fields to be filled in: the tables of each, and how many phrases."""
        options = self.options
        if options.mode == "negative":
            return {"negative": (LEAST, options.max_phrases)}
        wanted: dict[str, tuple[tuple[str, ...], int]] = {}
        for name in fields(self._template):
            table = FIELDS[name]
            if table is not None:
                tables = LEAST if name == "negative" else (table,)
                wanted[name] = tables, options.flavors if name in ("flavors", "negative") else 1
        return wanted

    def _caption_cosines(self, images: FloatArray, captions: Sequence[str]) -> list[float | None]:
        """Of each caption with its own image, in one forward pass."""
        if not any(captions):
            return [None] * len(captions)
        rows = self.towers.encode_tokens(self.towers.tokens(captions))  # (n, C)
        cosines = np.einsum("nc,nc->n", rows, images)
        return [float(c) if text else None for c, text in zip(cosines, captions, strict=True)]

    def _text(self, sheet: _Sheet) -> str:
        """The text of every mode but best, cut at the text tower's limit; it may be empty."""
        mode = self.options.mode
        if mode == "negative":
            return self._fit(self._texts(sheet.chosen["negative"]))
        if mode == "fast":
            return self._fast(sheet)
        if mode == "caption":
            return self._fit(sheet.opening)
        return self._filled(sheet)

    def _nearest(self, sheet: _Sheet) -> str:
        """One phrase, where there is nothing else to say."""
        return self.phrases.texts[int(sheet.cosines.argmax())]

    def _filled(self, sheet: _Sheet) -> str:
        words = {name: self._texts(numbers) for name, numbers in sheet.chosen.items()}
        words["caption"] = sheet.opening
        medium = words.get("medium")
        if medium and sheet.caption.lower().startswith(medium[0].lower()):
            words["medium"] = []  # "a painting of a cat, a painting"
        return self._fit(render(self._template, words))

    def _fast(self, sheet: _Sheet) -> str:
        nearest = self._texts(sheet.ranked[: self.options.max_phrases])
        return self._fit(distinct([sheet.caption, *nearest]))

    def _best(self, sheets: Sequence[_Sheet], images: FloatArray) -> list[str]:
        """The best of the chain, fast, classic and the caption, by cosine with the image."""
        captions, starts = [self._fit(sheet.opening) for sheet in sheets], []
        for sheet, caption in zip(sheets, captions, strict=True):
            # A caption that is less near than a single phrase would lead the chain astray.
            nearest = float(sheet.cosines[sheet.candidates].max(initial=-1.0))
            leads = sheet.caption_cosine is not None and sheet.caption_cosine >= nearest
            starts.append(caption if leads else "")
        grown = self._chain.grow(starts, [self._texts(s.candidates) for s in sheets], images)
        texts = [
            distinct([text, self._fast(sheet), self._filled(sheet), caption])
            for text, sheet, caption in zip(grown, sheets, captions, strict=True)
        ]
        return self._chain.nearest(texts, images)

    def _evidence(self, sheet: _Sheet) -> tuple[Evidence, ...]:
        used = [number for numbers in sheet.chosen.values() for number in numbers]
        numbers = [*dict.fromkeys([*used, *sheet.ranked])][: self.options.evidence]
        pieces = [
            Evidence(self.phrases.texts[number], float(sheet.cosines[number]), KIND)
            for number in numbers
        ]
        if sheet.caption_cosine is not None:
            pieces.insert(0, Evidence(sheet.caption, sheet.caption_cosine, KIND))
        return tuple(sorted(pieces[: self.options.evidence], key=lambda piece: -piece.score))

    @property
    def _template(self) -> str:
        """Empty in modes that have none."""
        templates = {"template": self.options.template, "classic": CLASSIC, "best": CLASSIC}
        return templates.get(self.options.mode, "")

    @cached_property
    def _chain(self) -> Chain:
        return Chain(self.towers, self.options.chunk, self.options.max_phrases)

    def _texts(self, numbers: Numbers) -> list[str]:
        return [self.phrases.texts[number] for number in numbers]

    def _fit(self, phrases: Sequence[str]) -> str:
        return fit(phrases, self.towers.fits)
