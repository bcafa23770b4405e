"""What `unprompt predict` says on stderr of its predictions as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from unprompt._runs import files
from unprompt.errors import named

if TYPE_CHECKING:
    from unprompt import LoadedEnsemble, Predictions


def remarks(loaded: LoadedEnsemble, predictions: Predictions, path: Path) -> Iterator[str]:
    """Who answered for which images, why no score is expected, and what is out of domain.

    Args:
        loaded: The ensemble.
        predictions: What it predicted.
        path: The run's folder or YAML file that it came from; of an ensemble that no run wrote
            nobody expects a score, so nothing is said.
    """
    yield from _answers(loaded, predictions)
    if loaded.expects_nothing and (path.is_dir() or path.name == files.ENSEMBLE):
        yield loaded.expects_nothing
    strange = sum(bool(said and said.out_of_domain) for said in predictions.expected.values())
    if strange:
        are, them = ("is", "it") if strange == 1 else ("are", "them")
        yield (
            f"{strange} of {len(predictions.ids)} images {are} unlike anything that {path} was "
            f"scored on (out_of_domain): its score does not apply to {them}, and no score is "
            f"expected of {them}"
        )


def _answers(loaded: LoadedEnsemble, predictions: Predictions) -> Iterator[str]:
    """What was read, who abstained, and the images that nobody has an answer for."""
    images = len(predictions.ids)
    for name, answered in predictions.answered.items():
        if name in loaded.reading:
            yield f"{name} read a prompt in {answered} of {images} files"
        elif not answered and images:
            yield f"warning: {name} has an answer for none of {images} images: it adds nothing"
        elif answered < images:
            yield f"{name} has an answer for {answered} of {images} images and no part in the rest"
    unanswered = [name for name in predictions.ids if predictions.origin.get(name) == "none"]
    if unanswered:
        yield (
            f"warning: nobody has an answer for {len(unanswered)} of {images} images: their "
            f"embeddings are all zeros and they have no prompt: {named(unanswered)}"
        )
