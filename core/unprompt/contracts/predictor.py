"""What a model family implements and returns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unprompt.contracts.data import Images, TrainSet
from unprompt.contracts.runtime import Need, Runtime
from unprompt.embeddings import Embeddings
from unprompt.errors import ConfigError, DataError
from unprompt.types import PlainData


@dataclass(frozen=True, slots=True)
class Evidence:
    """A text that supports a prediction.

    Attributes:
        text: A prompt or a phrase.
        score: How much it counts, in the unit of `kind`.
        kind: ``neighbour`` (share of the weighted sum, 0..1), ``nearest`` (cosine between the
            text and the prediction, -1..1) or ``phrase`` (cosine between text and image, -1..1),
            ``read (SOURCE)`` (always 1: the prompt is in the file); plugins may add kinds of their
            own.
    """

    text: str
    score: float
    kind: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Predictions for n images.

    Attributes:
        embeddings: Keyed by ``image_id``, of shape (n, D).
        prompts: n prompts; None where the family has none for an image.
        evidence: n lists of evidence, best first; empty where the family has none.
        features: What the backbone makes of the images before anything is built on it, unit rows
            of any one width, of shape (n, C), ids as in ``embeddings``; None where the family
            gives none. A run learns from them which images are out of domain, from ``embeddings``
            where there are none. No prediction depends on them.
    """

    embeddings: Embeddings
    prompts: tuple[str | None, ...]
    evidence: tuple[tuple[Evidence, ...], ...]
    features: Embeddings | None = None

    def __post_init__(self) -> None:
        """Check that the lists have equal lengths, as they are read by position."""
        if not len(self.embeddings) == len(self.prompts) == len(self.evidence):
            raise DataError("a batch needs one prompt and one evidence list per embedding")
        if self.features is not None and self.features.ids != self.embeddings.ids:
            raise DataError("a batch needs features of the images that it has embeddings of")


class Predictor(ABC):
    """A model family: predicts embeddings from images.

    Subclasses take ``(options, runtime)`` and only store them. For the same images, options,
    artifact and precision, `predict` gives the same rows in any order of the images and with any
    batch size (to 1e-5 in float32).
    """

    def __init__(self, options: Any, runtime: Runtime) -> None:
        """Store both; heavy work belongs into `prepare` and `load`.

        Args:
            options: An instance of the spec's options model.
            runtime: Device, precision and batch size.
        """
        self.options = options
        self.runtime = runtime

    def identity(self) -> Mapping[str, PlainData]:
        """Hashes of files that the options name, such as checkpoints; part of every cache key.

        Called before `prepare`, and should be fast. Raises MissingFileError naming a file that
        does not exist.
        """
        return {}

    def needs(self) -> Sequence[Need]:
        """The files that `prepare` and `load` read, whether they exist or not; uses no network."""
        return ()

    def towers(self) -> Mapping[str, int]:
        """Each tower's name and number of parameters, without loading a checkpoint.

        Raises MissingFileError if the architecture is in a file that does not exist.
        """
        return {}

    @abstractmethod
    def prepare(self, train: TrainSet, artifact: Path) -> None:
        """Learn from the train split and write the result into the folder ``artifact``.

        Called at most once per content of train split, options and identity; the folder exists,
        is empty, and is kept. Families that learn nothing write nothing.
        """

    @abstractmethod
    def load(self, artifact: Path) -> None:
        """Load what `prepare` wrote, and the checkpoints. Called once, before `predict`."""

    @abstractmethod
    def predict(self, images: Images) -> Iterator[Batch]:
        """Predict every image once, in any order, in batches; no images give no batch."""

    def check_variants(self, variants: Sequence[Any]) -> None:
        """Refuse choices of options that `predict_variants` cannot predict; loads nothing.

        Called where an experiment is read, before `prepare`, so that a mistake in `search.space`
        is found before anything is predicted.

        Args:
            variants: V instances of the family's options model.

        Raises:
            ConfigError: A variant needs another artifact or another tower.
        """
        if type(self).predict_variants is Predictor.predict_variants:
            raise ConfigError("this family has no options that a search could change")

    def check_prepared(self, prepared: Any) -> None:
        """Refuse an artifact that was prepared with other options; loads nothing.

        Called before `load` where an artifact comes from elsewhere, such as a run's folder, and
        was prepared with the same `identity`. Options that name files do not differ here. The
        default takes what `predict_variants` could change; families whose `load` and `predict`
        can have other options of their own with the same artifact override it.

        Args:
            prepared: The options that it was prepared with, an instance of the family's model.

        Raises:
            ConfigError: These options need another artifact.
        """
        if prepared == self.options:
            return
        if type(self).predict_variants is Predictor.predict_variants:
            raise ConfigError("other options need an artifact of their own")
        type(self)(prepared, self.runtime).check_variants([self.options])

    def predict_variants(
        self, images: Images, variants: Sequence[Any]
    ) -> Iterator[Sequence[Embeddings]]:
        """Predict every image with several choices of options, running each tower once.

        For a search over options (`search.space`). Called after `load`. Families that can change
        some of their options without another tower override it.

        Args:
            images: N images.
            variants: V instances of the family's options model.

        Yields:
            For each batch of images V predictions, in the order of ``variants``.

        Raises:
            ConfigError: A variant needs another artifact or another tower.
        """
        raise ConfigError("this family has no options that a search could change")

    def own_embeddings(self, images: Images) -> Iterator[Embeddings]:
        """The backbone's own embeddings of images, before anything is built on them.

        For families whose backbone embeds images in the target space, as a CLIP can: their mean
        is a baseline of every run, the query itself. Called after `load`, before `predict` of the
        same images. Families without one, or with one of another width, need not override it.

        Args:
            images: N images.

        Yields:
            Batches of unit rows as wide as the target space; none where there are none.
        """
        return iter(())

    def close(self) -> None:
        """Free what `load` loaded. Called once, also after an error."""
        return
