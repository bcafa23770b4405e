"""Score the prompts that are shown as texts: what their own embeddings are worth."""

from __future__ import annotations

import numpy as np

from unprompt._members.ensemble import Blended
from unprompt._pipeline.context import RunContext
from unprompt._runs.texts import TextScores
from unprompt._scoring.intervals import Intervals
from unprompt.embeddings import cosine


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
    targets = data.targets.select([name for name, _ in pairs]).rows
    groups = [data.splits.groups[name] for name, _ in pairs]
    intervals = Intervals(groups)
    shown = cosine(data.text_encoder.encode([prompt.text for _, prompt in pairs]), targets)
    nearest = cosine(data.text_encoder.encode([prompt.candidate for _, prompt in pairs]), targets)
    return TextScores(
        images=len(pairs),
        groups=len(set(groups)),
        composed=sum(prompt.composed for _, prompt in pairs),
        readback=intervals.mean_cosine(np.array([prompt.readback for _, prompt in pairs])),
        shown=intervals.mean_cosine(shown),
        nearest=intervals.mean_cosine(nearest),
        shown_minus_nearest=intervals.mean(shown - nearest),
    )
