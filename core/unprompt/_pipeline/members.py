"""What each member predicts: for the holdout (or fold by fold) and for test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unprompt._members.member import Prepared, Workshop, collect, predict, prepare
from unprompt._pipeline.stages import Stages
from unprompt._pipeline.world import World
from unprompt._registry.loading import Experiment, Member
from unprompt.contracts import Batch, RunView

JUDGED = ("holdout", "test")


@dataclass(frozen=True, slots=True, eq=False)
class Predicted:
    """Every member's predictions.

    Attributes:
        prepared: The members with their artifacts, in the ensemble's order.
        batches: ``holdout`` and ``test`` -> member -> predictions.
    """

    prepared: list[Prepared]
    batches: dict[str, dict[str, Batch]]

    def put(self, prepared: Prepared, batches: dict[str, Batch]) -> None:
        """Take a member's predictions in place of those that it had, or as a new member's."""
        name = prepared.member.name
        places = {one.member.name: i for i, one in enumerate(self.prepared)}
        if name in places:
            self.prepared[places[name]] = prepared
        else:
            self.prepared.append(prepared)
        for split, batch in batches.items():
            self.batches.setdefault(split, {})[name] = batch


def predict_members(
    experiment: Experiment,
    world: World,
    view: RunView,
    shop: Workshop,
    stages: Stages,
    splits: Sequence[str] = JUDGED,
) -> Predicted:
    """Members one after another, so that memory holds one tower.

    With `search.folds`, ``holdout`` is train and holdout together: each picture is predicted by a
    member that was fitted without its fold.
    """
    found = Predicted([], {split: {} for split in splits})
    for member in experiment.ensemble.members:
        prepared, batches = predict_member(experiment, world, member, shop, stages, splits)
        found.put(prepared, batches)
        for split in splits:
            shop.registry.notify(
                experiment.plugins,
                "unprompt_member_predicted",
                run=view,
                member=member.name,
                split=split,
                embeddings=batches[split].embeddings,
            )
    return found


def predict_member(
    experiment: Experiment,
    world: World,
    member: Member,
    shop: Workshop,
    stages: Stages,
    splits: Sequence[str] = JUDGED,
) -> tuple[Prepared, dict[str, Batch]]:
    """One member, prepared on all that it may learn from, and its predictions for ``splits``."""
    folds = experiment.config.search.folds
    learnable = world.pool() if folds else world.splits.ids["train"]
    with stages.timed(f"prepare {member.name}"):
        prepared = prepare(member, world.learnable(learnable), shop)
    batches: dict[str, Batch] = {}
    for split in splits:
        with stages.timed(f"predict {member.name}"):
            if folds and split == "holdout":
                batches[split] = _out_of_fold(experiment, world, member, shop)
            else:
                images = world.images.select(world.splits.ids[split])
                batches[split] = predict(prepared, images, shop)
    return prepared, batches


def _out_of_fold(experiment: Experiment, world: World, member: Member, shop: Workshop) -> Batch:
    """Train and holdout, each fold predicted by a member that has not seen it."""
    search, pool = experiment.config.search, world.pool()
    parts: list[Batch] = []
    for fold in world.folds(search.folds, search.seed):
        inside = set(fold)
        others = [name for name in pool if name not in inside]
        prepared = prepare(member, world.learnable(others), shop)
        parts.append(predict(prepared, world.images.select(fold), shop))
    return collect(parts, pool, parts[0].embeddings.dim)
