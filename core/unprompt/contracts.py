"""What plugins implement and what they are given: the contracts between core and plugins.

A predictor's life: built from validated options and a `Runtime` without heavy work ->
`Predictor.prepare` at most once, its result kept as an artifact folder -> `Predictor.load` ->
`Predictor.predict`, a stream of batches -> `Predictor.close`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from unprompt.embeddings import Embeddings
from unprompt.errors import DataError, named
from unprompt.types import FloatArray, Json

if TYPE_CHECKING:
    from PIL.Image import Image

T = TypeVar("T")


class Progress(Protocol):
    """Wraps an iterable to show how far it has come; the default shows nothing."""

    def __call__(self, items: Iterable[T], *, what: str, total: int | None = None) -> Iterator[T]:
        """Yield ``items`` unchanged; ``total`` is their number where it is known."""
        ...


def silent(items: Iterable[T], *, what: str, total: int | None = None) -> Iterator[T]:
    """The `Progress` that shows nothing."""
    return iter(items)


@dataclass(frozen=True, slots=True)
class Runtime:
    """How and where to compute; never what. Only `precision` may change a result.

    Attributes:
        device: A torch device, such as ``cpu`` or ``cuda:0``.
        precision: ``float32`` or ``bfloat16`` (autocast inside the towers).
        batch_size: Pictures or texts in one forward pass.
        workers: Threads that open and preprocess pictures while the tower runs.
        offline: Never touch the network, even where a library could download.
        progress: Shows progress; see `Progress`.
    """

    device: str = "cpu"
    precision: str = "float32"
    batch_size: int = 64
    workers: int = 2
    offline: bool = False
    progress: Progress = silent


class PictureSource(Protocol):
    """Opens pictures by id."""

    def open(self, image_id: str) -> Image:
        """The picture, mode RGB, upright. Raises DataError naming a picture that is unreadable."""
        ...

    def digest(self, image_id: str) -> str:
        """A hash of the picture's content (of the file, or of what generates it)."""
        ...


@dataclass(frozen=True, slots=True)
class Images:
    """N pictures, opened one by one and only when needed.

    Attributes:
        ids: N distinct ids.
        source: Where they come from.
    """

    ids: tuple[str, ...]
    source: PictureSource

    def __len__(self) -> int:
        """N."""
        return len(self.ids)

    def open(self, image_id: str) -> Image:
        """The picture as RGB, of any size."""
        return self.source.open(image_id)

    def digest(self, image_id: str) -> str:
        """A hash of the picture's content."""
        return self.source.digest(image_id)

    def select(self, ids: Sequence[str]) -> Images:
        """Only ``ids``, in that order. Raises DataError for an id that is not here."""
        have = set(self.ids)
        missing = [name for name in ids if name not in have]
        if missing:
            raise DataError(f"no picture for {named(missing)}")
        return Images(tuple(ids), self.source)


@dataclass(frozen=True, slots=True)
class Record:
    """One picture's row of a dataset.

    Attributes:
        image_id: Distinct in the dataset.
        prompt_id: Equal for pictures made from the same prompt.
        prompt: The text that made the picture.
        group: Pictures of one group are never in two splits; None: unprompt groups by
            near-duplicate prompts.
        split: ``train``, ``holdout`` or ``test``; None: unprompt splits by group.
    """

    image_id: str
    prompt_id: str
    prompt: str
    group: str | None = None
    split: str | None = None


class Dataset(ABC):
    """Pictures with the prompts that made them, keyed by ``image_id``."""

    @abstractmethod
    def records(self) -> tuple[Record, ...]:
        """Every row, in a fixed order. Raises DataError naming what is wrong with the table."""

    @abstractmethod
    def images(self) -> Images:
        """The pictures of exactly the ids of `records`. Opens none of them yet."""

    def wordings(self, image_ids: Sequence[str], count: int) -> Mapping[str, Sequence[str]] | None:
        """Other prompts that could have made the same pictures, for datasets that know.

        Their normalised mean embedding is the *oracle*: the best that anybody can predict from
        the picture alone.

        Args:
            image_ids: N ids of `records`.
            count: Independent draws per picture.

        Returns:
            For each id ``count`` prompts, drawn from the distribution of prompts given the
            picture; None where the dataset does not know it (real pictures).
        """
        return None


