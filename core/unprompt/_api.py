"""The Python API: what the command line does, as functions that return typed results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from unprompt._config.models import RuntimeConfig, SplitConfig
from unprompt._data.near_duplicates import near_duplicate_groups
from unprompt._data.origin import Origin, read_origins
from unprompt._data.predictions import read_predictions
from unprompt._data.prompts import join, read_prompts
from unprompt._data.texts import bare, checked, what_is
from unprompt._files.paths import user_path
from unprompt._members.context import Context
from unprompt._pipeline.expected import expectation_for
from unprompt._pipeline.loaded_ensemble import LoadedEnsemble, Predictions
from unprompt._pipeline.run import run_experiment
from unprompt._pipeline.search import FilledStudy, run_search
from unprompt._pipeline.setup import ensemble_file, make_context, runtime_config
from unprompt._registry.loading import TEXT_ENCODER
from unprompt._registry.loading import load_ensemble as read_ensemble
from unprompt._registry.loading import load_experiment as read_experiment
from unprompt._registry.parts import Experiment, Part
from unprompt._registry.plugins import Registry
from unprompt._runs.run import Run
from unprompt._scoring.estimate import Estimate
from unprompt._scoring.intervals import Intervals
from unprompt.contracts import Progress, silent
from unprompt.contracts.specs import TextEncoderSpec
from unprompt.embeddings import Embeddings, cosine
from unprompt.errors import DataError, named

_PROBLEMS = 20
"""Prompts and ids that are no text that are named; the others are counted."""


class PredictionScore(Estimate):
    """The mean cosine of predictions with the true prompts.

    Attributes:
        images: How many there are.
        groups: Groups of near-duplicate prompts among them.
        zeros: Predictions of which every number is 0: there is none, and their cosine is 0.
        read: Images whose prompt was read from the file, as the predictions say.
        predicted: The score on the others; None where nothing was read, or everything.
    """

    images: int
    groups: int
    zeros: int = 0
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
        path: The file or the folder.
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
    file = ensemble_file(user_path(path))
    ensemble = read_ensemble(file, registry, overrides)
    config = runtime_config(device, precision, batch_size)
    context = make_context(registry, config, offline=offline, progress=progress)
    return LoadedEnsemble(ensemble, context, expectation_for(ensemble, file, shown=Path(path)))


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
        experiment: Its YAML file.
        overrides: As ``--set`` takes them, such as ``search.trials=50``.
        output: The run's folder; None: a new one below ``runs/`` beside the file.
        offline: Never touch the network.
        progress: Shows progress.

    Raises:
        UnpromptError: A user's mistake; no folder is left behind.
    """
    path = user_path(experiment)
    resolved, context = _opened(path, overrides, offline, progress)
    return run_experiment(resolved, path, None if output is None else user_path(output), context)


def search(
    experiment: Path | str,
    *,
    overrides: Sequence[str] = (),
    offline: bool = False,
    progress: Progress = silent,
) -> FilledStudy:
    """Fill an experiment's study; the same call elsewhere on the same storage joins in.

    Args:
        experiment: Its YAML file.
        overrides: As ``--set`` takes them, such as ``search.workers=4``.
        offline: Never touch the network.
        progress: Shows progress.

    Raises:
        UnpromptError: A user's mistake.
    """
    path = user_path(experiment)
    resolved, context = _opened(path, overrides, offline, progress)
    return run_search(resolved, path, context)


def score(
    predictions: Path | str | Embeddings | Predictions,
    prompts: Path | str | Mapping[str, str],
    *,
    progress: Progress = silent,
) -> PredictionScore:
    """The mean cosine of predictions with the true prompts, joined by image id.

    Args:
        predictions: A file (Kaggle's csv, jsonl, parquet or npy), embeddings, or what an
            ensemble predicted.
        prompts: A table of image ids and prompts, or a map.
        progress: Shows progress.

    Returns:
        The score with its 95 % interval over groups of near-duplicate prompts; below three groups
        there is none.

    Raises:
        DataError: A file is broken, a prompt or an id is no text, ids do not match, or rows are
            not as wide as the target space.
    """
    embeddings = _embeddings(predictions)
    table = _prompts(prompts)
    ids = join(embeddings, table)
    registry = Registry()
    context = make_context(registry, RuntimeConfig(), progress=progress)
    spec = registry.spec(TEXT_ENCODER, TextEncoderSpec)
    encoder = context.text_encoder(Part(spec, spec.options()))
    if embeddings.dim != encoder.dim:
        owner = predictions if isinstance(predictions, str | Path) else "predictions"
        raise DataError(
            f"{owner}: {embeddings.dim} numbers per image, {TEXT_ENCODER} has {encoder.dim}"
        )
    targets = encoder.encode([table[name] for name in ids])
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


def _embeddings(predictions: Path | str | Embeddings | Predictions) -> Embeddings:
    if isinstance(predictions, Predictions):
        return predictions.embeddings
    if isinstance(predictions, Embeddings):
        return predictions
    if isinstance(predictions, str | Path):
        return read_predictions(user_path(predictions))
    raise DataError(f"predictions are a file or embeddings, not {type(predictions).__name__}")


def _prompts(prompts: Path | str | Mapping[str, str]) -> Mapping[str, str]:
    if not isinstance(prompts, Mapping):
        return read_prompts(user_path(prompts))
    problems: list[str] = []
    for name, prompt in prompts.items():
        try:
            _check_prompt(name, prompt)
        except DataError as error:
            problems += error.problems
    if problems:
        more = len(problems) - _PROBLEMS
        raise DataError([*problems[:_PROBLEMS], *[f"{more} more are no text"] * (more > 0)])
    empty = [name for name, prompt in prompts.items() if not bare(prompt)]
    if empty:
        raise DataError(f"empty prompt for {named(empty)}")
    return prompts


def _check_prompt(name: object, prompt: object) -> None:
    """Check that both are text."""
    if not isinstance(name, str):
        raise DataError(f"image ids are text, got {what_is(name)}")
    checked(name, f"the image id {name[:80]!r}")
    if prompt is None:
        raise DataError(f"empty prompt for {name!r}")
    if not isinstance(prompt, str):
        raise DataError(f"the prompt for {name!r} is {what_is(prompt)}, not text")
    checked(prompt, f"the prompt for {name!r}")
