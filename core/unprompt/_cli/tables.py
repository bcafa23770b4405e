"""Results as text tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from unprompt._runs.compare import Comparison, Standing
from unprompt._runs.scores import MemberScore, Scores, SplitSize
from unprompt._scoring.estimate import Estimate, Verdict, verdict
from unprompt._search.summary import SearchSummary


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns; the first to the left, numbers as they come."""
    lines = [header, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def scores_table(scores: Scores) -> str:
    """What a run found out: splits, scores with 95 % intervals, weights, and the comparison."""
    holdout, test = scores.holdout, scores.test
    sizes: dict[str, SplitSize] = {"train": scores.train, "holdout": holdout, "test": test}
    counted = ", ".join(f"{size.images} {name}" for name, size in sizes.items())
    header = ["", "weight", "holdout", "test", "95 % interval", "gap closed"]
    rows = [
        _row(name, f"{weight:.3f}", holdout.members[name], test.members[name])
        for name, weight in scores.weights.items()
    ]
    rows.append(_row("equal weights", "", holdout.equal, test.equal))
    rows.append(_row("best trial", "", holdout.searched, test.searched))
    rows.append(_row("searched weights", "", holdout.ensemble, test.ensemble))
    rows += [
        _limit(scores, "floor"),
        *([_limit(scores, "oracle")] if test.oracle is not None else []),
    ]
    paired, groups = test.paired, test.groups
    lines = [
        f"{scores.experiment}: {counted} images",
        (
            "leak: the nearest test prompt to a train prompt has cosine "
            f"{scores.leak.train_test_max_cosine:.4f}"
        ),
        "",
        text_table(header, rows),
        "",
        _difference("searched - best member", paired.ensemble_minus_best_member, groups),
        _difference("searched - equal weights", paired.ensemble_minus_equal, groups),
        *_contributions(scores),
        f"polish: {_polish(scores.search)}",
        (
            f"optimism: the blend scores {scores.optimism.score:+.4f} better on the holdout, "
            "where its weights were chosen, than on test"
        ),
    ]
    return "\n".join(lines)


def search_table(
    summary: SearchSummary,
    weights: Mapping[str, float],
    options: Mapping[str, Mapping[str, object]],
) -> str:
    """What a search found: the study, and weights and options to copy into an ensemble."""
    rows = [[name, f"{weight:.6f}"] for name, weight in weights.items()]
    lines = [
        (
            f"study {summary.study}: {summary.trials} finished trials, the best "
            f"{summary.best_value:.6f} (trial {summary.best_trial})"
        ),
        f"polish: {_polish(summary)}",
        "",
        text_table(["", "weight"], rows),
    ]
    lines += [
        f"options of {name}: {', '.join(f'{key}: {value}' for key, value in chosen.items())}"
        for name, chosen in options.items()
    ]
    return "\n".join(lines)


def comparison_table(comparison: Comparison) -> str:
    """Two lines a run: its blend, and its best member."""
    rows: list[list[str]] = []
    for line in comparison.runs:
        rows.append([line.run, "ensemble", *_cells(line.ensemble, comparison.groups)])
        best = f"best member: {line.best_member.name}"
        rows.append(["", best, *_cells(line.best_member, comparison.groups)])
    header = ["", "", "test", "minus first", "95 % interval", ""]
    sizes = f"{comparison.images} test images in {comparison.groups} groups, the same in all runs"
    return f"{sizes}\n\n{text_table(header, rows)}"


def _interval(ends: tuple[float, float], style: str) -> str:
    """``[0.7650, 0.7774]``, each end in the format ``style``."""
    return f"[{ends[0]:{style}}, {ends[1]:{style}}]"


def _verdict_words(verdict: Verdict, groups: int) -> str:
    """A verdict with the number of groups where they are too few."""
    return f"{groups} groups are too few to tell" if verdict is Verdict.TOO_FEW else verdict


def _polish(search: SearchSummary) -> str:
    polish = search.polish
    return (
        f"the best trial was {polish.gain:.6f} below the optimum nearby, {polish.score:.6f}, "
        f"and had {polish.distance:.1%} of the weight elsewhere"
    )


def _contributions(scores: Scores) -> list[str]:
    """What each member adds, and what was dropped."""
    rows = []
    for name, contribution in scores.leave_one_out.items():
        loss = contribution.test.negated()
        flag = "no clear gain on the holdout" if contribution.flagged else ""
        rows.append([f"without {name}", f"{loss.score:+.4f}", _interval(loss.ci95, "+.4f"), flag])
    lines = ["", text_table(["", "test", "95 % interval", ""], rows), ""] if rows else []
    if scores.search.dropped:
        lines.append(f"dropped: {', '.join(scores.search.dropped)}")
    return lines


def _row(label: str, weight: str, holdout: MemberScore, test: MemberScore) -> list[str]:
    gap = test.gap_closed
    shown = f"{gap.score:.1%} {_interval(gap.ci95, '.1%')}" if gap else ""
    means = [f"{holdout.score:.4f}", f"{test.score:.4f}"]
    return [label, weight, *means, _interval(test.ci95, ".4f"), shown]


def _limit(scores: Scores, name: Literal["floor", "oracle"]) -> list[str]:
    holdout, test = scores.holdout.limit(name), scores.test.limit(name)
    assert holdout and test  # a dataset knows the oracle of all splits or of none
    interval_shown = _interval(test.ci95, ".4f")
    return [name, "", f"{holdout.score:.4f}", f"{test.score:.4f}", interval_shown, ""]


def _difference(label: str, difference: Estimate, groups: int) -> str:
    words = _verdict_words(verdict(difference, groups), groups)
    return f"{label}: {difference.score:+.4f} {_interval(difference.ci95, '+.4f')}: {words}"


def _cells(standing: Standing, groups: int) -> list[str]:
    mean, difference = f"{standing.score:.4f}", standing.minus_first
    if difference is None:
        return [mean, "", "", ""]
    words = _verdict_words(difference.verdict, groups)
    return [mean, f"{difference.score:+.4f}", _interval(difference.ci95, "+.4f"), words]
