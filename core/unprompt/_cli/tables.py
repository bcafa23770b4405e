"""Results as text tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from unprompt.types import Json

FEW_GROUPS = 10
"""With fewer groups a bootstrap interval is far too narrow to conclude anything from."""


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns; the first to the left, numbers as they come."""
    lines = [header, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def scores_table(scores: Json) -> str:
    """What a run found out: splits, scores with 95 % intervals, weights, and the comparison."""
    test, train = scores["test"], scores["train"]
    sizes = [f"{train['images']} train"]
    sizes += [f"{scores[split]['images']} {split}" for split in ("holdout", "test")]
    leak = scores["leak"]["train_test_max_cosine"]
    header = ["", "weight", "holdout", "test", "95 % interval", "gap closed"]
    rows = [_row(scores, ("members", name), name, w) for name, w in scores["weights"].items()]
    rows.append(_row(scores, ("equal",), "equal weights", None))
    rows.append(_row(scores, ("searched",), "best trial", None))
    rows.append(_row(scores, ("ensemble",), "searched weights", None))
    rows.append(_frame(scores, "floor"))
    if test["oracle"] is not None:
        rows.append(_frame(scores, "oracle"))
    lines = [
        f"{scores['experiment']}: {', '.join(sizes)} pictures",
        f"leak: the nearest test prompt to a train prompt has cosine {leak:.4f}",
        "",
        text_table(header, rows),
        "",
        _versus("searched - best member", test, "ensemble_minus_best_member"),
        _versus("searched - equal weights", test, "ensemble_minus_equal"),
        *_alone(scores),
        f"polish: {_polish(scores['search'])}",
        (
            f"optimism: the blend scores {scores['optimism']['score']:+.4f} better on the holdout, "
            "where its weights were chosen, than on test"
        ),
    ]
    return "\n".join(lines)


def search_lines(summary: Json, weights: Mapping[str, float]) -> str:
    """What a search found: the study, and weights to copy into an ensemble."""
    rows = [[name, f"{weight:.6f}"] for name, weight in weights.items()]
    lines = [
        (
            f"study {summary['study']}: {summary['trials']} finished trials, the best "
            f"{summary['best_value']:.6f} (trial {summary['best_trial']})"
        ),
        f"polish: {_polish(summary)}",
        "",
        text_table(["", "weight"], rows),
    ]
    return "\n".join(lines)


def _polish(search: Json) -> str:
    polish = search["polish"]
    return (
        f"the best trial was {polish['gain']:.6f} below the optimum nearby, {polish['score']:.6f}, "
        f"and had {polish['distance']:.1%} of the weight elsewhere"
    )


def _alone(scores: Json) -> list[str]:
    """What each member adds, and what was dropped."""
    gains, dropped = scores["leave_one_out"], scores["search"]["dropped"]
    rows = [
        [
            f"without {name}",
            f"{-gain['test']['score']:+.4f}",
            _interval([-end for end in reversed(gain["test"]["ci95"])], "+.4f"),
            "does not hurt on the holdout" if gain["flagged"] else "",
        ]
        for name, gain in gains.items()
    ]
    lines = ["", text_table(["", "test", "95 % interval", ""], rows), ""] if rows else []
    if dropped:
        lines.append(f"dropped: {', '.join(dropped)}")
    return lines


def _row(scores: Json, path: tuple[str, ...], label: str, weight: float | None) -> list[str]:
    holdout, test = scores["holdout"], scores["test"]
    for key in path:
        holdout, test = holdout[key], test[key]
    gap = test.get("gap_closed")
    shown = f"{gap['score']:.1%} {_interval(gap['ci95'], '.1%')}" if gap else ""
    said = "" if weight is None else f"{weight:.3f}"
    means = [f"{holdout['score']:.4f}", f"{test['score']:.4f}"]
    return [label, said, *means, _interval(test["ci95"], ".4f"), shown]


def _frame(scores: Json, name: str) -> list[str]:
    holdout, test = scores["holdout"], scores["test"]
    interval = _interval(test[f"{name}_ci95"], ".4f")
    return [name, "", f"{holdout[name]:.4f}", f"{test[name]:.4f}", interval, ""]


def _versus(label: str, test: Json, key: str) -> str:
    paired = test["paired"][key]
    low, high = paired["ci95"]
    verdict = "better" if low > 0 else "worse" if high < 0 else "no clear difference"
    if test["groups"] < FEW_GROUPS:
        verdict = f"{test['groups']} groups are too few to tell"
    return f"{label}: {paired['score']:+.4f} {_interval(paired['ci95'], '+.4f')}: {verdict}"


def _interval(ends: Sequence[float], style: str) -> str:
    return f"[{ends[0]:{style}}, {ends[1]:{style}}]"
