"""The pipeline in one drawing, across for wide pages and down for narrow ones."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from unprompt._config.reference import plugin_name
from unprompt._report.numbers import fixed, plural
from unprompt._runs.leak import Leak
from unprompt._runs.run import Run
from unprompt._scoring.digits import below

LINE = 17
"""Pixels from one line of text in a box to the next."""
NAMES = 8
"""Members that are named; the others are counted."""
LETTERS = 22
"""Of a name; longer ones end in an ellipsis."""
GAP = 34
"""Pixels between boxes, for the arrows."""
FLAT = 52
"""Pixels of a box with one line below its title."""


@dataclass(frozen=True, slots=True)
class Box:
    """A step of the pipeline, in pixels.

    Attributes:
        title: Its name.
        lines: What stands below it.
        role: Its kind, for colours.
    """

    title: str
    lines: tuple[str, ...]
    x: float
    y: float
    width: float
    height: float
    role: str = "plain"

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
    """An arrow: an SVG path, and whose images flow along it (or nothing)."""

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
class Pipeline:
    """The section.

    Attributes:
        flows: The drawing across and down.
        description: The drawing in one sentence, for who cannot see it.
        folds: Whether train and holdout are the same images, dealt to folds.
        separation: How near the splits come to each other, as it was measured.
        warnings: What they share, in sentences without a full stop; empty where it is nothing.
    """

    flows: tuple[Flow, Flow]
    description: str
    folds: bool
    separation: str
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Texts:
    """What the boxes say, line by line."""

    dataset: tuple[str, str]
    train: str
    holdout: str
    test: str
    amount: str
    members: tuple[str, ...]
    search: tuple[str, str]
    blend: tuple[str, str]
    score: tuple[str, str]


def pipeline(run: Run) -> Pipeline:
    """Draw the pipeline."""
    leak, folds = run.scores.leak, run.scores.leak.folds
    texts = _texts(run)
    splits = f"train ({texts.train}), holdout ({texts.holdout}), test ({texts.test})"
    if folds:
        splits = f"train and holdout ({texts.train}, dealt to folds), test ({texts.test})"
    learn = "learns" if len(run.weights) == 1 else "learn"
    description = (
        f"Dataset {', '.join(texts.dataset)}, is split into {splits}. {texts.amount} {learn} from "
        f"train, weights are searched on holdout ({', '.join(texts.search)}), and the blend is "
        f"scored on test: {texts.score[0]}."
    )
    flows = _across(texts), _down(texts)
    warnings = tuple(leak.warnings(run.scores.sizes))
    return Pipeline(flows, description, folds, _separation(leak), warnings)


def _separation(leak: Leak) -> str:
    """The nearest prompts of each two splits, and how many images are met again."""
    names = {
        "train_test": "train and test",
        "train_holdout": "train and holdout",
        "holdout_test": "holdout and test",
        "folds": "two folds",
    }
    nearest = ", ".join(
        f"{below(cosine, leak.group_cosine)} between {names[pair]}"
        for pair, cosine in leak.nearest.items()
    )
    same = sum(leak.identical_images.values())
    again = "No image is in two of them." if not same else "Some images are in two of them."
    return (
        f"The nearest prompts have a cosine of {nearest}; from {leak.group_cosine:g} on they count "
        f"as near-duplicates. {again}"
    )


def _texts(run: Run) -> _Texts:
    scores = run.scores
    sizes = [split.images for split in (scores.train, scores.holdout, scores.test)]
    names = [_short(name) for name in scores.members[:NAMES]]
    if len(scores.members) > NAMES:
        names.append(f"and {len(scores.members) - NAMES} more")
    amount, used = len(run.weights), sum(weight > 0 for weight in run.weights.values())
    total = sum(scores.sizes.values())
    train, holdout, test = (plural(size, "image") for size in sizes)
    if scores.leak.folds:
        holdout = "the same"
    return _Texts(
        dataset=(_short(plugin_name(run.experiment.data.plugin), 15), plural(total, "image")),
        train=train,
        holdout=holdout,
        test=test,
        amount=plural(amount, "member"),
        members=tuple(names),
        search=(plural(scores.search.trials, "trial"), _short(f"sampler {scores.search.sampler}")),
        blend=(f"{used} of {amount}", "member" if amount == 1 else "members"),
        score=(fixed(scores.test.ensemble.score), "mean cosine"),
    )


def _across(texts: _Texts) -> Flow:
    """Left to right, 960 pixels wide."""
    upper = max(104.0, 42.0 + LINE * len(texts.members))
    lower, middle = 56.0, upper / 2
    height = upper + 2 * (lower + 14)
    dataset = Box("dataset", texts.dataset, 0, 0, 116, height)
    train = Box("train", (texts.train,), 150, 0, 110, upper, "train")
    holdout = Box("holdout", (texts.holdout,), 150, upper + 14, 110, lower, "holdout")
    test = Box("test", (texts.test,), 150, upper + lower + 28, 110, lower, "test")
    members = Box(texts.amount, texts.members, 294, 0, 190, upper)
    search = Box("search", texts.search, 518, middle - 44, 132, 88)
    blend = Box("blend", texts.blend, 684, middle - 44, 104, 88)
    score = Box("score", texts.score, 822, middle - 44, 136, 88, "score")
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


def _down(texts: _Texts) -> Flow:
    """Top to bottom, 340 pixels wide."""
    dot = " \N{MIDDLE DOT} "
    dataset = Box("dataset", (dot.join(texts.dataset),), 0, 0, 340, FLAT)
    y = dataset.bottom + GAP
    train = Box("train", tuple(texts.train.split(" ")), 0, y, 150, 68, "train")
    holdout = Box("holdout", tuple(texts.holdout.split(" ")), 164, y, 82, 68, "holdout")
    test = Box("test", tuple(texts.test.split(" ")), 258, y, 82, 68, "test")
    tall = 42.0 + LINE * len(texts.members)
    members = Box(texts.amount, texts.members, 0, train.bottom + GAP, 188, tall)
    search = Box("search", (dot.join(texts.search),), 0, members.bottom + GAP, 246, FLAT)
    blend = Box("blend", (" ".join(texts.blend),), 0, search.bottom + GAP, 246, FLAT)
    score = Box("score", (dot.join(texts.score),), 0, blend.bottom + GAP, 340, FLAT, "score")
    wires = [
        *(_downward(box.centre, dataset.bottom, box.y, box.role) for box in (train, holdout, test)),
        _downward(train.centre, train.bottom, members.y, "train"),
        *(
            _downward(train.centre, a.bottom, b.y)
            for a, b in pairwise((members, search, blend, score))
        ),
        _downward(holdout.centre, holdout.bottom, search.y, "holdout"),
        _downward(test.centre, test.bottom, score.y, "test"),
    ]
    boxes = (dataset, train, holdout, test, members, search, blend, score)
    return Flow("down", boxes, tuple(wires), 340, score.bottom)


def _right(start: float, end: float, y: float, role: str = "") -> Wire:
    return Wire(f"M{start} {y}H{end - 3}", role)


def _downward(x: float, start: float, end: float, role: str = "") -> Wire:
    return Wire(f"M{x} {start}V{end - 3}", role)


def _short(name: str, letters: int = LETTERS) -> str:
    return name if len(name) <= letters else name[: letters - 1] + "\N{HORIZONTAL ELLIPSIS}"
