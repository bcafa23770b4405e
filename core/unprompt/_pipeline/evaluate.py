"""What a run evaluates of a split: every member, the blends, and the floor and oracle around."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from unprompt._pipeline.context import RunContext
from unprompt._pipeline.evaluation import Evaluation
from unprompt._pipeline.members import MemberPredictions
from unprompt._scoring.blend import blend
from unprompt._scoring.floor_oracle import estimate_oracle, floor_cosines
from unprompt._search.engine import SearchResult
from unprompt.embeddings import Embeddings, cosine
from unprompt.types import BoolArray, DoubleArray


def evaluate(
    run: RunContext,
    predictions: Mapping[str, MemberPredictions],
    reading: Mapping[str, MemberPredictions],
    result: SearchResult,
    split: str,
) -> Evaluation:
    """Score every member and blend on ``holdout`` or ``test``.

    Args:
        run: The experiment and its data.
        predictions: Those of members that take part.
        reading: Those of members that read prompts from files and take no part.
        result: What the search came to.
        split: Which images.
    """
    data = run.data
    ids = data.splits.ids[split]
    targets = data.targets.select(ids)
    members, others = (
        {name: member.batches[split].embeddings.align(ids) for name, member in some.items()}
        for some in (predictions, reading)
    )
    blends = _blends([*members.values()], result)
    query = _query(run, predictions, ids) if split == "test" else None

    def cosines(embeddings: Embeddings) -> DoubleArray:
        return cosine(embeddings.rows, targets.rows)

    count = run.experiment.config.score.wordings
    if split == "holdout":
        count = max(2, count // 4)  # nothing is concluded from its oracle, and texts take time
    wordings = data.dataset.wordings(ids, count)
    encoder = data.text_encoder.fastest()
    oracle = estimate_oracle(wordings, targets, encoder) if wordings else None
    return Evaluation(
        intervals=run.intervals(split),
        members={name: cosines(embeddings) for name, embeddings in members.items()},
        equal=cosines(blends["equal"]),
        searched=cosines(blends["searched"]),
        ensemble=cosines(blends["ensemble"]),
        floor=floor_cosines(data.targets.select(data.splits.ids["train"]), targets),
        oracle=oracle.cosines if oracle else None,
        oracle_error=oracle.half_width if oracle else None,
        query=(cosines(query[0]), query[1]) if query else None,
        answered={name: embeddings.answered for name, embeddings in members.items()},
        blend_answered={name: embeddings.answered for name, embeddings in blends.items()}
        | ({"query": query[0].answered} if query else {}),
        read=_read(run, members, result),
        reading={
            name: (cosines(embeddings), embeddings.answered) for name, embeddings in others.items()
        },
        subsets=run.subsets(split),
    )


def _blends(rows: Sequence[Embeddings], result: SearchResult) -> dict[str, Embeddings]:
    """The members blended by equal weights, the best trial's, and the final ones."""
    return {
        "equal": blend(rows, [1.0] * len(rows)),
        "searched": blend(rows, result.searched),
        "ensemble": blend(rows, result.weights),
    }


def _read(
    run: RunContext, members: Mapping[str, Embeddings], result: SearchResult
) -> BoolArray | None:
    """The images whose prompt a member of the blend read; None where none that reads takes part."""
    if not any(member.reads for member in run.experiment.members):
        return None
    pairs = zip(run.experiment.members, result.weights, strict=True)
    used = [member.name for member, weight in pairs if member.reads and weight > 0]
    images = len(next(iter(members.values())))
    read: BoolArray = np.any([np.zeros(images, bool), *(members[n].answered for n in used)], axis=0)
    return read


def _query(
    run: RunContext, predictions: Mapping[str, MemberPredictions], ids: Sequence[str]
) -> tuple[Embeddings, tuple[str, ...]] | None:
    """The mean of the backbones' own embeddings, each backbone once, and its members."""
    looking = [member.name for member in run.experiment.members if not member.reads]
    own = {name: rows for name in looking if (rows := predictions[name].own) is not None}
    if not own:
        return None
    distinct: list[Embeddings] = []
    for embeddings in own.values():
        aligned = embeddings.align(ids)
        if not any(np.allclose(aligned.rows, other.rows, atol=1e-4) for other in distinct):
            distinct.append(aligned)
    return blend(distinct, [1.0] * len(distinct)), tuple(own)
