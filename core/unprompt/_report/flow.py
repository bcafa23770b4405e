"""The pipeline in one picture, across for wide pages and down for narrow ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from unprompt._report.numbers import count, estimate, fixed, mapping, number, plural
from unprompt._report.source import Run

LINE = 17
"""Pixels from one line of text in a box to the next."""
NAMES = 8
"""Members that are named; the others are counted."""
LETTERS = 22
"""Of a name; longer ones end in an ellipsis."""
GAP = 34
"""Pixels between boxes, for the arrows."""


@dataclass(frozen=True, slots=True)
class Box:
    """A step of the pipeline, in pixels.

    Attributes:
        role: Its kind, for colours.
        title: Its name.
        lines: What is said below it.
    """

    role: str
    title: str
    lines: tuple[str, ...]
    x: float
    y: float
    width: float
    height: float

    @property
    def centre(self) -> float:
        """Of the width."""
        return self.x + self.width / 2

    @property
    def middle(self) -> float:
        """Of the height."""
        return self.y + self.height / 2

    @property
    def right(self) -> float:
        """The right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """The lower edge."""
        return self.y + self.height


@dataclass(frozen=True, slots=True)
class Wire:
    """An arrow: an SVG path, and whose pictures flow along it (or nothing)."""

    path: str
    role: str = ""


@dataclass(frozen=True, slots=True)
class Flow:
    """A drawing of ``width`` by ``height`` pixels."""

    layout: str
    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Steps:
    """What the boxes say."""

    dataset: tuple[str, ...]
    train: tuple[str, ...]
    holdout: tuple[str, ...]
    test: tuple[str, ...]
    members: tuple[str, ...]
    amount: str
    search: tuple[str, ...]
    blend: tuple[str, ...]
    score: tuple[str, ...]


def flows(run: Run) -> tuple[Flow, Flow]:
    """The pipeline across and down."""
    steps = _steps(run)
    return across(steps), down(steps)


def describe(run: Run) -> str:
    """The picture in one sentence, for who cannot see it."""
    steps = _steps(run)
    splits = ", ".join(
        f"{name} ({' '.join(lines)})"
        for name, lines in (
            ("train", steps.train),
            ("holdout", steps.holdout),
            ("test", steps.test),
        )
    )
    return (
        f"Dataset {' '.join(steps.dataset)} is split into {splits}. {steps.amount} learn from "
        f"train, weights are searched on holdout ({', '.join(steps.search)}), and the blend is "
        f"scored on test: {steps.score[0]}."
    )


def _steps(run: Run) -> Steps:
    sizes = {name: number(run.split(name).get("images")) for name in ("train", "holdout", "test")}
    pictures = {
        name: (count(size), "picture" if size == 1 else "pictures") for name, size in sizes.items()
    }
    total = sum(size for size in sizes.values() if size is not None)
    names = [_short(name) for name in run.members[:NAMES]]
    if len(run.members) > NAMES:
        names.append(f"and {len(run.members) - NAMES} more")
    weights = [number(weight) or 0.0 for weight in run.part("weights").values()]
    used = sum(weight > 0 for weight in weights)
    search = run.part("search")
    trials = number(search.get("trials"))
    said = [plural(int(trials), "trial")] if trials is not None else []
    if search.get("sampler"):
        said.append(_short(f"sampler {search['sampler']}"))
    score = estimate(run.test.get("ensemble"))
    plugin = str(mapping(run.experiment.get("data")).get("plugin", "dataset"))
    return Steps(
        dataset=(_short(plugin, 15), *_amount(total)),
        train=pictures["train"],
        holdout=pictures["holdout"],
        test=pictures["test"],
        members=tuple(names),
        amount=plural(len(run.members), "member"),
        search=tuple(said),
        blend=(f"{used} of {len(weights)}", _members(len(weights))) if weights else (),
        score=(fixed(score.score if score else None), "mean cosine"),
    )


def _members(amount: int) -> str:
    return "member" if amount == 1 else "members"


