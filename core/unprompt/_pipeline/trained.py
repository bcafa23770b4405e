"""Training members of an experiment without a search: artifacts, cards and scores."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from unprompt._config.check import did_you_mean
from unprompt._data.metrics import CARD, FOLDER
from unprompt._files.cache import copy_folder
from unprompt._files.hashing import content_hash
from unprompt._files.writing import check_writable, replacing_folder, write_text
from unprompt._members.context import Context
from unprompt._pipeline.context import RunContext
from unprompt._pipeline.dataset import open_dataset
from unprompt._pipeline.folder import runs_folder, write_ensemble
from unprompt._pipeline.members import predict_member
from unprompt._pipeline.timings import Timings
from unprompt._registry.parts import Experiment, Member
from unprompt._runs.files import training_folder
from unprompt._runs.scores import EVALUATED
from unprompt._scoring.digits import with_interval
from unprompt._scoring.estimate import Estimate
from unprompt.contracts import RunView
from unprompt.embeddings import cosine
from unprompt.errors import ConfigError
from unprompt.train.checkpoints import forget
from unprompt.train.hardware import hardware
from unprompt.types import Json

ARTIFACT = "artifact"


@dataclass(frozen=True, slots=True)
class TrainedMember:
    """What a member has learned, and how well it predicts.

    Attributes:
        name: Of the member.
        folder: Where its artifact, card and metrics lie, and an ensemble of it alone.
        holdout: Mean cosine on the holdout, with its 95 % interval.
        test: Likewise on the test split.
        subsets: Likewise on each subset of the test split, by name.
        seconds: That learning took; None: what was learned before was in the cache.
    """

    name: str
    folder: Path
    holdout: Estimate
    test: Estimate
    subsets: dict[str, Estimate]
    seconds: float | None


def train_members(
    experiment: Experiment,
    path: Path,
    names: Sequence[str],
    context: Context,
    *,
    resume: bool = True,
    runs: Path | None = None,
) -> list[TrainedMember]:
    """Let members learn, predict holdout and test, and write artifacts with their cards.

    Args:
        experiment: Checked configuration.
        path: The YAML file that it came from.
        names: Members; empty: all that have no artifact.
        context: Registry, runtime and cache.
        resume: Whether to go on from checkpoints that are there; else they are removed.
        runs: The folder of the runs of all experiments; default: ``runs`` beside ``path``.

    Raises:
        ConfigError: There is no such member, or it has an artifact; or there are checkpoints of
            other options.
        UnpromptError: Another mistake of a user's.
    """
    members = _chosen(experiment, names)
    folder = runs or runs_folder(experiment, path).parent
    for member in members:  # before the data is opened
        check_writable(training_folder(folder, experiment.config.name, member.name) / CARD)
    timings = Timings()
    data = open_dataset(experiment, context, timings)
    view = RunView(experiment.config.name, folder, experiment.plain())
    run = RunContext(experiment, data, context, timings, view, None, folder)
    return [_train(run, member, resume) for member in members]


def _chosen(experiment: Experiment, names: Sequence[str]) -> list[Member]:
    """The members to train."""
    known = {member.name: member for member in experiment.ensemble.members}
    for name in names:
        if name not in known:
            near = did_you_mean(name, known)
            raise ConfigError(f"no member {name!r}{near}; there are {', '.join(known)}")
        if known[name].artifact is not None:
            raise ConfigError(f"member {name!r} has an artifact, so there is nothing to train")
    members = [known[name] for name in names] or [m for m in known.values() if m.artifact is None]
    if not members:
        raise ConfigError("every member has an artifact, so there is nothing to train")
    return members


def _train(run: RunContext, member: Member, resume: bool) -> TrainedMember:
    """One member, from checkpoints to its card."""
    assert run.runs is not None  # train_members says where
    folder = training_folder(run.runs, run.experiment.config.name, member.name)
    if not resume:
        forget(folder)
    predictions = predict_member(run, member)
    scores: dict[str, Estimate] = {}
    subsets: dict[str, Estimate] = {}
    for split in EVALUATED:
        ids = run.data.splits.ids[split]
        rows = predictions.batches[split].embeddings.align(ids).rows
        cosines = cosine(rows, run.data.targets.select(ids).rows)
        scores[split] = run.intervals(split).mean_cosine(cosines)
        if split == "test":
            for name, inside in run.subsets(split).items():
                intervals = run.intervals(split).where(inside)
                subsets[name] = intervals.mean_cosine(cosines[inside])
    learned = predictions.prepared.learned
    seconds = run.timings.seconds.get(f"prepare {member.name}", 0.0) if learned else None
    trained = TrainedMember(
        member.name, folder, scores["holdout"], scores["test"], subsets, seconds
    )
    if (folder / ARTIFACT).is_dir():
        shutil.rmtree(folder / ARTIFACT)
    with replacing_folder(folder / ARTIFACT) as part:
        copy_folder(predictions.prepared.artifact, part)
    write_ensemble(folder, _alone(run.experiment, member), "The trained member alone")
    write_text(folder / CARD, _card(run, trained, folder / ARTIFACT / FOLDER / CARD))
    return trained


def _alone(experiment: Experiment, member: Member) -> dict[str, Json]:
    """The ensemble of this member alone, with what it has learned."""
    own = member.plain() | {"weight": 1.0, "artifact": ARTIFACT}
    return experiment.ensemble.plain() | {"members": [own]}


def _card(run: RunContext, trained: TrainedMember, own: Path) -> str:
    """The card of the member's family, and what it scores."""
    prompts = [(record.image_id, record.prompt) for record in run.data.records]
    rows = {
        "experiment": run.experiment.config.name,
        "data": f"SHA-256 of ids and prompts `{content_hash(prompts)}`",
        "text encoder": f"`{run.data.text_encoder.identity}`",
        "images": ", ".join(f"{len(ids):,} {split}" for split, ids in run.data.splits.ids.items()),
        "holdout": with_interval(trained.holdout, signed=False),
        "test": with_interval(trained.test, signed=False),
        **{
            f"test, {name}": with_interval(score, signed=False)
            for name, score in trained.subsets.items()
        },
    }
    if trained.seconds is None:
        rows["learned"] = "by an earlier command; this one found it in the cache"
    else:
        machine = hardware(run.context.runtime.device)
        rows["learned in"] = f"{trained.seconds:.1f} s by this command, on {machine}"
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    text = own.read_text(encoding="utf-8") if own.is_file() else f"# {trained.name}\n"
    return f"{text}\n## Scores\n\n| | |\n|---|---|\n{table}\n"
