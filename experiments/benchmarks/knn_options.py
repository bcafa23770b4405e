"""What each option of a kNN member is worth, alone and in the ensemble: one table with intervals.

Each line of `VARIANTS` takes the place of one member of an experiment (``knn-vit-h`` of the
quickstart), on the same splits: the member is prepared, the blend's weights are fitted on the
holdout anew (the exact optimum, without a study), and both are scored on test. Differences from the
kernel of the 68th-place solution are paired 95 % intervals over groups of near-duplicate prompts.
Fills a marked part of ``plugins/README.md``.

What was prepared and predicted before comes from the cache: a run that was interrupted goes on, and
a second one only makes the table again.

    python experiments/benchmarks/knn_options.py [--set A.B=C] [--only LINE] [--write]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from unprompt._files.writing import write_text
from unprompt._members.context import Context
from unprompt._pipeline.context import RunContext
from unprompt._pipeline.dataset import DatasetSplits, open_dataset
from unprompt._pipeline.members import predict_member
from unprompt._pipeline.setup import make_context
from unprompt._pipeline.timings import Timings
from unprompt._registry.loading import load_experiment
from unprompt._registry.plugins import Registry
from unprompt._scoring.blend import blend, stack
from unprompt._scoring.digits import fixed, interval, with_interval
from unprompt._scoring.estimate import Estimate
from unprompt._scoring.floor_oracle import estimate_oracle, floor_cosines
from unprompt._scoring.intervals import Intervals
from unprompt._search.objective import GramObjective
from unprompt._search.polish import polish
from unprompt.contracts import RunView
from unprompt.embeddings import Embeddings, cosine
from unprompt.types import DoubleArray, Json

ROOT = Path(__file__).parents[2]
QUICKSTART = ROOT / "experiments" / "quickstart.yaml"
GUIDE = ROOT / "plugins" / "README.md"
BEGIN, END = "<!-- begin knn options -->", "<!-- end knn options -->"
CHECKPOINTS = "package:unprompt_painter/checkpoints"

AUTO: Json = {"name": "auto", "fit": 500}
FITTED: dict[str, Json] = {"neighbours": 300, "kernel": AUTO}
CENTRED: dict[str, Json] = {**FITTED, "center": True}
SECOND: Json = {"folder": f"{CHECKPOINTS}/clip-b"}
CAPTIONER: Json = {"folder": f"{CHECKPOINTS}/blip-a", "max_tokens": 40}
SOLUTION = "power, K = 100: the 68th-place solution"
CENTRED_LINE = "kernel and K fitted, `center`"
MAP = "family `text-map`"


def _kernel(name: str) -> dict[str, Json]:
    return {**FITTED, "kernel": {"name": "auto", "fit": 500, "among": [name]}}


VARIANTS: dict[str, Mapping[str, Json]] = {
    SOLUTION: {"neighbours": 100, "kernel": {"name": "power"}},
    "power, fitted with its K": _kernel("power"),
    "softmax, fitted with its K": _kernel("softmax"),
    "rank, fitted with its K": _kernel("rank"),
    "ridge, fitted with its K": _kernel("ridge"),
    "kernel and K fitted": FITTED,
    CENTRED_LINE: CENTRED,
    "and `count_power: 1`": {**CENTRED, "count_power": 1.0},
    "and `count_power: -1`": {**CENTRED, "count_power": -1.0},
    "and `exclude_exact`": {**CENTRED, "exclude_exact": True},
    "and `rerank`": {**CENTRED, "rerank": {"backbone": SECOND}},
    "and `rerank`, half of each cosine": {**CENTRED, "rerank": {"backbone": SECOND, "mix": 0.5}},
    "and `rerank` as a filter at 0.29": {
        **CENTRED,
        "rerank": {"backbone": SECOND, "mix": 0.0, "threshold": 0.29},
    },
    "and `queries: captions`": {**CENTRED, "queries": {"name": "captions", "captioner": CAPTIONER}},
    "and captions as neighbours alone": {
        **CENTRED,
        "queries": {"name": "captions", "captioner": CAPTIONER, "part": 0.0},
    },
    MAP: {},
    f"{MAP} without `center`": {"center": False},
}
"""The options of each line, beside the member's backbone."""
HEADER = (
    "",
    "test",
    "95 % interval",
    "gap closed",
    "minus the first line",
    "in the blend",
    "minus the blend with the first line",
    "chosen",
)


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """What one variant came to.

    Attributes:
        name: Of the variant.
        alone: Cosine of each test image, by the variant alone.
        blended: The same by the ensemble with the variant in it.
        chosen: What a fit has chosen; empty where there was none.
        minutes: That preparing and predicting took; next to nothing where the cache had it.
    """

    name: str
    alone: DoubleArray
    blended: DoubleArray
    chosen: str
    minutes: float


