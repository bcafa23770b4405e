"""What `unprompt predict` says on stderr of its predictions as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from unprompt._runs import files

if TYPE_CHECKING:
    from unprompt import LoadedEnsemble, Predictions


def remarks(loaded: LoadedEnsemble, predictions: Predictions, path: Path) -> Iterator[str]:
    """Why no score is expected, or how many images are out of domain.

    Args:
        loaded: The ensemble.
        predictions: What it predicted.
        path: The run's folder or YAML file that it came from; of an ensemble that no run wrote
            nobody expects a score, so nothing is said.
    """
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
