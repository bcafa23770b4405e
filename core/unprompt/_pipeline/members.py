"""What each member predicts: for the holdout (or fold by fold) and for test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from unprompt._members.abstention import warn_of_silence
from unprompt._members.batches import collect
from unprompt._members.member import LiveMember, Prepared
from unprompt._pipeline.context import RunContext
from unprompt._pipeline.trainings import Training, work_folder
from unprompt._registry.parts import Member
from unprompt._runs.scores import EVALUATED
from unprompt._search.problem import Variants
from unprompt.contracts import Batch
from unprompt.embeddings import Embeddings


@dataclass(frozen=True, slots=True, eq=False)
class MemberPredictions:
    """What one member has learned and predicted in a run.

    Attributes:
        prepared: The member with its artifact.
        batches: ``holdout`` and ``test`` -> predictions. With `search.folds`, ``holdout`` is train
            and holdout together: each image is predicted by a member that was fitted without its
            fold.
        variants: Predictions for the holdout under each choice of the options that are searched;
            empty where none is.
        own: The backbone's own embeddings of the test images, where it has such in the target
            space.
    """

    prepared: Prepared
    batches: Mapping[str, Batch]
    variants: Sequence[Embeddings]
    own: Embeddings | None = None


def predict_members(
    run: RunContext, members: Sequence[Member], splits: Sequence[str] = EVALUATED
) -> dict[str, MemberPredictions]:
    """Members' predictions, by name; one after another, so that memory holds one tower."""
    predictions: dict[str, MemberPredictions] = {}
    for member in members:
        predictions[member.name] = predict_member(run, member, splits)
        for split in splits:
            embeddings = predictions[member.name].batches[split].embeddings
            warn_of_silence(member, embeddings.answered.tolist(), f"{split} images")
            if run.observers:
                run.observers.tell(
                    "member_predicted",
                    run=run.view,
                    member=member.name,
                    split=split,
                    embeddings=embeddings,
                )
    return predictions


def predict_member(
    run: RunContext, member: Member, splits: Sequence[str] = EVALUATED
) -> MemberPredictions:
    """One member from building to closing: its towers are loaded once, whatever it has to do."""
    search, data = run.experiment.config.search, run.data
    learnable = data.pool() if search.folds else data.splits.ids["train"]
    batches: dict[str, Batch] = {}
    variants: Sequence[Embeddings] = ()
    own: Embeddings | None = None
    with closing(LiveMember(member, run.context, data.text_encoder)) as live:
        with run.timings.timed(f"prepare {member.name}"):
            training = Training(run, member)
            train = data.train_set(learnable, work_folder(run, member), training)
            prepared = live.prepare(train)
            training.complete(prepared.artifact)
        with run.timings.timed(f"predict {member.name}"):
            if "test" in splits:  # first, so that the family does not run its tower twice
                own = live.own_embeddings(prepared, data.images.select(data.splits.ids["test"]))
            for split in splits:
                if not (search.folds and split == "holdout"):
                    images = data.images.select(data.splits.ids[split])
                    batches[split] = live.predict(prepared, images)
            if member.name in search.space:
                choices = Variants(search.space[member.name]).options()
                images = data.images.select(data.splits.ids["holdout"])
                variants = live.predict_variants(prepared, images, choices)
    if search.folds and "holdout" in splits:
        with run.timings.timed(f"predict {member.name}"):
            batches["holdout"] = _out_of_fold(run, member)
    return MemberPredictions(prepared, batches, variants, own)


def _out_of_fold(run: RunContext, member: Member) -> Batch:
    """Train and holdout, each fold predicted by a member that has not learned from it."""
    search, data = run.experiment.config.search, run.data
    pool = data.pool()
    batches: list[Batch] = []
    for number, fold in enumerate(data.folds(search.folds, search.seed), start=1):
        inside = set(fold)
        others = [name for name in pool if name not in inside]
        with closing(LiveMember(member, run.context, data.text_encoder)) as live:
            work = work_folder(run, member, f"fold-{number}")
            prepared = live.prepare(data.train_set(others, work))
            batches.append(live.predict(prepared, data.images.select(fold)))
    return collect(batches, pool, data.text_encoder.dim)
