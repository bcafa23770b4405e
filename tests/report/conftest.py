"""Run folders with everything a report can show: real predictions, and real numbers of them."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml
from PIL import Image

from unprompt._data.predictions import write_predictions
from unprompt._files.writing import write_json
from unprompt._scoring.blend import blend
from unprompt._scoring.intervals import gap_closed, score
from unprompt.contracts import Batch
from unprompt.embeddings import Embeddings, cosine, unit
from unprompt.types import DoubleArray, FloatArray

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@dataclass
class Split:
    """Pictures with their targets and every member's predictions, rows in one order."""

    ids: tuple[str, ...]
    targets: FloatArray
    members: Mapping[str, FloatArray]
    floor: DoubleArray
    oracle: DoubleArray | None
    groups: Sequence[str]

    def blended(self, weights: Mapping[str, float]) -> Embeddings:
        """The blend of the members that ``weights`` name."""
        rows = [Embeddings(self.ids, self.members[name]) for name in weights]
        return blend(rows, list(weights.values()))

    def cosines(self, weights: Mapping[str, float]) -> DoubleArray:
        """The blend's cosine of each picture."""
        return cosine(self.blended(weights).rows, self.targets)

    def score(self, values: DoubleArray) -> dict[str, Any]:
        return score(values, self.groups, samples=200, seed=0).plain()

    def entry(self, values: DoubleArray) -> dict[str, Any]:
        entry = self.score(values)
        if self.oracle is not None:
            frame = (self.floor, self.oracle, self.groups)
            entry["gap_closed"] = gap_closed(values, *frame, samples=200, seed=0).plain()
        return entry

    def plain(self, weights: Mapping[str, float], searched: Mapping[str, float]) -> dict[str, Any]:
        """What ``scores.json`` says of the split."""
        alone = {name: self.cosines({name: 1.0}) for name in self.members}
        best = max(alone, key=lambda name: float(alone[name].mean()))
        equal = self.cosines(dict.fromkeys(self.members, 1.0))
        ensemble, found = self.cosines(weights), self.cosines(searched)
        floor = self.score(self.floor)
        plain: dict[str, Any] = {
            "images": len(self.ids),
            "groups": len(set(self.groups)),
            "members": {name: self.entry(values) for name, values in alone.items()},
            "equal": self.entry(equal),
            "searched": self.entry(found),
            "ensemble": self.entry(ensemble),
            "floor": floor["score"],
            "floor_ci95": floor["ci95"],
            "oracle": None,
            "gap_closed": None,
            "best_member": best,
            "paired": {
                "ensemble_minus_best_member": self.score(ensemble - alone[best]),
                "ensemble_minus_equal": self.score(ensemble - equal),
                "searched_minus_equal": self.score(found - equal),
            },
        }
        if self.oracle is not None:
            oracle = self.score(self.oracle)
            plain |= {"oracle": oracle["score"], "oracle_ci95": oracle["ci95"]}
        return plain


