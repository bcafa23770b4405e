"""What a model family implements, what it gives back, and what hooks may see of a run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unprompt.contracts.data import Images, TrainSet
from unprompt.contracts.runtime import Need, Runtime
from unprompt.embeddings import Embeddings
from unprompt.errors import ConfigError, DataError
from unprompt.types import Json


@dataclass(frozen=True, slots=True)
class Evidence:
    """One readable reason for a prediction.

    Attributes:
        text: A prompt or a phrase.
        score: How much it counts, in the unit that `kind` says.
        kind: ``neighbour`` (share of the weighted sum, 0..1), ``nearest`` (cosine between the
            text and the prediction, -1..1) or ``phrase`` (cosine between text and image);
            plugins may add words of their own.
    """

    text: str
    score: float
    kind: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Predictions for n images.

    Attributes:
        embeddings: Keyed by ``image_id``, of shape (n, D).
        prompts: n readable prompts; None where the family has none for an image.
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
    artifact and precision, `predict` gives the same rows whatever the order of the images or
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
        """Hashes of what the options only name, such as checkpoints; part of every cache key.

        Called before `prepare` and cheap next to it. Raises MissingFileError naming a file
        that is not there.
        """
        return {}

    def needs(self) -> Sequence[Need]:
        """The files that `prepare` and `load` read, here or not; cheap, and touches no network."""
        return ()

    def towers(self) -> Mapping[str, int]:
        """Each tower's name and number of parameters, found without loading them.

        Raises MissingFileError where even the architecture is in a file that is not here.
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
        """Predict every image once, in any order, in batches; no images give no batch."""

    def predict_variants(
        self, images: Images, variants: Sequence[Any]
    ) -> Iterator[Sequence[Embeddings]]:
        """Predict every image under other options, without running a tower for each.

        For a search over options (`search.space`). Called after `load`, which saw the options of
        this predictor; a family that can change some of its options cheaply overrides it.

        Args:
            images: N images.
            variants: V options models of this family.

        Yields:
            For each batch V predictions of the same images, in the order of ``variants``.

        Raises:
            ConfigError: An option differs that would need another artifact or another tower.
        """
        raise ConfigError("this family has no options that a search could change")

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
