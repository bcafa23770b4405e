"""``report.html``: one file that needs nothing else, made from a run's folder alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unprompt._files.paths import user_path
from unprompt._files.writing import write_text
from unprompt._report import numbers
from unprompt._report.agreement import agreement
from unprompt._report.bars import bars, stages
from unprompt._report.calibration import calibration
from unprompt._report.examples import contact_sheet
from unprompt._report.flow import pipeline
from unprompt._report.headline import headline
from unprompt._report.histogram import histogram
from unprompt._report.history import history_chart
from unprompt._report.record import record
from unprompt._report.subsets import subsets
from unprompt._report.table import table
from unprompt._report.training import curves
from unprompt._report.visible import visible
from unprompt._report.weights import weights
from unprompt._runs import files
from unprompt._runs.run import Run, load_run
from unprompt._scoring.estimate import verdict

if TYPE_CHECKING:
    from jinja2 import Environment

SECTIONS = {
    "pipeline": "The pipeline",
    "scores": "Scores",
    "subsets": "Subsets",
    "weights": "Weights",
    "search": "Search",
    "training": "Training",
    "images": "Test images",
    "expected": "Expected scores",
    "agreement": "Agreement",
    "examples": "Contact sheet",
    "stages": "Slowest stages",
    "ablations": "Other ways to blend",
    "record": "How to repeat it",
}
"""Every section under the headline, in the order of the page; what a run lacks is left out."""


def build_report(folder: Path) -> str:
    """A run as one HTML page.

    The same folder gives the same page, whenever and wherever it is built.

    Args:
        folder: A finished run's folder.

    Raises:
        DataError: It is none, or a file of it is missing or broken.
    """
    run = load_run(folder)
    content = _content(run)
    sections = {name: title for name, title in SECTIONS.items() if content[name]}
    template = environment().get_template("report.html")
    page = template.render(
        run=run, headline=headline(run), sections=sections, absent=_absent(run), **content
    )
    return visible(page)  # of the whole page, so that no template can forget it


def write_report(folder: Path) -> Path:
    """Write ``report.html`` into a run's folder, over an old one, all or nothing.

    Returns:
        The file.

    Raises:
        DataError: As in `build_report`; an old file stays as it is.
        OutputError: The file cannot be written.
    """
    folder = user_path(folder)  # as `load_run` takes it
    page = build_report(folder)
    write_text(folder / files.REPORT, page)
    return folder / files.REPORT


def environment() -> Environment:
    """Templates that escape everything, and fail on a name that is not there."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("unprompt._report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    writers = (numbers.fixed, numbers.signed, numbers.percent, numbers.count, numbers.duration)
    others = (numbers.weight, numbers.interval)
    templates.filters |= {write.__name__: write for write in (*writers, *others)}
    templates.globals |= {"plural": numbers.plural, "verdict": verdict}
    return templates


def _content(run: Run) -> Mapping[str, Any]:
    """What each section shows; None or empty where it is left out."""
    scores = run.scores
    return {
        "pipeline": pipeline(run),
        "scores": table(run),
        "subsets": subsets(run),
        "weights": weights(run),
        "search": {
            "history": history_chart(scores.history.values),
            "importances": bars(scores.importances),
        },
        "training": curves(run),
        "images": histogram(run),
        "expected": calibration(run),
        "agreement": agreement(run),
        "examples": contact_sheet(run),
        "stages": stages(run.manifest.seconds),
        "ablations": scores.ablations,
        "record": record(run.manifest),
    }


def _absent(run: Run) -> list[str]:
    """What this run does not hold, in words, so that nobody looks for it."""
    scores = run.scores
    lacking = {
        "leave-one-out gains": not scores.leave_one_out,
        "parameter importances": not scores.importances,
        "predictions of two members to compare": len(scores.members) == 1,
        "expected scores (too few holdout images)": run.expectation is None,
        "an answer for any test image": scores.test.ensemble.answered is not None
        and not scores.test.ensemble.answered.images,
        "an oracle": scores.test.oracle is None,
        "ablations": not scores.ablations,
    }
    return [what for what, missing in lacking.items() if missing]
