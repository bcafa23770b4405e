"""What each option of `training` is worth: one member, fitted with each, on one experiment.

Fits a member once per line of `VARIANTS` on the same splits, each against the fine-tuning with
the common options, and writes the table of ``plugins/README.md``: mean cosine on test, its
difference from the frozen tower's linear probe and from the common fine-tuning, as paired 95 %
intervals over groups of near-duplicate prompts, the share of the gap between floor and oracle, and
minutes.

    python experiments/benchmarks/training_options.py [--member NAME] [--set A.B=C] [--write]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from unprompt._files.cache import Cache
from unprompt._files.writing import write_text
from unprompt._members.context import Context
from unprompt._pipeline.context import RunContext
from unprompt._pipeline.dataset import DatasetSplits, open_dataset
from unprompt._pipeline.members import predict_member
from unprompt._pipeline.setup import make_context
from unprompt._pipeline.timings import Timings
from unprompt._registry.loading import load_experiment
from unprompt._registry.plugins import Registry
from unprompt._scoring.digits import interval, with_interval
from unprompt._scoring.estimate import Estimate
from unprompt._scoring.floor_oracle import estimate_oracle, floor_cosines
from unprompt.contracts import RunView
from unprompt.embeddings import cosine
from unprompt.types import DoubleArray, Json

ROOT = Path(__file__).parents[2]
QUICKSTART = ROOT / "experiments" / "quickstart.yaml"
GUIDE = ROOT / "plugins" / "README.md"
BEGIN, END = "<!-- begin training options -->", "<!-- end training options -->"

LARGER = (
    "data.options.images=9000",
    "data.split.train=0.58",
    "data.split.holdout=0.04",
    "data.split.test=0.38",
)
"""The quickstart with a test split that shows differences of a thousandth."""

COMMON: dict[str, Json] = {
    "epochs": 6,
    "batch_size": 64,
    "learning_rate": 3e-4,
    "ema": 0.99,
    "layer_decay": 0.7,
    "augment": ["shift"],
    "validation": 0,
    "keep_images": True,
}
"""The fine-tuning that each line but the probe's changes one thing of.

No image is held back for validation, as none is for a probe: those are a tenth of what a head
learns from, which costs more than a fine-tuning of these towers gains.
"""

VARIANTS: dict[str, Mapping[str, Json]] = {
    "linear probe, frozen tower": {"epochs": 0},
    "mlp head, frozen tower": {"epochs": 0, "head": "mlp"},
    "fine-tuning": {},
    "without EMA and layer decay": {"ema": 0.0, "layer_decay": 1.0},
    "without EMA": {"ema": 0.0},
    "without layer decay": {"layer_decay": 1.0},
    "wise_ft [0.5]": {"wise_ft": [0.5]},
    "validation 0.1": {"validation": 0.1},
    "validation 0.1, wise_ft [0.3, 0.5, 0.7]": {"validation": 0.1, "wise_ft": [0.3, 0.5, 0.7]},
    "mlp head": {"head": "mlp"},
    "loss angular": {"loss": "angular"},
    "loss vocabulary": {"loss": "vocabulary"},
    "loss cosine + contrastive": {"loss": ["cosine", {"name": "contrastive", "weight": 0.2}]},
    "freeze 1": {"freeze": 1},
    "decay_to_start 0.1": {"decay_to_start": 0.1, "weight_decay": 0.0},
    "schedule linear": {"schedule": "linear"},
    "accumulate 2": {"accumulate": 2},
    "without augmentation": {"augment": []},
    "augment [crop, erase, colour]": {"augment": ["crop", "erase", "colour"]},
    "augment [shift, hflip]": {"augment": ["shift", "hflip"]},
}


@dataclass(frozen=True, slots=True)
class Line:
    """What one variant came to.

    Attributes:
        name: Of the variant.
        cosines: Of each test image.
        minutes: That fitting and predicting took.
    """

    name: str
    cosines: DoubleArray
    minutes: float


def main() -> None:
    """Fit every variant and print, or write, the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiment", type=Path, default=QUICKSTART)
    parser.add_argument("--member", default="clip-l16-384")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=C", dest="own")
    parser.add_argument("--only", action="append", default=[], help="a variant; repeatable")
    parser.add_argument("--write", action="store_true", help=f"into {GUIDE.relative_to(ROOT)}")
    arguments = parser.parse_args()
    own = arguments.experiment != QUICKSTART
    arguments.overrides = (*(() if own else LARGER), *arguments.own)
    registry = Registry()
    experiment = load_experiment(arguments.experiment, registry, arguments.overrides)
    context = make_context(registry, experiment.config.runtime)
    data = open_dataset(experiment, context, Timings())
    lines = [
        _fitted(arguments, context, data, name)
        for name in VARIANTS
        if not arguments.only or name in arguments.only
    ]
    text = table(lines, data, context, arguments.member)
    print(text)
    if arguments.write:
        guide = GUIDE.read_text(encoding="utf-8")
        before, rest = guide.split(BEGIN)
        write_text(GUIDE, f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END)[1]}")


