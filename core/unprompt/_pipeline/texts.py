"""Score the prompts that are shown as texts: what their own embeddings are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unprompt._members.ensemble import Blended
from unprompt._pipeline.context import RunContext
from unprompt._runs.texts import TextScores
from unprompt._scoring.intervals import Intervals
from unprompt._text.shown import ShownPrompt
from unprompt.embeddings import cosine
from unprompt.types import BoolArray, DoubleArray


def text_scores(run: RunContext, blended: Blended) -> TextScores | None:
    """Readback and scores of the prompts shown for the test images; None where there are none.

    Prompts that were read from files are left out: nothing was predicted there.

    Args:
        run: The experiment and its data.
        blended: The blend's predictions for the test images.
    """
    data = run.data
    by_id = dict(zip(blended.batch.embeddings.ids, blended.shown, strict=True))
    origin = blended.origin
    pairs = [
        (name, prompt)
        for name in data.splits.ids["test"]
        if (prompt := by_id[name]) and origin[name] == "predicted"
    ]
    if not pairs:
        return None
    names, prompts = [name for name, _ in pairs], [prompt for _, prompt in pairs]
    targets = data.targets.select(names).rows
    texts = _Texts(
        intervals=Intervals([data.splits.groups[name] for name in names]),
        prompts=prompts,
        shown=cosine(data.text_encoder.encode([prompt.text for prompt in prompts]), targets),
        nearest=cosine(data.text_encoder.encode([prompt.candidate for prompt in prompts]), targets),
    )
    number = {name: i for i, name in enumerate(data.splits.ids["test"])}
    rows = [number[name] for name in names]
    subsets = {
        name: texts.where(inside[rows]).scores()
        for name, inside in run.subsets("test").items()
        if inside[rows].any()
    }
    return texts.scores().model_copy(update={"subsets": subsets})


@dataclass(frozen=True, slots=True, eq=False)
class _Texts:
    """Shown prompts with their cosines with the true ones, all in the same order of images."""

    intervals: Intervals
    prompts: Sequence[ShownPrompt]
    shown: DoubleArray
    nearest: DoubleArray

    def where(self, inside: BoolArray) -> _Texts:
        """The same of some of the images only."""
        prompts = [self.prompts[i] for i in np.flatnonzero(inside).tolist()]
        intervals = self.intervals.where(inside)
        return _Texts(intervals, prompts, self.shown[inside], self.nearest[inside])

    def scores(self) -> TextScores:
        return TextScores(
            images=len(self.prompts),
            groups=self.intervals.group_count,
            composed=sum(prompt.composed for prompt in self.prompts),
            readback=self.intervals.mean_cosine(np.array([p.readback for p in self.prompts])),
            shown=self.intervals.mean_cosine(self.shown),
            nearest=self.intervals.mean_cosine(self.nearest),
            shown_minus_nearest=self.intervals.mean(self.shown - self.nearest),
        )
