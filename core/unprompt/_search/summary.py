"""What ``scores.json`` says of a search."""

from __future__ import annotations

from unprompt._config.search import Sampler
from unprompt._scoring.estimate import Result


class Polish(Result):
    """How far the best trial was from the optimum near by.

    Attributes:
        score: Held-out mean cosine of the polished weights, in -1..1.
        gain: Minus that of the best trial; at least 0.
        distance: The share of the weight that polishing moved to other members, in 0..1.
    """

    score: float
    gain: float
    distance: float


class SearchSummary(Result):
    """The ``search`` block of ``scores.json``.

    Attributes:
        trials: Finished trials of the study.
        best_trial: The number of the best one.
        best_value: Its held-out mean cosine, in -1..1.
        sampler: As in the search block.
        study: The study's name.
        storage: The storage that the search block names, without its password; None where the
            study is in the run's own folder.
        polish: What polishing the best trial gained.
        dropped: Members that were dropped, the least useful first.
    """

    trials: int
    best_trial: int
    best_value: float
    sampler: Sampler
    study: str
    storage: str | None
    polish: Polish
    dropped: tuple[str, ...]
