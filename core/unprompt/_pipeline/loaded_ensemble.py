"""An ensemble that is ready to predict, and what it predicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from unprompt._data.checking import readable
from unprompt._data.found import Report
from unprompt._data.image_input import ImageInput, as_images
from unprompt._data.predictions import format_of, write_predictions
from unprompt._files.paths import user_path
from unprompt._members.context import Context
from unprompt._members.ensemble import empty_train_set, predict_ensemble
from unprompt._registry.parts import Ensemble
from unprompt.contracts import Batch, Evidence
from unprompt.embeddings import Embeddings


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """An ensemble's predictions for N images.

    Attributes:
        embeddings: Unit rows keyed by image id, of shape (N, D).
        prompts: Image id -> the readable guess; None where no member has words for it.
        evidence: Image id -> every member's reasons.
        skipped: Id of an image that could not be read -> why; only with ``skip_unreadable``.
        report: Every file that was found and not predicted, with the reason, and notes.
    """

    embeddings: Embeddings
    prompts: Mapping[str, str | None]
    evidence: Mapping[str, tuple[Evidence, ...]]
    skipped: Mapping[str, str]
    report: Report = field(default_factory=Report)

    @property
    def ids(self) -> tuple[str, ...]:
        """The images' ids, in the order of the rows."""
        return self.embeddings.ids

    def save(self, path: Path | str, format: str | None = None) -> None:
        """Write the predictions, all or nothing; folders above the file are made.

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
        target = user_path(path)
        write_predictions(target, format_of(target, format), batch)


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
        workers = self._context.runtime.workers
        checked = readable(as_images(images), workers, skip=skip_unreadable)
        train = empty_train_set(self._context.text_encoder(self._ensemble.text_encoder))
        batch = predict_ensemble(
            self._ensemble, checked.images, train, self._context, prompts=prompts
        )
        ids = batch.embeddings.ids
        return Predictions(
            batch.embeddings,
            dict(zip(ids, batch.prompts, strict=True)),
            dict(zip(ids, batch.evidence, strict=True)),
            checked.skipped,
            checked.report,
        )