class TextEncoder(ABC):
    """Prompts -> embeddings; fixes the target space."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """Names the space: library, model and weights hash. Part of every cache key."""

    @property
    @abstractmethod
    def dim(self) -> int:
        """D, the number of dimensions."""

    @abstractmethod
    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Unit rows, float32 of shape (len(texts), D), in the order of ``texts``."""


@dataclass(frozen=True, slots=True)
class TrainSet:
    """What a member may learn from; empty where an ensemble is used without an experiment.

    Attributes:
        records: N rows of the train split.
        images: Their pictures.
        targets: Their prompts' embeddings, keyed by ``image_id``, of shape (N, D).
        text_encoder: The target space, for prompts that are in no dataset (banks).
    """

    records: tuple[Record, ...]
    images: Images
    targets: Embeddings
    text_encoder: TextEncoder

    def __len__(self) -> int:
        """N."""
        return len(self.records)


@dataclass(frozen=True, slots=True)
class Evidence:
    """One readable reason for a prediction.

    Attributes:
        text: A prompt or a phrase.
        weight: How much it counts, in the unit that `kind` says.
        kind: ``neighbour`` (share of the weighted sum, 0..1) or ``nearest`` (cosine between
            the text and the prediction, -1..1); plugins may add words of their own.
    """

    text: str
    weight: float
    kind: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Predictions for n pictures.

    Attributes:
        embeddings: Keyed by ``image_id``, of shape (n, D).
        prompts: n readable prompts; None where the family has none for a picture.
        evidence: n lists, best first; empty where the family has none.
    """

    embeddings: Embeddings
    prompts: tuple[str | None, ...]
    evidence: tuple[tuple[Evidence, ...], ...]

    def __post_init__(self) -> None:
        """Refuse lists of another length: they are read by position inside one batch."""
        if not len(self.embeddings) == len(self.prompts) == len(self.evidence):
            raise DataError("a batch needs one prompt and one evidence list per embedding")


class Predictor(ABC):
    """Images -> embeddings: what a model family implements.

    Subclasses take ``(options, runtime)`` and only store them. For the same images, options,
    artifact and precision, `predict` gives the same rows whatever the order of the pictures or
    the batch size (to 1e-5 in float32).
    """

    def __init__(self, options: Any, runtime: Runtime) -> None:
        """Store both; heavy work waits for `prepare` or `load`.

        Args:
            options: An instance of the spec's options model.
            runtime: Device, precision, batch size and so on.
        """
        self.options = options
        self.runtime = runtime

    def identity(self) -> Mapping[str, Json]:
        """Hashes of what the options only name, such as weights; part of every cache key.

        Called before `prepare` and cheap next to it. Raises MissingFileError naming a file
        that is not there.
        """
        return {}

    @abstractmethod
    def prepare(self, train: TrainSet, artifact: Path) -> None:
        """Learn from the train split and write the result into the folder ``artifact``.

        Called at most once per content of train split, options and identity; the folder is
        empty, exists, and is kept. Families that learn nothing write nothing.
        """

    @abstractmethod
    def load(self, artifact: Path) -> None:
        """Make ready to predict from what `prepare` wrote. Called once, before `predict`."""

    @abstractmethod
    def predict(self, images: Images) -> Iterator[Batch]:
        """Predict every picture once, in any order, in batches; no pictures give no batch."""

    def close(self) -> None:
        """Free what `load` took. Called once, also after an error."""
        return


@dataclass(frozen=True, slots=True)
class RunView:
    """What lifecycle hooks may know of a run; everything is read-only.

    Attributes:
        name: The experiment's name.
        folder: The run's folder, still growing until ``unprompt_run_finished``.
        experiment: The resolved configuration, as plain data.
    """

    name: str
    folder: Path
    experiment: Mapping[str, Json] = field(default_factory=dict)
