"""The modes: from an image's caption and its cosines with all phrases to a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from unprompt import Evidence, Runtime
from unprompt.towers import ClipTowers
from unprompt_blip.chain import Chain, first_best
from unprompt_blip.options import InterrogatorOptions
from unprompt_blip.phrases import Numbers, Phrases
from unprompt_blip.tables import LEAST, MERGED
from unprompt_blip.template import CLASSIC, FIELDS, distinct, fields, fit, render

if TYPE_CHECKING:
    import torch

FloatArray = npt.NDArray[np.float32]
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
    """One image: its unit row (C,), its cosines (P,), its caption, and the phrases of each field."""

    image: FloatArray
    cosines: FloatArray
    caption: str
    ranked: Numbers
    chosen: dict[str, Numbers]
    candidates: Numbers


class Writer:
    """Writes texts in the mode that the options say."""

    def __init__(
        self,
        options: InterrogatorOptions,
        phrases: Phrases,
        towers: ClipTowers,
        runtime: Runtime,
    ) -> None:
        """Store all; see `Chain` for what mode best adds."""
        self._options = options
        self._phrases = phrases
        self._towers = towers
        self._device = runtime.device
        self._chain = (
            Chain(towers, options.chunk, options.max_phrases) if options.mode == "best" else None
        )

    def write(self, images: FloatArray, captions: Sequence[str]) -> list[Written]:
        """A text for each image of a batch.

        Args:
            images: Unit rows of shape (n, C).
            captions: n captions; empty where there is none.
        """
        cosines = self._phrases.cosines(images, self._device)  # (n, P)
        ranked = self._phrases.top(cosines, MERGED, self._depth())  # (n, K)
        chosen = {
            name: self._phrases.top(cosines, tables, count, lowest=name == "negative")
            for name, (tables, count) in self._wanted().items()
        }
        candidates = self._candidates(cosines, ranked)
        rows = cosines.cpu().numpy()
        caption_cosines = self._caption_cosines(images, captions)
        return [
            self._written(
                _Sheet(
                    images[i],
                    rows[i],
                    captions[i],
                    ranked[i],
                    {name: numbers[i] for name, numbers in chosen.items()},
                    candidates[i],
                ),
                caption_cosines[i],
            )
            for i in range(len(images))
        ]

    def _depth(self) -> int:
        """How many phrases of the merged tables are looked at."""
        options = self._options
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
        count = self._options.candidates
        if self._options.mode != "best":
            return [ranked[i, :0] for i in range(len(ranked))]
        rows = cosines.cpu().numpy()
        own = [
            self._phrases.top(cosines, (table,), max(1, count // 8))
            for table in ("mediums", "movements", "artists", "trendings")
        ]
        candidates = []
        for i in range(len(ranked)):
            numbers = dict.fromkeys(int(n) for table in own for n in table[i])
            for number in ranked[i].tolist():
                if len(numbers) >= count:
                    break
                numbers[number] = None
            candidates.append(
                np.array(sorted(numbers, key=lambda n: -rows[i, n])[:count], np.int64)
            )
        return candidates

    def _wanted(self) -> dict[str, tuple[tuple[str, ...], int]]:
        """The fields to be filled in: the tables of each, and how many phrases."""
        options = self._options
        if options.mode == "negative":
            return {"negative": (LEAST, options.max_phrases)}
        template = {"template": options.template, "classic": CLASSIC, "best": CLASSIC}
        wanted: dict[str, tuple[tuple[str, ...], int]] = {}
        for name in fields(template.get(options.mode, "")):
            table = FIELDS[name]
            if name == "negative":
                wanted[name] = (LEAST, options.flavors)
            elif table is not None:
                wanted[name] = ((table,), options.flavors if name == "flavors" else 1)
        return wanted

    def _caption_cosines(self, images: FloatArray, captions: Sequence[str]) -> list[float | None]:
        """Of each caption with its own image, in one forward pass."""
        if not any(captions):
            return [None] * len(captions)
        rows = self._towers.encode_tokens(self._towers.tokens(captions))  # (n, C)
        cosines = np.einsum("nc,nc->n", rows, images)
        return [float(c) if text else None for c, text in zip(cosines, captions, strict=True)]

    def _written(self, sheet: _Sheet, caption_cosine: float | None) -> Written:
        text = self._text(sheet, caption_cosine) or self._phrases.texts[int(sheet.cosines.argmax())]
        return Written(text, self._evidence(sheet, caption_cosine))

    def _text(self, sheet: _Sheet, caption_cosine: float | None) -> str:
        """The text, cut at the text tower's limit; empty where there is nothing to say."""
        mode = self._options.mode
        if mode == "best":
            return self._best(sheet, caption_cosine)
        if mode == "negative":
            return self._fit(self._texts(sheet.chosen["negative"]))
        if mode == "fast":
            return self._fast(sheet)
        if mode == "caption":
            return self._fit([sheet.caption] if sheet.caption else [])
        return self._filled(sheet, CLASSIC if mode == "classic" else self._options.template)

    def _filled(self, sheet: _Sheet, template: str) -> str:
        words = {name: self._texts(numbers) for name, numbers in sheet.chosen.items()}
        words["caption"] = [sheet.caption] if sheet.caption else []
        medium = words.get("medium")
        if medium and sheet.caption.lower().startswith(medium[0].lower()):
            words["medium"] = []  # "a painting of a cat, a painting"
        return self._fit(render(template, words))

    def _fast(self, sheet: _Sheet) -> str:
        nearest = self._texts(sheet.ranked[: self._options.max_phrases])
        return self._fit(distinct([sheet.caption, *nearest]))

    def _best(self, sheet: _Sheet, caption_cosine: float | None) -> str:
        """The best of the chain, fast, classic and the caption, by cosine with the image."""
        assert self._chain is not None  # made for this mode
        start = self._fit([sheet.caption] if sheet.caption else [])
        candidates = self._texts(sheet.candidates)
        # A caption that is less near than a single phrase would lead the chain astray.
        nearest = float(sheet.cosines[sheet.candidates].max(initial=-1.0))
        worth = caption_cosine is not None and caption_cosine >= nearest
        grown = self._chain.grow(start if worth else "", candidates, sheet.image)
        texts = distinct([grown, self._fast(sheet), self._filled(sheet, CLASSIC), start])
        if not texts:
            return ""
        return texts[first_best(self._chain.cosines(texts, sheet.image))]

    def _evidence(self, sheet: _Sheet, caption_cosine: float | None) -> tuple[Evidence, ...]:
        used = [number for numbers in sheet.chosen.values() for number in numbers]
        numbers = list(dict.fromkeys([*used, *sheet.ranked]))
        pieces = [
            Evidence(self._phrases.texts[number], float(sheet.cosines[number]), KIND)
            for number in numbers[: self._options.evidence]
        ]
        if caption_cosine is not None:
            caption = Evidence(sheet.caption, caption_cosine, KIND)
            pieces = [caption, *pieces[: self._options.evidence - 1]]
        return tuple(sorted(pieces, key=lambda piece: -piece.score))

    def _texts(self, numbers: Numbers) -> list[str]:
        return [self._phrases.texts[number] for number in numbers]

    def _fit(self, phrases: Sequence[str]) -> str:
        return fit(phrases, self._towers.fits)