@dataclass
class Made:
    """What a run's folder is made of."""

    holdout: Split
    test: Split
    prompts: Mapping[str, str]
    folder: Path
    trials: int = 60
    weights: dict[str, float] = field(default_factory=dict)
    searched: dict[str, float] = field(default_factory=dict)
    values: list[float] = field(default_factory=list)

    def search(self) -> None:
        """Random weights on the holdout, then the best of them rounded: the searched blend."""
        names = list(self.test.members)
        rng = np.random.default_rng(0)
        tried = [np.ones(len(names)), *np.eye(len(names))]
        tried += list(rng.uniform(size=(max(0, self.trials - len(tried)), len(names))))
        weighed = [dict(zip(names, map(float, row), strict=True)) for row in tried]
        self.values = [float(self.holdout.cosines(weights).mean()) for weights in weighed]
        best = weighed[int(np.argmax(self.values))]
        self.searched = {name: weight / max(best.values()) for name, weight in best.items()}
        self.weights = {name: round(weight, 2) for name, weight in self.searched.items()}

    def scores(self) -> dict[str, Any]:
        """``scores.json``, every optional part included."""
        best = int(np.argmax(self.values))
        holdout, test = (
            split.plain(self.weights, self.searched) for split in (self.holdout, self.test)
        )
        polished = holdout["ensemble"]["score"]
        full = {"holdout": self.holdout.cosines(self.weights)}
        full["test"] = self.test.cosines(self.weights)
        return {
            "experiment": "made",
            "weights": self.weights,
            "search": {
                "trials": len(self.values),
                "best_trial": best,
                "best_value": self.values[best],
                "sampler": "random",
                "study": "made",
                "storage": "postgresql://me:secret@host/studies",
                "polish": {
                    "score": polished,
                    "gain": polished - self.values[best],
                    "distance": 0.01,
                },
            },
            "train": {"images": 4800, "groups": 4000},
            "holdout": holdout,
            "test": test,
            "optimism": {"score": polished - test["ensemble"]["score"]},
            "leave_one_out": {name: self.without(name, full) for name in self.weights},
            "ablations": {"per-dimension": self.ablation(full["test"])},
            "history": {
                "values": [*self.values[:-1], None],
                "best": np.maximum.accumulate(self.values).tolist(),
            },
            "importances": self.importances(),
        }

    def without(self, name: str, full: Mapping[str, DoubleArray]) -> dict[str, Any]:
        """What the blend loses without a member."""
        left = {other: weight for other, weight in self.weights.items() if other != name}
        if not any(left.values()):
            return {"weight": self.weights[name], "test": None, "holdout": None, "flagged": False}
        splits = {"holdout": self.holdout, "test": self.test}
        gains = {key: split.score(full[key] - split.cosines(left)) for key, split in splits.items()}
        flagged = bool(gains["holdout"]["ci95"][0] <= 0)
        return {"weight": self.weights[name], **gains, "flagged": flagged}

    def ablation(self, full: DoubleArray) -> dict[str, Any]:
        """The two best members at equal weights, as if that were another way to blend."""
        best = sorted(self.weights, key=lambda name: -self.weights[name])[:2]
        values = self.test.cosines(dict.fromkeys(best, 1.0))
        return {**self.test.score(values), "versus": self.test.score(values - full)}

    def importances(self) -> dict[str, float]:
        shares = np.asarray([weight + 0.01 for weight in self.weights.values()])
        shares /= shares.sum()
        return {
            f"weight.{name}": float(one) for name, one in zip(self.weights, shares, strict=True)
        }

    def write(self) -> Path:
        """Write everything into the folder."""
        self.search()
        write_json(self.folder / "scores.json", self.scores())
        self.write_predictions()
        self.write_pictures()
        return self.folder

    def write_predictions(self) -> None:
        for name, rows in self.test.members.items():
            self.write_batch(name, Embeddings(self.test.ids, rows))
        self.write_batch("ensemble", self.test.blended(self.weights))

    def write_batch(self, name: str, rows: Embeddings) -> None:
        batch = Batch(rows, (None,) * len(rows), ((),) * len(rows))
        write_predictions(self.folder / "predictions" / f"{name}.test.parquet", "parquet", batch)

    def write_pictures(self) -> None:
        """``pictures.csv``, and the best and worst pictures as cases."""
        cosines = self.test.cosines(self.weights)
        alone = {name: self.test.cosines({name: 1.0}) for name in self.test.members}
        with (self.folder / "pictures.csv").open("w", encoding="utf-8", newline="") as file:
            lines = csv.writer(file)
            lines.writerow(["image_id", "prompt", "predicted", "cosine", *alone])
            for i, name in enumerate(self.test.ids):
                numbers = [cosines[i], *(values[i] for values in alone.values())]
                lines.writerow([name, self.prompts[name], self.prompts[name], *numbers])
        order = np.argsort(-cosines)
        chosen = [("best", i) for i in order[:2]] + [("worst", i) for i in order[::-1][:2]]
        cases = [self.case(kind, int(i), cosines, alone) for kind, i in chosen]
        write_json(self.folder / "cases.json", cases)

    def case(
        self, kind: str, i: int, cosines: DoubleArray, alone: Mapping[str, DoubleArray]
    ) -> dict[str, Any]:
        name = self.test.ids[i]
        picture = self.folder / "pictures" / f"{name}.jpg"
        picture.parent.mkdir(exist_ok=True)
        Image.new("RGB", (16, 16), (i * 5 % 256, 90, 160)).save(picture)
        reasons = {
            "neighbour": [("a red fox", 0.61), ("a fox at night", 0.39)],
            "phrase": [("oil painting", 0.27)],
        }
        evidence = [
            {"text": text, "weight": weight, "kind": word}
            for word, lines in reasons.items()
            for text, weight in lines
        ]
        return {
            "image_id": name,
            "kind": kind,
            "picture": f"pictures/{name}.jpg",
            "prompt": self.prompts[name],
            "predicted": f"guess of {self.prompts[name]}",
            "cosine": float(cosines[i]),
            "members": {member: float(values[i]) for member, values in alone.items()},
            "evidence": dict.fromkeys(alone, evidence),
        }