def _fitted(
    arguments: argparse.Namespace, context: Context, data: DatasetSplits, name: str
) -> Line:
    """One variant's cosines on test, fitted anew whatever the cache holds."""
    member = arguments.member
    training = json.dumps(COMMON | dict(VARIANTS[name]))
    own = f"ensemble.members.{member}.options.training={training}"
    overrides = (*arguments.overrides, own)
    experiment = load_experiment(arguments.experiment, context.registry, overrides)
    (line,) = [line for line in experiment.ensemble.members if line.name == member]
    started = time.monotonic()
    with TemporaryDirectory() as runs:
        view = RunView(experiment.config.name, Path(runs), experiment.plain())
        fresh = replace(context, cache=Cache(Path(runs) / "cache"))
        run = RunContext(experiment, data, fresh, Timings(), view, None, Path(runs))
        batch = predict_member(run, line, ("test",)).batches["test"]
    ids = data.splits.ids["test"]
    cosines = cosine(batch.embeddings.align(ids).rows, data.targets.select(ids).rows)
    minutes = (time.monotonic() - started) / 60
    print(f"{name}: {cosines.mean():.4f} in {minutes:.1f} minutes", flush=True)
    return Line(name, cosines, minutes)


def table(lines: Sequence[Line], data: DatasetSplits, context: Context, member: str) -> str:
    """The table as Markdown."""
    from unprompt._scoring.intervals import Intervals

    ids = data.splits.ids["test"]
    intervals = Intervals([data.splits.groups[name] for name in ids])
    targets = data.targets.select(ids)
    floor = floor_cosines(data.targets.select(data.splits.ids["train"]), targets).mean()
    wordings = data.dataset.wordings(ids, 8)
    encoder = data.text_encoder.fastest()
    oracle = estimate_oracle(wordings, targets, encoder).cosines.mean() if wordings else None
    known = {line.name: line.cosines for line in lines}
    probe, common = (known.get(name) for name in ("linear probe, frozen tower", "fine-tuning"))
    header = "| | test | 95 % interval | minus probe | minus fine-tuning | gap closed | minutes |"
    rows = [header, "|---|---|---|---|---|---|---|"]
    for line in lines:
        score = intervals.mean_cosine(line.cosines)
        gap = "" if oracle is None else f"{(score.score - floor) / (oracle - floor):.1%}"
        cells = [
            f"{score.score:.4f}",
            interval(score),
            *(
                ""
                if other is None or other is line.cosines
                else _signed(intervals.mean(line.cosines - other))
                for other in (probe, common)
            ),
            gap,
            f"{line.minutes:.1f}",
        ]
        rows.append(f"| {line.name} | {' | '.join(cells)} |")
    what = (
        f"`{member}` on {len(data.splits.ids['train']):,} train and {len(ids):,} test images, "
        f"common options `{json.dumps(COMMON)}`; device {context.runtime.device}, "
        f"{context.runtime.precision}."
    )
    return f"{what}\n\n" + "\n".join(rows)


def _signed(estimate: Estimate) -> str:
    """A difference with its interval, in bold where that leaves out 0."""
    text = with_interval(estimate)
    return f"**{text}**" if estimate.low > 0 or estimate.high < 0 else text


if __name__ == "__main__":
    main()
