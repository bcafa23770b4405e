"""What ``scores.json`` says of the study behind the weights."""

from __future__ import annotations

from unprompt._scoring.estimate import Result


class Polish(Result):
    """From the best trial to the optimum nearby.

    Attributes:
        score: The held-out cosine after it.
        gain: What it added to the best trial's.
        distance: The share of the weight that it moved.
    """

    score: float
    gain: float
    distance: float


class SearchSummary(Result):
    """A study and what became of its best trial.

    Attributes:
        trials: Finished trials.
        best_trial: The best one's number.
        best_value: Its held-out cosine.
        sampler: As the search block names it.
        study: The study's name.
        storage: Where it lives, its password masked; None: in the run's folder.
        polish: The local search from the best trial.
        dropped: Members that were dropped, the least useful first.
    """

    trials: int
    best_trial: int
    best_value: float
    sampler: str
    study: str
    storage: str | None
    polish: Polish
    dropped: tuple[str, ...]