class Bench:
    """One experiment's splits, its members' predictions, and variants of one member."""

    def __init__(self, experiment: Path, member: str, overrides: Sequence[str]) -> None:
        """Open the dataset and predict the members that stay as they are."""
        self.member, self._path, self._overrides = member, experiment, tuple(overrides)
        registry = Registry()
        loaded = load_experiment(experiment, registry, self._overrides)
        self.context: Context = make_context(registry, loaded.config.runtime)
        self.data: DatasetSplits = open_dataset(loaded, self.context, Timings())
        (own,) = [line for line in loaded.members if line.name == member]
        self.backbone: Json = own.part.options.model_dump(mode="json")["backbone"]
        self._others = {
            line.name: self._predictions(line.name, ())[0]
            for line in loaded.members
            if line.name != member
        }

    def line(self, name: str) -> Line:
        """Prepare one variant, predict with it, and blend it with the other members."""
        started = time.monotonic()
        options = json.dumps({**VARIANTS[name], "backbone": self.backbone})
        path = f"ensemble.members.{self.member}"
        overrides = [f"{path}.options={options}"]
        if name.startswith(MAP):
            overrides += [f"{path}.name={self.member}", f"{path}.plugin=text-map"]
        own, chosen = self._predictions(self.member, overrides)
        minutes = (time.monotonic() - started) / 60
        line = Line(name, self._cosines(own["test"]), self._blended(own), chosen, minutes)
        print(
            f"{name}: alone {line.alone.mean():.4f}, in the blend {line.blended.mean():.4f}, in "
            f"{minutes:.1f} minutes{f'; chosen: {chosen}' if chosen else ''}",
            flush=True,
        )
        return line

    def _predictions(
        self, member: str, overrides: Sequence[str]
    ) -> tuple[dict[str, Embeddings], str]:
        """Of the holdout and test, and what the member's fit has chosen."""
        given = (*self._overrides, *overrides)
        experiment = load_experiment(self._path, self.context.registry, given)
        (line,) = [line for line in experiment.members if line.name == member]
        with TemporaryDirectory() as runs:
            view = RunView(experiment.config.name, Path(runs), experiment.plain())
            run = RunContext(experiment, self.data, self.context, Timings(), view, None, Path(runs))
            made = predict_member(run, line)
        rows = {split: batch.embeddings for split, batch in made.batches.items()}
        return rows, _chosen(made.prepared.artifact)

    def _blended(self, own: Mapping[str, Embeddings]) -> DoubleArray:
        """Test cosines of the blend whose weights are the best on the holdout."""
        ids = self.data.splits.ids["holdout"]
        members = [*(rows["holdout"] for rows in self._others.values()), own["holdout"]]
        targets = self.data.targets.select(ids).rows
        objective = GramObjective.from_predictions(stack(members, ids), targets)
        weights = polish(objective, np.ones(len(members))).weights
        test = [*(rows["test"] for rows in self._others.values()), own["test"]]
        return self._cosines(blend(test, weights))

    def _cosines(self, rows: Embeddings) -> DoubleArray:
        ids = self.data.splits.ids["test"]
        return cosine(rows.align(ids).rows, self.data.targets.select(ids).rows)


