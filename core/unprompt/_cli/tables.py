"""Results as text tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from unprompt._cli.cells import judged, text_table, verdict_words
from unprompt._cli.subsets import MOST_ROWS, gain_cells, gain_columns, subset_table
from unprompt._runs.baselines import baselines, notes
from unprompt._runs.compare import Comparison, Standing
from unprompt._runs.coverage import Part
from unprompt._runs.scores import FittingCost, MemberScore, Scores
from unprompt._scoring.digits import fixed, interval, weight, with_interval
from unprompt._search.summary import SearchSummary


def scores_table(scores: Scores) -> str:
    """What a run found out: splits, scores with 95 % intervals, weights, and the comparison."""
    holdout, test = scores.holdout, scores.test
    counted = ", ".join(f"{images} {name}" for name, images in scores.sizes.items())
    header = ["", "weight", "holdout", "test", "95 % interval", "gap closed"]
    header += ["answered", "score there", "95 % interval"] if test.abstains else []
    images = test.images if test.abstains else None
    rows = [
        _row(name, weight(value), holdout.members[name], test.members[name], images)
        for name, value in scores.weights.items()
    ]
    rows.append(_row("equal weights", "", holdout.equal, test.equal, images))
    rows.append(_row("best trial", "", holdout.searched, test.searched, images))
    rows.append(_row("searched weights", "", holdout.ensemble, test.ensemble, images))
    if test.query is not None:
        rows.append(_row("query itself", "", None, test.query, images))
    rows += [
        _limit(scores, "floor"),
        *([_limit(scores, "oracle")] if test.oracle is not None else []),
    ]
    lines = [
        f"{scores.experiment}: {counted} images",
        f"leak: {scores.leak.summary()}",
        "",
        text_table(header, [[*row, *[""] * (len(header) - len(row))] for row in rows]),
        "",
        *_reading(scores),
        f"intervals: 95 %, {test.groups} groups of near-duplicate prompts on test",
        *_oracle_error(test.oracle_error),
        *(
            f"searched - {name}: {judged(difference, test.groups)}"
            for name, difference in baselines(test).items()
        ),
        *(f"note: {line}" for line in notes(scores)),
        *subset_table(test),
        *_contributions(scores),
        f"polish: {_polish(scores.search)}",
        *_fitting_cost(scores.fitting_cost),
    ]
    return "\n".join(lines)


def search_table(
    summary: SearchSummary,
    weights: Mapping[str, float],
    options: Mapping[str, Mapping[str, object]],
) -> str:
    """What a search found: the study, and weights and options to copy into an ensemble."""
    rows = [[name, weight(value, 6)] for name, value in weights.items()]
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
    """Two lines a run: its blend, and its best member; more where prompts were read from files."""
    rows: list[list[str]] = []
    remarks: list[str] = []
    standings = [s for line in comparison.runs for s in (line.ensemble, line.best_member)]
    images = comparison.images
    counted = any(standing.answered < images for standing in standings)
    for line in comparison.runs:
        rows.append([line.run, "ensemble", *_cells(line.ensemble, comparison.groups, counted)])
        if line.predicted is not None:
            cells = _cells(line.predicted, comparison.predicted_groups, counted)
            rows.append(["", "ensemble, predicted prompts only", *cells])
        for name, standing in [*line.subsets.items()][:MOST_ROWS]:
            cells = _cells(standing, comparison.subsets[name].groups, counted)
            rows.append(["", f"ensemble, subset {name}", *cells])
        best = f"best member: {line.best_member.name}"
        rows.append(["", best, *_cells(line.best_member, comparison.groups, counted)])
        if line.read:
            remarks.append(f"{line.run}: {line.read} of {images} prompts were read from files")
        remarks += [
            f"{line.run}: read from files by {name}, in no other score: {_part(part, images)}"
            for name, part in line.reading.items()
        ]
    remarks += [
        f"subset {name}: {size.images} of {images} test images in {size.groups} groups"
        for name, size in [*comparison.subsets.items()][:MOST_ROWS]
    ]
    header = ["", "", "test", *(["answered"] if counted else [])]
    header += ["minus first", "95 % interval", ""]
    sizes = f"{images} test images in {comparison.groups} groups, the same in all runs"
    if not comparison.predicted:
        sizes += "; no prompt was predicted by all of them"
    elif comparison.predicted < images:
        sizes += (
            f"; the prompts of {comparison.predicted} in {comparison.predicted_groups} groups "
            "were read by none of them"
        )
    return "\n".join([sizes, "", text_table(header, rows), *([""] if remarks else []), *remarks])


def _polish(search: SearchSummary) -> str:
    polish = search.polish
    return (
        f"the best trial was {fixed(polish.gain, 6)} below the optimum nearby, {polish.score:.6f}, "
        f"and had {polish.distance:.1%} of the weight elsewhere"
    )


def _contributions(scores: Scores) -> list[str]:
    """What each member adds, and what was dropped."""
    rows = []
    for name, contribution in scores.leave_one_out.items():
        loss = contribution.test.negated()
        flag = "no clear gain on the holdout" if contribution.flagged else ""
        shown = [fixed(loss.score, signed=True), interval(loss, signed=True)]
        rows.append([f"without {name}", *shown, *gain_cells(contribution.subsets), flag])
    header = ["", "test", "95 % interval", *gain_columns(scores.test.subsets), ""]
    lines = ["", text_table(header, rows), ""] if rows else []
    if scores.search.dropped:
        lines.append(f"dropped: {', '.join(scores.search.dropped)}")
    return lines


def _row(
    label: str, weight: str, holdout: MemberScore | None, test: MemberScore, images: int | None
) -> list[str]:
    """A line of the table of scores; ``images`` of test where somebody abstains."""
    gap = test.gap_closed
    shown = f"{fixed(gap.score, 1, percent=True)} {interval(gap, percent=True)}" if gap else ""
    means = [fixed(holdout.score) if holdout else "", fixed(test.score)]
    return [label, weight, *means, interval(test), shown, *_answered(test, images)]


def _answered(score: MemberScore, images: int | None) -> list[str]:
    """Where a prediction has an answer, and its score there where that is not everywhere."""
    if images is None:
        return []
    part = score.answered
    if part is None:
        return [f"{images} (100.0%)"]
    counted = f"{part.images} ({fixed(part.share, 1, percent=True)})"
    return [counted, *([fixed(part.score.score), interval(part.score)] if part.score else [])]


def _reading(scores: Scores) -> list[str]:
    """What was read from files: where the blend read, and members that only read."""
    test, lines = scores.test, list[str]()
    if test.origins is not None:
        lines += [
            f"the blend where prompts were {name}: {_part(part, test.images)}"
            for name, part in (("read", test.origins.read), ("predicted", test.origins.predicted))
        ]
    for name, part in test.reading.items():
        lines.append(f"read from files by {name}, in no other score: {_part(part, test.images)}")
    return lines


def _part(part: Part, images: int) -> str:
    counted = f"{part.images} of {images} test images"
    if part.score is None:
        return counted
    return f"{counted}, cosine {with_interval(part.score, signed=False)}"


def _limit(scores: Scores, name: Literal["floor", "oracle"]) -> list[str]:
    holdout, test = scores.holdout.limit(name), scores.test.limit(name)
    assert holdout and test  # a dataset knows the oracle of all splits or of none
    return [name, "", fixed(holdout.score), fixed(test.score), interval(test), ""]


def _oracle_error(half_width: float | None) -> list[str]:
    """How well the oracle itself is known; no line where nothing tells."""
    if half_width is None:
        return []
    return [f"oracle: +/- {fixed(half_width)} (95 %) on test, as its wordings are a sample"]


def _fitting_cost(cost: FittingCost | None) -> list[str]:
    """What choosing the weights cost; no line where none were chosen."""
    if cost is None:
        return []
    shown = with_interval(cost)
    if cost.judged_on == "test":
        what = "the lead over equal weights on the holdout, where they were chosen, minus on test"
    else:
        what = "the blend out of fold minus weights that were chosen on the other folds"
    return [f"cost of choosing weights: {shown}, {what}"]


def _cells(standing: Standing, groups: int, counted: bool) -> list[str]:
    """A standing as cells, with the images that it has an answer for where that is ``counted``."""
    mean = [fixed(standing.score), *([str(standing.answered)] if counted else [])]
    difference = standing.minus_first
    if difference is None:
        return [*mean, "", "", ""]
    words = verdict_words(difference.verdict, groups)
    shown = fixed(difference.score, signed=True)
    return [*mean, shown, interval(difference, signed=True), words]
