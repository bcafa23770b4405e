"""The first thing on the page: whether searching weights was worth it, in words."""

from __future__ import annotations

from dataclasses import dataclass

from unprompt._report.numbers import (
    FEW_GROUPS,
    Estimate,
    estimate,
    fixed,
    interval,
    mapping,
    number,
    plural,
    signed,
)
from unprompt._report.source import Run

ACROSS = {1: "beat", -1: "are worse than", 0: "cannot be told apart from"}
WORDS = {1: "better", -1: "worse", 0: "no clear difference"}
SIDES = {
    "ensemble": "searched weights",
    "searched": "best trial",
    "equal": "equal weights",
    "best_member": "best member",
    "floor": "floor",
    "oracle": "oracle",
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two predictions on the same test pictures.

    Attributes:
        label: Such as ``blend - equal weights``.
        difference: Of their mean cosines.
        words: What may be concluded.
    """

    label: str
    difference: Estimate
    words: str


@dataclass(frozen=True, slots=True)
class Headline:
    """What the run found out.

    Attributes:
        verdict: One sentence.
        tone: ``better``, ``worse`` or ``unclear``.
        score: The blend's mean cosine on test.
        gap: The share of the gap between floor and oracle that it closes; None without oracle.
        images: Test pictures.
        groups: Groups of near-duplicate prompts among them.
        comparisons: Every paired difference of the run.
    """

    verdict: str
    tone: str
    score: Estimate | None
    gap: Estimate | None
    images: int
    groups: int
    comparisons: tuple[Comparison, ...]


def headline(run: Run) -> Headline:
    """Read the verdict off the paired differences."""
    blend = run.test.get("ensemble")
    images, groups = size(run, "images"), size(run, "groups")
    paired = mapping(run.test.get("paired"))
    found = {name: one for name, entry in paired.items() if (one := estimate(entry))}
    verdict, tone = _verdict(run, found, images, groups)
    return Headline(
        verdict=verdict,
        tone=tone,
        score=estimate(blend),
        gap=gap_of(blend),
        images=images,
        groups=groups,
        comparisons=tuple(
            Comparison(compared(name), one, conclusion(one, groups)) for name, one in found.items()
        ),
    )


def size(run: Run, key: str) -> int:
    """How many ``images`` or ``groups`` the test split has; 0 where the run does not say."""
    return int(number(run.test.get(key)) or 0)


def gap_of(entry: object) -> Estimate | None:
    """The gap closed of an entry of ``scores.json``; None where there is no oracle."""
    return estimate(entry.get("gap_closed")) if isinstance(entry, dict) else None


def conclusion(difference: Estimate, groups: int) -> str:
    """What an interval allows to say, such as ``better``."""
    if groups < FEW_GROUPS:
        return f"{plural(groups, 'group')}: too few to tell"
    return WORDS[difference.sign] if difference.known else "no interval"


def compared(name: str) -> str:
    """``ensemble_minus_best_member`` as ``blend - best member``."""
    sides = name.split("_minus_")
    return " \N{MINUS SIGN} ".join(SIDES.get(side, side.replace("_", " ")) for side in sides)


def _verdict(run: Run, found: dict[str, Estimate], images: int, groups: int) -> tuple[str, str]:
    on = f"On {plural(images, 'test picture')}"
    if len(run.members) == 1:
        return (
            f"{on} there is one member, {run.members[0]}, so there is nothing to weigh.",
            "unclear",
        )
    best = run.test.get("best_member")
    targets = {
        "ensemble_minus_equal": "equal weights",
        "ensemble_minus_best_member": f"the best member, {best}," if best else "the best member",
    }
    pairs = [(found[key], target) for key, target in targets.items() if key in found]
    if not pairs:
        return "The run holds no comparison with equal weights or the best member.", "unclear"
    if groups < FEW_GROUPS:
        fall = "falls" if groups == 1 else "fall"
        said = " and ".join(f"{_amount(one)} to {target.rstrip(',')}" for one, target in pairs)
        few = f"{plural(images, 'test picture')} {'falls' if images == 1 else fall} into"
        return f"{few} {plural(groups, 'group')}: too few to tell ({said}).", "unclear"
    signs = [one.sign for one, _ in pairs]
    clauses = [_clause(one, target) for one, target in pairs]
    same = len(set(signs)) == 1
    if same:  # one verb for both
        clauses[1:] = [clause.removeprefix(f"{ACROSS[signs[0]]} ") for clause in clauses[1:]]
    tone = "better" if min(signs) > 0 else "worse" if min(signs) < 0 else "unclear"
    return f"{on} the searched weights {(' and ' if same else ', but ').join(clauses)}.", tone


def _clause(difference: Estimate, target: str) -> str:
    if difference.sign == 0 or difference.low is None or difference.high is None:
        return f"{ACROSS[0]} {target.rstrip(',')} ({_amount(difference)})"
    far = difference
    if difference.sign < 0:  # "worse by" says the direction already
        far = Estimate(-difference.score, -difference.high, -difference.low)
    return f"{ACROSS[difference.sign]} {target} by {fixed(far.score)} {interval(far)}"


def _amount(difference: Estimate) -> str:
    return f"{signed(difference.score)} {interval(difference, 'signed')}".rstrip()