def _chosen(artifact: Path) -> str:
    """What `kernel.fit` has chosen, or `text-map`'s penalty, as the artifact says it."""
    for name in ("kernel.json", "map.json"):
        path = artifact / name
        if path.is_file():
            content = json.loads(path.read_text(encoding="utf-8"))
            return _worded(content)
    return ""


def _worded(content: Mapping[str, Json]) -> str:
    kernel = content.get("kernel")
    if not isinstance(kernel, dict):
        return f"penalty {content['penalty']}" if "penalty" in content else json.dumps(content)
    numbers = [f"{key} {value}" for key, value in kernel.items() if key not in ("name", "fit")]
    return f"{kernel['name']}, {', '.join(numbers)}, K = {content['neighbours']}"


def table(lines: Sequence[Line], bench: Bench, wordings: int) -> str:
    """The table as Markdown."""
    data, ids = bench.data, bench.data.splits.ids["test"]
    intervals = Intervals([data.splits.groups[name] for name in ids])
    targets = data.targets.select(ids)
    floor = floor_cosines(data.targets.select(data.splits.ids["train"]), targets)
    known = data.dataset.wordings(ids, wordings)
    encoder = data.text_encoder.fastest()
    oracle = estimate_oracle(known, targets, encoder).cosines if known else None
    by_name = {line.name: line for line in lines}
    first = by_name.get(SOLUTION)
    rows = [
        f"| {' | '.join(HEADER)} |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for line in lines:
        score, both = intervals.mean_cosine(line.alone), intervals.mean_cosine(line.blended)
        other = None if first is None or first is line else first
        cells = [
            fixed(score.score),
            interval(score),
            _gap(intervals, line.alone, floor, oracle),
            "" if other is None else _signed(intervals.mean(line.alone - other.alone)),
            fixed(both.score),
            "" if other is None else _signed(intervals.mean(line.blended - other.blended)),
            line.chosen,
        ]
        rows.append(f"| {line.name} | {' | '.join(cells)} |")
    what = (
        f"`{bench.member}` on {len(data.splits.ids['train']):,} train, "
        f"{len(data.splits.ids['holdout']):,} holdout and {len(ids):,} test images in "
        f"{intervals.group_count:,} groups; device {bench.context.runtime.device}, "
        f"{bench.context.runtime.precision}."
    )
    return f"{what}\n\n" + "\n".join(rows)


def _gap(
    intervals: Intervals, values: DoubleArray, floor: DoubleArray, oracle: DoubleArray | None
) -> str:
    gap = None if oracle is None else intervals.gap_closed(values, floor, oracle)
    return "" if gap is None else fixed(gap.score, 1, percent=True)


def _signed(estimate: Estimate) -> str:
    """A difference with its interval, in bold where that leaves out 0."""
    text = with_interval(estimate)
    return f"**{text}**" if estimate.low > 0 or estimate.high < 0 else text


def main(given: Sequence[str] | None = None) -> None:
    """Prepare every variant and print, or write, the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiment", type=Path, default=QUICKSTART)
    parser.add_argument("--member", default="knn-vit-h")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=C", dest="overrides")
    parser.add_argument("--only", action="append", default=[], help="a line; repeatable")
    parser.add_argument("--wordings", type=int, default=8, help="of each image, for the oracle")
    parser.add_argument("--guide", type=Path, default=GUIDE, help="the file that --write fills")
    parser.add_argument("--write", action="store_true", help="into the marked part of --guide")
    arguments = parser.parse_args(given)
    unknown = [name for name in arguments.only if name not in VARIANTS]
    if unknown:
        parser.error(f"no such line: {unknown[0]!r}; there are {', '.join(map(repr, VARIANTS))}")
    bench = Bench(arguments.experiment, arguments.member, arguments.overrides)
    names = [name for name in VARIANTS if not arguments.only or name in arguments.only]
    text = table([bench.line(name) for name in names], bench, arguments.wordings)
    print(text)
    if arguments.write:
        before, rest = arguments.guide.read_text(encoding="utf-8").split(BEGIN)
        write_text(arguments.guide, f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
