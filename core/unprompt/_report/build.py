"""``report.html``: one file that needs nothing else, made from a run's folder alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unprompt._files.writing import write_text
from unprompt._report import numbers
from unprompt._report.agreement import agreement
from unprompt._report.cases import sheets
from unprompt._report.flow import describe, flows
from unprompt._report.headline import headline
from unprompt._report.pictures import histogram
from unprompt._report.record import ablations, record, stages
from unprompt._report.search import search
from unprompt._report.source import Run, read_run
from unprompt._report.table import table
from unprompt._report.weights import weights

if TYPE_CHECKING:
    from jinja2 import Environment

REPORT = "report.html"

SECTIONS = {
    "pipeline": "The pipeline",
    "scores": "Scores",
    "weights": "Weights",
    "search": "Search",
    "pictures": "Test pictures",
    "agreement": "Agreement",
    "cases": "Contact sheet",
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
        DataError: It is none, or a file of it is broken.
    """
    run = read_run(folder)
    content = _content(run)
    present = {name: title for name, title in SECTIONS.items() if content[name]}
    page = (
        environment()
        .get_template("report.html")
        .render(
            run=run, headline=headline(run), sections=present, absent=_absent(content), **content
        )
    )
    # JSON can hold halves of characters, which are no text that a file could hold.
    return page.encode("utf-8", "replace").decode("utf-8")


def write_report(folder: Path) -> Path:
    """Write ``report.html`` into a run's folder, over an old one, all or nothing.

    Returns:
        The file.

    Raises:
        DataError: As in `build_report`; an old file stays as it is.
        OutputError: The file cannot be written.
    """
    page = build_report(folder)
    write_text(folder / REPORT, page)
    return folder / REPORT


def environment() -> Environment:
    """Templates that escape everything, and fail on a name that is not there."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("unprompt._report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    writers = (numbers.fixed, numbers.signed, numbers.percent, numbers.count, numbers.duration)
    made.filters |= {write.__name__: write for write in (*writers, numbers.interval)}
    made.globals["plural"] = numbers.plural
    return made


def _content(run: Run) -> Mapping[str, Any]:
    """What each section shows; None or empty where it is left out."""
    return {
        "pipeline": {"flows": flows(run), "words": describe(run)},
        "scores": table(run),
        "weights": weights(run),
        "search": search(run),
        "pictures": histogram(run),
        "agreement": agreement(run),
        "cases": sheets(run),
        "stages": stages(run),
        "ablations": ablations(run),
        "record": record(run),
    }


def _absent(content: Mapping[str, Any]) -> list[str]:
    """What this run does not hold, in words, so that nobody looks for it."""
    members, found = content["weights"], content["search"]
    lacking = {
        "weights": not members,
        "leave-one-out gains": not (members and members.gains),
        "an optimisation history": not (found and found.history),
        "parameter importances": not (found and found.importances),
        "the test pictures' cosines": content["pictures"] is None,
        "predictions of two members to compare": content["agreement"] is None,
        "a contact sheet": not content["cases"],
        "times of its stages": content["stages"] is None,
        "an oracle": not any(row.role == "oracle" for row in content["scores"].frame),
        "ablations": not content["ablations"],
    }
    return [what for what, missing in lacking.items() if missing]
