"""The Python API: what the command line does, as functions that return typed results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from unprompt._config.models import RuntimeConfig, ScoreConfig, SplitConfig
from unprompt._data.image_input import ImageInput, as_images
from unprompt._data.images import unreadable
from unprompt._data.predictions import format_of, read_predictions, write_predictions
from unprompt._data.prompts import join, read_prompts
from unprompt._data.splits import near_duplicate_groups
from unprompt._members.context import Context
from unprompt._members.ensemble import empty_train_set, predict_ensemble
from unprompt._pipeline.run import run_experiment
from unprompt._pipeline.search import FilledStudy, run_search
from unprompt._pipeline.setup import make_context
from unprompt._registry.loading import TEXT_ENCODER, Ensemble, Part
from unprompt._registry.loading import load_ensemble as read_ensemble
from unprompt._registry.loading import load_experiment as read_experiment
from unprompt._registry.plugins import Registry
from unprompt._runs import files
from unprompt._runs.run import Run
from unprompt._scoring.estimate import Estimate
from unprompt._scoring.intervals import score as mean_with_interval
from unprompt.contracts import Batch, Evidence, Images, Progress, silent
from unprompt.contracts.specs import TextEncoderSpec
from unprompt.embeddings import Embeddings, cosine
from unprompt.errors import ConfigError, DataError


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """An ensemble's predictions for N images.

    Attributes:
        embeddings: Unit rows keyed by image id, of shape (N, D).
        prompts: Image id -> the readable guess; None where no member has words for it.
        evidence: Image id -> every member's reasons.
        skipped: Id of an image that could not be read -> why; only with ``skip_unreadable``.
    """

    embeddings: Embeddings
    prompts: Mapping[str, str | None]
    evidence: Mapping[str, tuple[Evidence, ...]]
    skipped: Mapping[str, str]

    @property
    def ids(self) -> tuple[str, ...]:
        """The images' ids, in the order of the rows."""
        return self.embeddings.ids

    def save(self, path: Path | str, format: str | None = None) -> None:
        """Write the predictions, all or nothing.

        Args:
            path: Where to; an old file is replaced.
            format: ``kaggle``, ``jsonl``, ``parquet`` or ``npy``; None: by the suffix.

        Raises:
            DataError: There is no such format.
            OutputError: The file cannot be written.
        """
        batch = Batch(
            self.embeddings,
            tuple(self.prompts[name] for name in self.ids),
            tuple(self.evidence[name] for name in self.ids),
        )
        write_predictions(Path(path), format_of(Path(path), format), batch)


class LoadedEnsemble:
    """An ensemble that is ready to predict; made by `load_ensemble`."""

    def __init__(self, ensemble: Ensemble, context: Context) -> None:
        """Store both; towers are loaded by `predict`, and results are cached between calls."""
        self._ensemble, self._context = ensemble, context

    @property
    def name(self) -> str:
        """As its YAML says it."""
        return self._ensemble.name

    @property
    def weights(self) -> Mapping[str, float]:
        """Member -> weight in the blend."""
        return {member.name: member.weight for member in self._ensemble.members}

    def predict(
        self, images: ImageInput, *, skip_unreadable: bool = False, prompts: bool = True
    ) -> Predictions:
        """Predict the prompts behind images.

        Args:
            images: Paths, folders, globs, images of Pillow, or a map from ids to images of Pillow.
            skip_unreadable: Leave out images that cannot be read, instead of stopping.
            prompts: Whether to look for readable prompts, which costs text encoding.

        Raises:
            UnpromptError: A path, an image or a member's file is not there or broken.
        """
        readable, skipped = self._readable(as_images(images), skip=skip_unreadable)
        train = empty_train_set(self._context.text_encoder(self._ensemble.text_encoder))
        batch = predict_ensemble(self._ensemble, readable, train, self._context, prompts=prompts)
        ids = batch.embeddings.ids
        return Predictions(
            batch.embeddings,
            dict(zip(ids, batch.prompts, strict=True)),
            dict(zip(ids, batch.evidence, strict=True)),
            skipped,
        )

    def _readable(self, images: Images, *, skip: bool) -> tuple[Images, dict[str, str]]:
        """The images that can be read, and why the others cannot."""
        problems = unreadable(images, self._context.runtime.workers)
        if problems and not skip:
            raise DataError([*problems.values(), "use --skip-unreadable to leave these out"])
        readable = images.select([name for name in images.ids if name not in problems])
        if not readable.ids:
            skipped = [f"skipped: {line}" for line in problems.values()]
            raise DataError([*skipped, "no image that can be read is left"])
        return readable, problems