def _amount(total: float) -> tuple[str, str]:
    return count(total), "picture" if total == 1 else "pictures"


def across(steps: Steps) -> Flow:
    """Left to right, 960 pixels wide."""
    upper = max(104.0, 42.0 + LINE * len(steps.members))
    lower, middle = 56.0, upper / 2
    height = upper + 2 * (lower + 14)
    amount = " ".join(steps.dataset[1:])
    train = Box("train", "train", (" ".join(steps.train),), 150, 0, 110, upper)
    holdout = Box("holdout", "holdout", (" ".join(steps.holdout),), 150, upper + 14, 110, lower)
    test = Box("test", "test", (" ".join(steps.test),), 150, upper + lower + 28, 110, lower)
    dataset = Box("plain", "dataset", (steps.dataset[0], amount), 0, 0, 116, height)
    members = Box("plain", steps.amount, steps.members, 294, 0, 190, upper)
    search = Box("plain", "search", steps.search, 518, middle - 44, 132, 88)
    blend = Box("plain", "blend", steps.blend, 684, middle - 44, 104, 88)
    score = Box("score", "score", steps.score, 822, middle - 44, 136, 88)
    row = [train, members, search, blend, score]
    wires = [
        *(_right(dataset.right, box.x, box.middle, box.role) for box in (train, holdout, test)),
        *(_right(a.right, b.x, middle, "train" if a is train else "") for a, b in pairwise(row)),
        *(
            Wire(f"M{a.right} {a.middle}H{b.centre}V{b.bottom + 3}", a.role)
            for a, b in ((holdout, search), (test, score))
        ),
    ]
    boxes = (dataset, train, holdout, test, members, search, blend, score)
    return Flow("across", boxes, tuple(wires), 960, height)


def down(steps: Steps) -> Flow:
    """Top to bottom, 340 pixels wide."""
    dataset = Box(
        "plain",
        "dataset",
        (" \N{MIDDLE DOT} ".join((steps.dataset[0], " ".join(steps.dataset[1:]))),),
        0,
        0,
        340,
        52,
    )
    y = dataset.bottom + GAP
    train = Box("train", "train", steps.train, 0, y, 150, 68)
    holdout = Box("holdout", "holdout", steps.holdout, 164, y, 82, 68)
    test = Box("test", "test", steps.test, 258, y, 82, 68)
    tall = 42.0 + LINE * len(steps.members)
    members = Box("plain", steps.amount, steps.members, 0, train.bottom + GAP, 188, tall)
    search = _wide("search", steps.search, members.bottom + GAP, 246)
    blend = _wide("blend", steps.blend, search.bottom + GAP, 246)
    score = _wide("score", steps.score, blend.bottom + GAP, 340)
    wires = [
        *(_down(box.centre, dataset.bottom, box.y, box.role) for box in (train, holdout, test)),
        _down(train.centre, train.bottom, members.y, "train"),
        _down(train.centre, members.bottom, search.y),
        _down(train.centre, search.bottom, blend.y),
        _down(train.centre, blend.bottom, score.y),
        _down(holdout.centre, holdout.bottom, search.y, "holdout"),
        _down(test.centre, test.bottom, score.y, "test"),
    ]
    boxes = (dataset, train, holdout, test, members, search, blend, score)
    return Flow("down", boxes, tuple(wires), 340, score.bottom)


def _wide(title: str, lines: Sequence[str], y: float, width: float) -> Box:
    role = "score" if title == "score" else "plain"
    said = (" \N{MIDDLE DOT} ".join(lines),) if title != "blend" else (" ".join(lines),)
    return Box(role, title, said, 0, y, width, 52)


def _right(start: float, end: float, y: float, role: str = "") -> Wire:
    return Wire(f"M{start} {y}H{end - 3}", role)


def _down(x: float, start: float, end: float, role: str = "") -> Wire:
    return Wire(f"M{x} {start}V{end - 3}", role)


def _short(name: str, letters: int = LETTERS) -> str:
    return name if len(name) <= letters else name[: letters - 1] + "\N{HORIZONTAL ELLIPSIS}"