def made_split(rng: np.random.Generator, ids: tuple[str, ...], members: int, oracle: bool) -> Split:
    """Targets, and members that see each of them through noise of their own."""
    count, dim = len(ids), 24
    centre = rng.normal(size=dim)
    targets = unit(rng.normal(size=(count, dim)) + 0.6 * centre)
    noise = 0.12 + 0.06 * np.arange(members)
    rows = {
        f"member-{m}": unit(targets + noise[m] * rng.normal(size=(count, dim)))
        for m in range(members)
    }
    floor = targets @ unit(centre[None])[0]
    seen = cosine(unit(targets + 0.03 * rng.normal(size=(count, dim))), targets)
    groups = [str(i // 2) for i in range(count)]
    return Split(ids, targets, rows, floor.astype(np.float64), seen if oracle else None, groups)


MANIFEST = {
    "command": ["/somewhere/bin/unprompt", "run", "my experiment.yaml"],
    "experiment_hash": "e" * 64,
    "data_hash": "d" * 64,
    "splits_hash": "5" * 64,
    "text_encoder": "some/encoder@" + "7" * 64,
    "members": {"member-0": "0" * 64},
    "plugins": {"painter": "unprompt 0.1.0"},
    "versions": {"python": "3.11.7", "numpy": "2.4.6"},
    "hardware": {"platform": "Linux", "cores": 2, "peak_memory_bytes": 3 * 2**29},
    "seconds": {"dataset": 0.5, "search": 12.25, "predict member-0": 200.0},
}

MakeRun = Callable[..., Path]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """``make_run(members=3, images=60, oracle=True, lacking=())``: the folder of a run."""

    def make(
        *,
        members: int = 3,
        images: int = 60,
        oracle: bool = True,
        lacking: Sequence[str] = (),
        prompts: Mapping[int, str] | None = None,
    ) -> Path:
        folder = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        rng = np.random.default_rng(3)
        ids = tuple(f"{i:06d}" for i in range(images))
        said = {name: f"prompt number {i}" for i, name in enumerate(ids)}
        said |= {ids[i]: prompt for i, prompt in (prompts or {}).items()}
        holdout, test = (made_split(rng, ids, members, oracle) for _ in range(2))
        Made(holdout, test, said, folder).write()
        write_json(folder / "manifest.json", MANIFEST)
        experiment = {"name": "made", "data": {"plugin": "painter"}}
        (folder / "experiment.yaml").write_text(yaml.safe_dump(experiment), encoding="utf-8")
        (folder / "study.journal").touch()
        for name in lacking:
            take_away(folder, name)
        return folder

    return make


def take_away(folder: Path, name: str) -> None:
    """Remove an optional part: a file, or a key of ``scores.json``."""
    if (folder / name).is_file():
        (folder / name).unlink()
        return
    scores = json.loads((folder / "scores.json").read_text())
    *path, key = name.split(".")
    inner = scores
    for step in path:
        inner = inner[step]
    del inner[key]
    write_json(folder / "scores.json", scores)


class Page(HTMLParser):
    """A page's tags with their attributes, its visible text, and whether its tags close."""

    VOID = frozenset({"meta", "link", "img", "br", "hr", "input"})

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        """What can be read, spaces and newlines made one space, a minus sign a hyphen."""
        words = " ".join(" ".join(self.words).split())
        return words.replace("\N{MINUS SIGN}", "-")

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every ``tag``."""
        return [attrs for name, attrs in self.tags if name == tag]

    def sections(self) -> list[str]:
        """The sections' ids, in order."""
        return [str(attrs["id"]) for attrs in self.all("section")]


@pytest.fixture
def read_page() -> Callable[[str], Page]:
    """``read_page(html)``: the page, parsed."""
    return Page


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A headless Chromium; the test is skipped where none is installed.

    For a module only: while playwright is open, nothing else can run an event loop.
    """
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("chromium is not installed")
    with sync_api.sync_playwright() as playwright:
        # Root needs --no-sandbox; the page is a file that this test has written.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
