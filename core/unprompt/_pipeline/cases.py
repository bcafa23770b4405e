"""Single pictures of the test split: a table of all, and the best and worst with their evidence."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from unprompt._files.writing import write_json, write_text
from unprompt._pipeline.pipeline import ENSEMBLE, Outcome
from unprompt.contracts import Batch, Images
from unprompt.types import Json

TABLE, CASES, PICTURES, CONTACT = "pictures.csv", "cases.json", "pictures", "contact.png"
SHOWN = 6
"""Best and worst pictures, so many of each."""
SIDE = 256
"""Of the pictures that are kept, in pixels."""


@dataclass(frozen=True, slots=True)
class Case:
    """One picture to show.

    Attributes:
        image_id: Which.
        kind: ``best`` or ``worst``.
        place: Its place in the test split.
    """

    image_id: str
    kind: str
    place: int


def write_cases(folder: Path, outcome: Outcome) -> None:
    """Write ``pictures.csv``, ``cases.json``, ``pictures/*.jpg`` and ``contact.png``.

    Args:
        folder: The run's.
        outcome: Predictions and cosines of the test split.
    """
    write_text(folder / TABLE, _table(outcome))
    cases = choose(outcome)
    images = outcome.world.images.select([case.image_id for case in cases])
    (folder / PICTURES).mkdir()
    thumbnails = [_thumbnail(images, case.image_id) for case in cases]
    for i, picture in enumerate(thumbnails):
        picture.save(folder / _file(i), quality=88)
    _contact_sheet(thumbnails).save(folder / CONTACT)
    content = [_case(outcome, case, _file(i)) for i, case in enumerate(cases)]
    write_json(folder / CASES, content)


def choose(outcome: Outcome) -> list[Case]:
    """The best pictures, best first, then the worst, worst first; none twice."""
    judged, ids = outcome.judged["test"], outcome.world.splits.ids["test"]
    order = np.argsort(-judged.ensemble, kind="stable").tolist()
    count = min(SHOWN, (len(order) + 1) // 2)
    best, rest = order[:count], order[count:]
    worst = rest[::-1][:SHOWN]
    return [Case(ids[i], "best", i) for i in best] + [Case(ids[i], "worst", i) for i in worst]


def _file(number: int) -> str:
    """Ids may hold anything, also what no file name can."""
    return f"{PICTURES}/{number:02}.jpg"


def _table(outcome: Outcome) -> str:
    """A row for each test picture: prompts, the blend's cosine, its group, members' cosines."""
    judged, ids = outcome.judged["test"], outcome.world.splits.ids["test"]
    prompts, predicted = _prompts(outcome), outcome.predictions["test"][ENSEMBLE]
    texts = dict(zip(predicted.embeddings.ids, predicted.prompts, strict=True))
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["image_id", "prompt", "predicted", "cosine", "group", *judged.members])
    for i, name in enumerate(ids):
        cosines = [f"{values[i]:.6f}" for values in judged.members.values()]
        row = [name, prompts[name], texts[name] or "", f"{judged.ensemble[i]:.6f}"]
        table.writerow([*row, judged.groups[i], *cosines])
    return out.getvalue()


def _prompts(outcome: Outcome) -> dict[str, str]:
    return {record.image_id: record.prompt for record in outcome.world.records}


def _case(outcome: Outcome, case: Case, picture: str) -> dict[str, Json]:
    judged = outcome.judged["test"]
    batches = outcome.predictions["test"]
    used = dict(zip(judged.members, outcome.found.weights, strict=True))
    return {
        "image_id": case.image_id,
        "kind": case.kind,
        "picture": picture,
        "prompt": _prompts(outcome)[case.image_id],
        "predicted": _of(batches[ENSEMBLE], case.image_id).prompts[0],
        "cosine": float(judged.ensemble[case.place]),
        "members": {name: float(values[case.place]) for name, values in judged.members.items()},
        "evidence": {
            name: [
                {"text": piece.text, "weight": piece.weight, "kind": piece.kind}
                for piece in _of(batches[name], case.image_id).evidence[0]
            ]
            for name, weight in used.items()
            if weight > 0
        },
    }


def _of(batch: Batch, image_id: str) -> Batch:
    """One picture of a batch."""
    i = batch.embeddings.ids.index(image_id)
    row = batch.embeddings.select([image_id])
    return Batch(row, (batch.prompts[i],), (batch.evidence[i],))


def _thumbnail(images: Images, image_id: str) -> Image.Image:
    picture = images.open(image_id).convert("RGB")
    picture.thumbnail((SIDE, SIDE))
    return picture


def _contact_sheet(pictures: Sequence[Image.Image]) -> Image.Image:
    """Best above worst, six in a row, on white."""
    rows = -(-len(pictures) // SHOWN)
    sheet = Image.new("RGB", (SHOWN * (SIDE + 8) + 8, rows * (SIDE + 8) + 8), "white")
    for i, picture in enumerate(pictures):
        tile = ImageOps.pad(picture, (SIDE, SIDE), color="white")
        sheet.paste(tile, (8 + i % SHOWN * (SIDE + 8), 8 + i // SHOWN * (SIDE + 8)))
    return sheet
