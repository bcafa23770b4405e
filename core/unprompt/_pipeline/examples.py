"""Single images of the test split: a table of all, and the best and worst with their evidence."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageOps

from unprompt._files.writing import write_bytes, write_text
from unprompt._pipeline.evaluation import Evaluation
from unprompt._pipeline.pipeline import Outcome
from unprompt._runs import files
from unprompt._runs.examples import COLUMNS, EXAMPLES, ORIGIN, SUBSET, Example, ExampleEvidence
from unprompt._text.shown import ShownPrompt
from unprompt.contracts import Evidence, Images

SHOWN = 6
"""Best and worst images, so many of each."""
SIDE = 256
"""Of the images that are kept, in pixels."""


def write_examples(folder: Path, outcome: Outcome) -> None:
    """Write the table of test images, the examples, their thumbnails and the contact sheet.

    Args:
        folder: The run's.
        outcome: Predictions and cosines of the test split.
    """
    write_text(folder / files.IMAGES, _table(outcome))
    chosen = choose(outcome)
    ids = outcome.run.data.splits.ids["test"]
    (folder / files.THUMBNAILS).mkdir()
    examples, thumbnails = [], []
    for number, (i, kind) in enumerate(chosen):
        name = f"{files.THUMBNAILS}/{number:02}.jpg"  # ids may hold what no file name can
        thumbnail = _thumbnail(outcome.run.data.images, ids[i])
        thumbnail.save(folder / name, quality=88)
        thumbnails.append(thumbnail)
        examples.append(_example(outcome, i, kind, name))
    _contact_sheet(thumbnails).save(folder / files.CONTACT_SHEET)
    write_bytes(folder / files.EXAMPLES, EXAMPLES.dump_json(tuple(examples), indent=2) + b"\n")


def choose(outcome: Outcome) -> list[tuple[int, Literal["best", "worst"]]]:
    """The best images, best first, then the worst, worst first; none twice.

    They are chosen among those whose prompts were predicted, as far as there are any: it says
    nothing of the ensemble that a prompt which was read is right.

    Returns:
        Each one's place in the test split.
    """
    test = outcome.evaluations["test"]
    order = np.argsort(-test.ensemble, kind="stable").tolist()
    origin = test.origin
    order = [i for i in order if origin[i] == "predicted"] or order
    count = min(SHOWN, (len(order) + 1) // 2)
    worst = order[count:][::-1][:SHOWN]
    return [(i, "best") for i in order[:count]] + [(i, "worst") for i in worst]


def _table(outcome: Outcome) -> str:
    """A row for each test image: prompts, the blend's cosine, group, subset, members' cosines.

    The cell of a member is empty where it has no answer.
    """
    test, data = outcome.evaluations["test"], outcome.run.data
    prompts, blended, origin = data.prompts, outcome.blended["test"], test.origin
    shown = dict(zip(blended.batch.embeddings.ids, blended.shown, strict=True))
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    quoted = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    table.writerow([*COLUMNS, ORIGIN, SUBSET, *test.members])
    subset = {record.image_id: record.subset or "" for record in data.records}
    for i, name in enumerate(data.splits.ids["test"]):
        cosines = [
            "" if cosine is None else f"{cosine:.6f}" for cosine in _by_member(test, i).values()
        ]
        row = [name, prompts[name], *_guess(shown[name]), f"{test.ensemble[i]:.6f}"]
        row += [test.intervals.groups[i], origin[i], subset[name], *cosines]
        # Python quotes a carriage return only from 3.13 on, and readers end a line there.
        (quoted if any("\r" in cell for cell in row) else table).writerow(row)
    return out.getvalue()


def _by_member(test: Evaluation, i: int) -> dict[str, float | None]:
    """Each member's cosine for the ``i``-th image; None where it has no answer."""
    return {
        name: float(values[i]) if name not in test.answered or test.answered[name][i] else None
        for name, values in test.members.items()
    }


def _guess(shown: ShownPrompt | None) -> tuple[str, str, str]:
    """The columns ``predicted``, ``readback`` and ``composed``."""
    if shown is None:
        return "", "", "no"
    return shown.text, f"{shown.readback:.6f}", "yes" if shown.composed else "no"


def _example(outcome: Outcome, i: int, kind: Literal["best", "worst"], image: str) -> Example:
    """The ``i``-th test image with what was predicted of it, and why."""
    data, test, blended = outcome.run.data, outcome.evaluations["test"], outcome.blended["test"]
    image_id = data.splits.ids["test"][i]
    shown = blended.shown[blended.batch.embeddings.ids.index(image_id)]
    weights = zip(outcome.predictions.items(), outcome.result.weights, strict=True)
    evidence: dict[str, tuple[ExampleEvidence, ...]] = {}
    for (name, member), weight in weights:
        if weight > 0:
            batch = member.batches["test"]
            pieces = batch.evidence[batch.embeddings.ids.index(image_id)]
            evidence[name] = tuple(_reason(piece) for piece in pieces)
    return Example(
        image_id=image_id,
        kind=kind,
        image=image,
        prompt=data.prompts[image_id],
        predicted=shown.text if shown else None,
        readback=shown.readback if shown else None,
        composed=shown is not None and shown.composed,
        cosine=float(test.ensemble[i]),
        members=_by_member(test, i),
        origin=test.origin[i],
        evidence=evidence,
    )


def _reason(piece: Evidence) -> ExampleEvidence:
    return ExampleEvidence(text=piece.text, score=piece.score, kind=piece.kind)


def _thumbnail(images: Images, image_id: str) -> Image.Image:
    image = images.open(image_id).convert("RGB")
    image.thumbnail((SIDE, SIDE))
    return image


def _contact_sheet(thumbnails: Sequence[Image.Image]) -> Image.Image:
    """Best above worst, six in a row, on white."""
    rows = -(-len(thumbnails) // SHOWN)
    sheet = Image.new("RGB", (SHOWN * (SIDE + 8) + 8, rows * (SIDE + 8) + 8), "white")
    for i, thumbnail in enumerate(thumbnails):
        tile = ImageOps.pad(thumbnail, (SIDE, SIDE), color="white")
        sheet.paste(tile, (8 + i % SHOWN * (SIDE + 8), 8 + i // SHOWN * (SIDE + 8)))
    return sheet
