"""What a search costs: trials, the objective behind them, and the polish after them.

Makes members that are the targets with noise, at the size of the competition's test set, and
prints, in one run so that a noisy machine disturbs all alike:

- trials of a study in memory, against the same study with an objective that is free;
- one call of the objective, against blending all rows and taking their cosines;
- how far the best trial is below the polished weights, and these below the optimum that is found
  from many starts.

    python experiments/benchmarks/search.py [--images N] [--trials N] [--rounds N]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from unprompt._config.search import SearchConfig
from unprompt._scoring.blend import blend
from unprompt._search.objective import GramObjective
from unprompt._search.polish import polish
from unprompt._search.problem import Problem, Variants
from unprompt._search.samplers import make_sampler
from unprompt._search.trials import fill
from unprompt.embeddings import Embeddings, cosine, unit
from unprompt.types import FloatArray

if TYPE_CHECKING:
    import optuna

NOISE = (0.9, 1.0, 1.0, 1.2, 1.8)
"""Length of each member's noise, targets having 1; cosines of 0.74 down to 0.49."""
DIM = 384


class Free(GramObjective):
    """An objective that costs nothing."""

    def __call__(self, weights: npt.ArrayLike) -> float:
        """Any number."""
        return 0.5


def main() -> None:
    """Print one block per round."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=int, default=16_000)
    parser.add_argument("--trials", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    members, targets = made(arguments.images)
    objective = GramObjective.from_predictions(members, targets)
    print(f"{arguments.images} images, {len(members)} members, {DIM} dimensions")
    print(
        "members alone: " + ", ".join(f"{objective(weights):.4f}" for weights in np.eye(len(NOISE)))
    )
    for number in range(1, arguments.rounds + 1):
        print(f"\nround {number}")
        compare_calls(objective, members, targets)
        best = compare_trials(objective, arguments.trials)
        compare_optima(objective, best)


def made(count: int) -> tuple[FloatArray, FloatArray]:
    """Members of shape (M, N, D) and targets of shape (N, D)."""
    rng = np.random.default_rng(0)
    shared = rng.normal(size=DIM)  # prompts have a mean, and members err alike
    targets = unit(rng.normal(size=(count, DIM)) + shared)
    common = unit(rng.normal(size=(count, DIM)))
    members = []
    for size in NOISE:
        own = unit(rng.normal(size=(count, DIM)))
        members.append(unit(targets + size * unit(own + 0.7 * common)))
    return np.stack(members), targets


def compare_calls(objective: GramObjective, members: FloatArray, targets: FloatArray) -> None:
    """One call against the two ways of doing without products that are computed once."""
    ids = tuple(map(str, range(len(targets))))
    rows = [Embeddings(ids, member) for member in members]
    weights = np.random.default_rng(1).uniform(0.1, 1.0, len(members))

    def plain() -> float:
        blended = np.tensordot(weights.astype(np.float32), members, 1)  # (N, D), float32
        return float(cosine(blended, targets).mean())

    def ours() -> float:
        return float(cosine(blend(rows, weights.tolist()).rows, targets).mean())

    fast, slow, slower = (
        seconds(lambda: objective(weights), 300),
        seconds(plain, 10),
        seconds(ours, 3),
    )
    print(f"  objective                 {fast * 1e3:8.3f} ms a call")
    print(f"  float32 blend, cosine     {slow * 1e3:8.3f} ms a call: {slow / fast:.0f} times")
    print(
        f"  unprompt, blend then cosine  {slower * 1e3:8.3f} ms a call: {slower / fast:.0f} times"
    )
    print(f"  largest difference        {abs(objective(weights) - plain()):.1e}")


def compare_trials(objective: GramObjective, trials: int) -> optuna.Study:
    """Fill two studies by the same code. Returns the one with the real objective."""
    free = Free(objective.gram, objective.dots)
    _, idle = filled(free, trials)
    study, busy = filled(objective, trials)
    print(
        f"  {trials} trials           {busy:8.2f} s, with a free objective {idle:.2f} s: ", end=""
    )
    print(f"{busy / idle:.2f} times")
    return study


def filled(objective: GramObjective, trials: int) -> tuple[optuna.Study, float]:
    """A study in memory by TPE, and its seconds."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    names = tuple(f"m{i}" for i in range(objective.member_count))
    variants = tuple(Variants({}) for _ in names)
    problem = Problem(objective, names, variants, SearchConfig(trials=trials))
    study = optuna.create_study(sampler=make_sampler(problem), direction="maximize")
    started = time.perf_counter()
    fill(study, problem)
    return study, time.perf_counter() - started


def compare_optima(objective: GramObjective, study: optuna.Study) -> None:
    """The best trial, its polish, and the best polish of many starts."""
    weights = list(study.best_params.values())
    optimum = polish(objective, weights)
    duration = seconds(lambda: polish(objective, weights), 10)
    starts = [
        *np.eye(len(NOISE)),
        *np.random.default_rng(2).dirichlet(np.ones(len(NOISE)), 30),
    ]
    ends = [polish(objective, start).score for start in starts]
    print(f"  best trial                {study.best_value:.8f}")
    gain = optimum.score - study.best_value
    print(f"  polished                  {optimum.score:.8f}: {gain:.1e} above")
    print(f"  best of {len(starts)} other starts   {max(ends):.8f}: ", end="")
    print(f"{max(ends) - optimum.score:.1e} above the polish, spread {np.ptp(ends):.1e}")
    print(f"  polish                    {duration * 1e3:8.3f} ms, {optimum.steps} steps")


def seconds(work: Callable[[], object], times: int) -> float:
    """The median of several calls, after one to warm up."""
    work()
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


if __name__ == "__main__":
    main()
