"""The Python API: what the command line does, as functions that return typed results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from unprompt._config.location import yaml_path
from unprompt._config.models import RuntimeConfig, SplitConfig
from unprompt._data.near_duplicates import near_duplicate_groups
from unprompt._data.origin import Origin, read_origins
from unprompt._data.predictions import read_prediction_file
from unprompt._data.prompts import join, prompt_table
from unprompt._data.space import TextSpace
from unprompt._files.paths import user_path
from unprompt._members.context import Context
from unprompt._pipeline.expected import expectation_for
from unprompt._pipeline.image_prompts import ImagePrompts, image_prompts
from unprompt._pipeline.loaded_ensemble import LoadedEnsemble, Predictions
from unprompt._pipeline.run import run_experiment
from unprompt._pipeline.search import FilledStudy, run_search
from unprompt._pipeline.setup import ensemble_file, make_context, runtime_config
from unprompt._pipeline.target import target_of
from unprompt._pipeline.trained import TrainedMember
from unprompt._pipeline.trained import train_members as train_members_of
from unprompt._registry.loading import load_ensemble as read_ensemble
from unprompt._registry.loading import load_experiment as read_experiment
from unprompt._registry.parts import Experiment
from unprompt._registry.plugins import Registry
from unprompt._runs.run import Run
from unprompt._scoring.estimate import Estimate
from unprompt._scoring.intervals import Intervals
from unprompt.contracts import Progress, silent
from unprompt.embeddings import Embeddings, cosine
from unprompt.errors import DataError


class PredictionScore(Estimate):
    """The mean cosine of predictions with the true prompts.

    Attributes:
        images: How many there are.
        groups: Groups of near-duplicate prompts among them.
        zeros: Predictions of which every number is 0: there is none, and their cosine is 0.
        text_encoder: The identity of the text encoder that prompts were embedded with.
        assumed: Its plugin, where nothing says that the predictions were made for it.
        read: Images whose prompt was read from the file, as the predictions say.
        predicted: The score on the others; None where nothing was read, or everything.
    """

    images: int
    groups: int
    zeros: int = 0
    text_encoder: str
    assumed: str | None = None
    read: int = 0
    predicted: Estimate | None = None


def load_ensemble(
    path: Path | str,
    *,
    overrides: Sequence[str] = (),
    device: str = "cpu",
    precision: str = "float32",
    batch_size: int = 64,
    offline: bool = False,
    progress: Progress = silent,
) -> LoadedEnsemble:
    """Read an ensemble's YAML file, or the ensemble in a run's folder.

    Args:
        path: The file or the folder; ``package:NAME/...`` is in an installed package.
        overrides: As ``--set`` takes them, such as ``members.clip-l14.weight=2``.
        device: A torch device, such as ``cpu`` or ``cuda:0``.
        precision: ``float32``, ``bfloat16`` or ``auto``.
        batch_size: Images or texts per forward pass.
        offline: Never touch the network.
        progress: Shows progress; see `unprompt.contracts.Progress`.

    Raises:
        UnpromptError: The file has mistakes, the folder is no run, or the device cannot be used.
    """
    registry = Registry()
    file = ensemble_file(yaml_path(path))
    ensemble = read_ensemble(file, registry, overrides)
    config = runtime_config(device, precision, batch_size)
    context = make_context(registry, config, offline=offline, progress=progress)
    return LoadedEnsemble(ensemble, context, expectation_for(ensemble, file, shown=Path(path)))


def find_prompts(
    images: Path | str | Sequence[Path | str],
    *,
    ensemble: LoadedEnsemble | None = None,
    skip_unreadable: bool = False,
    edit: bool = True,
) -> ImagePrompts:
    """The prompt behind each image: what its file says, else what an ensemble predicts.

    Args:
        images: Files, folders and globs.
        ensemble: Predicts the prompts that are in no file; None: nothing does.
        skip_unreadable: Leave out images that cannot be read, instead of stopping.
        edit: Whether to edit predicted prompts until they read like the predictions.

    Raises:
        UnpromptError: A path or an image is not there or broken.
    """
    several = [images] if isinstance(images, str | Path) else list(images)
    return image_prompts(several, Registry(), ensemble, skip_unreadable=skip_unreadable, edit=edit)


def run(
    experiment: Path | str,
    *,
    overrides: Sequence[str] = (),
    output: Path | str | None = None,
    offline: bool = False,
    progress: Progress = silent,
) -> Run:
    """Run an experiment: members learn, weights are searched, everything is scored.

    Args:
        experiment: Its YAML file; ``package:NAME/...`` is in an installed package.
        overrides: As ``--set`` takes them, such as ``search.trials=50``.
        output: The run's folder; None: a new one below ``runs/`` beside the file, or in the
            working directory where the file is in a package.
        offline: Never touch the network.
        progress: Shows progress.

    Raises:
        UnpromptError: A user's mistake; no folder is left behind.
    """
    path = yaml_path(experiment)
    resolved, context = _opened(path, overrides, offline, progress)
    return run_experiment(resolved, path, None if output is None else user_path(output), context)


def train_members(
    experiment: Path | str,
    members: Sequence[str] = (),
    *,
    overrides: Sequence[str] = (),
    resume: bool = True,
    runs: Path | str | None = None,
    offline: bool = False,
    progress: Progress = silent,
) -> list[TrainedMember]:
    """Let members of an experiment learn, without a search; a training that was killed goes on.

    Args:
        experiment: Its YAML file; ``package:NAME/...`` is in an installed package.
        members: Their names; none: all that have no artifact.
        overrides: As ``--set`` takes them.
        resume: Whether to go on from checkpoints that are there; else they are removed.
        runs: The folder of the runs of all experiments; None: ``runs`` beside the file.
        offline: Never touch the network.
        progress: Shows progress.

    Raises:
        UnpromptError: A user's mistake.
    """
    path = yaml_path(experiment)
    resolved, context = _opened(path, overrides, offline, progress)
    folder = None if runs is None else user_path(runs)
    return train_members_of(resolved, path, members, context, resume=resume, runs=folder)


def search(
    experiment: Path | str,
    *,
    overrides: Sequence[str] = (),
    offline: bool = False,
    progress: Progress = silent,
) -> FilledStudy:
    """Fill an experiment's study; the same call elsewhere on the same storage joins in.

    Args:
        experiment: Its YAML file; ``package:NAME/...`` is in an installed package.
        overrides: As ``--set`` takes them, such as ``search.workers=4``.
        offline: Never touch the network.
        progress: Shows progress.

    Raises:
        UnpromptError: A user's mistake.
    """
    path = yaml_path(experiment)
    resolved, context = _opened(path, overrides, offline, progress)
    return run_search(resolved, path, context)


def score(
    predictions: Path | str | Embeddings | Predictions,
    prompts: Path | str | Mapping[str, str],
    *,
    ensemble: Path | str | None = None,
    progress: Progress = silent,
) -> PredictionScore:
    """The mean cosine of predictions with the true prompts, joined by image id.

    Prompts are embedded with the text encoder that the predictions were made for.

    Args:
        predictions: A file (Kaggle's csv, jsonl, parquet or npy), embeddings, or what an
            ensemble predicted.
        prompts: A table of image ids and prompts, or a map.
        ensemble: The ensemble that predicted them, a YAML file or a run's folder, for predictions
            that do not say which text encoder they were made for.
        progress: Shows progress.

    Returns:
        The score with its 95 % interval over groups of near-duplicate prompts; below three groups
        there is none.

    Raises:
        DataError: A file is broken, a prompt or an id is no text, ids do not match, or rows are
            of another text encoder's space, or not as wide.
        UnpromptError: That text encoder is not installed, or the ensemble has mistakes.
    """
    embeddings, space = _embeddings(predictions)
    table = prompt_table(prompts)
    ids = join(embeddings, table)
    context = make_context(Registry(), RuntimeConfig(), progress=progress)
    owner = str(predictions) if isinstance(predictions, str | Path) else "predictions"
    named_by = None if ensemble is None else yaml_path(ensemble)
    target = target_of(space, named_by, embeddings.dim, owner, context)
    targets = target.encoder.encode([table[name] for name in ids])
    groups = near_duplicate_groups(targets, SplitConfig().group_cosine).astype(str).tolist()
    rows = embeddings.align(ids).rows
    values = cosine(rows, targets)
    intervals = Intervals(groups)
    mean = intervals.mean_cosine(values)
    origin = _origins(predictions)
    others = [i for i, name in enumerate(ids) if origin.get(name) != "read"]
    predicted: Estimate | None = None
    if 0 < len(others) < len(ids):
        predicted = Intervals([groups[i] for i in others]).mean_cosine(values[others])
    return PredictionScore(
        score=mean.score,
        ci95=mean.ci95,
        images=len(ids),
        groups=intervals.group_count,
        zeros=int((~rows.any(axis=1)).sum()),
        text_encoder=target.encoder.identity,
        assumed=target.plugin if target.assumed else None,
        read=len(ids) - len(others),
        predicted=predicted,
    )


def _origins(predictions: Path | str | Embeddings | Predictions) -> Mapping[str, Origin]:
    """Image id -> where its prompt comes from; empty where the predictions do not say."""
    if isinstance(predictions, Predictions):
        return predictions.origin
    return {} if isinstance(predictions, Embeddings) else read_origins(user_path(predictions))


def _opened(
    path: Path, overrides: Sequence[str], offline: bool, progress: Progress
) -> tuple[Experiment, Context]:
    """A checked experiment, and what its runtime block asks for."""
    registry = Registry()
    experiment = read_experiment(path, registry, overrides)
    config = experiment.config.runtime
    return experiment, make_context(registry, config, offline=offline, progress=progress)


def _embeddings(
    predictions: Path | str | Embeddings | Predictions,
) -> tuple[Embeddings, TextSpace | None]:
    """Predictions, and the text encoder that they were made for where that is known."""
    if isinstance(predictions, Predictions):
        return predictions.embeddings, predictions.space
    if isinstance(predictions, Embeddings):
        return predictions, None
    if isinstance(predictions, str | Path):
        file = read_prediction_file(user_path(predictions))
        return file.embeddings, file.space
    raise DataError(f"predictions are a file or embeddings, not {type(predictions).__name__}")