class PredictionScore(Estimate):
    """The mean cosine of predictions with the true prompts.

    Attributes:
        images: How many there are.
        groups: Groups of near-duplicate prompts among them.
    """

    images: int
    groups: int


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
    ensemble = read_ensemble(ensemble_file(Path(path)), registry, overrides)
    config = runtime_config(device, precision, batch_size)
    return LoadedEnsemble(
        ensemble, make_context(registry, config, offline=offline, progress=progress)
    )


def runtime_config(device: str, precision: str, batch_size: int) -> RuntimeConfig:
    """Where and how to compute, checked.

    Raises:
        ConfigError: A value that an experiment's runtime block would not take; one line each.
    """
    values = {"device": device, "precision": precision, "batch_size": batch_size}
    try:
        return RuntimeConfig.model_validate(values)
    except ValidationError as error:
        mistakes = [(str(mistake["loc"][0]), mistake["msg"]) for mistake in error.errors()]
        raise ConfigError(
            [f"{name} (--{name.replace('_', '-')}): {what}" for name, what in mistakes]
        ) from error


def ensemble_file(path: Path) -> Path:
    """The YAML file that an ensemble's path or a run's folder means.

    Raises:
        DataError: A folder without ``ensemble.yaml``.
    """
    if not path.is_dir():
        return path
    if not (path / files.ENSEMBLE).is_file():
        raise DataError(f"{path}: no {files.ENSEMBLE} in it, so it is no finished run")
    return path / files.ENSEMBLE


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
    registry, path = Registry(), Path(experiment)
    resolved = read_experiment(path, registry, overrides)
    context = make_context(registry, resolved.config.runtime, offline=offline, progress=progress)
    return run_experiment(resolved, path, None if output is None else Path(output), context)


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
    registry, path = Registry(), Path(experiment)
    resolved = read_experiment(path, registry, overrides)
    context = make_context(registry, resolved.config.runtime, offline=offline, progress=progress)
    return run_search(resolved, path, context)


def score(
    predictions: Path | str | Embeddings,
    prompts: Path | str | Mapping[str, str],
    *,
    progress: Progress = silent,
) -> PredictionScore:
    """The mean cosine of predictions with the true prompts, joined by image id.

    Args:
        predictions: A file (Kaggle's csv, jsonl, parquet or npy) or embeddings.
        prompts: A table of image ids and prompts, or a map.
        progress: Shows progress.

    Returns:
        The score with its 95 % interval over groups of near-duplicate prompts.

    Raises:
        DataError: A file is broken, ids do not match, or rows are not as wide as the target space.
    """
    given = predictions if isinstance(predictions, Embeddings) else None
    embeddings = given or read_predictions(Path(str(predictions)))
    table = prompts if isinstance(prompts, Mapping) else read_prompts(Path(prompts))
    ids = join(embeddings, table)
    registry = Registry()
    context = make_context(registry, RuntimeConfig(), progress=progress)
    spec = registry.spec(TEXT_ENCODER, TextEncoderSpec)
    encoder = context.text_encoder(Part(spec, spec.options()))
    if embeddings.dim != encoder.dim:
        owner = "predictions" if given else predictions
        raise DataError(
            f"{owner}: {embeddings.dim} numbers per image, {TEXT_ENCODER} has {encoder.dim}"
        )
    targets = encoder.encode([table[name] for name in ids])
    groups = near_duplicate_groups(targets, SplitConfig().group_cosine).astype(str).tolist()
    values = cosine(embeddings.align(ids).rows, targets)
    config = ScoreConfig()
    mean = mean_with_interval(values, groups, samples=config.bootstrap, seed=config.seed)
    return PredictionScore(
        score=mean.score, ci95=mean.ci95, images=len(ids), groups=len(set(groups))
    )
