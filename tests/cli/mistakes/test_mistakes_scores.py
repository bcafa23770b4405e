"""Tables of predictions and prompts that do not fit each other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from unprompt._data.predictions import write_predictions

Command = Callable[..., CompletedProcess[str]]
InstallPlugin = Callable[..., Path]

from .conftest import rows_for


def test_score_of_good_tables(unprompt: Command, submission: Path, prompts: Path) -> None:
    done = unprompt("score", submission, prompts)
    assert done.returncode == 0, done.stderr
    value = float(done.stdout.split()[0])
    assert -1 <= value <= 1
    assert done.stdout.endswith("; 3 images in 3 groups)\n")


def test_score_needs_the_same_ids(
    mistake: Callable[..., list[str]], submission: Path, prompts: Path
) -> None:
    prompts.write_text("image_id,prompt\na,a red wall\n")
    assert mistake("score", submission, prompts) == ["prediction without a prompt: 'b', 'c'"]
    prompts.write_text("image_id,prompt\na,a red wall\nb,two boats\nc,a king\nd,a cat\n")
    assert mistake("score", submission, prompts) == ["missing prediction for 'd'"]
    prompts.write_text("image_id,prompt\na,a red wall\n,two boats at night\n")
    assert mistake("score", submission, prompts) == [f"{prompts}: no image id in row '2'"]


def _nan(rows: list[str]) -> list[str]:
    return [*rows[:5], "a_4,nan", *rows[6:]]


def _missing(rows: list[str]) -> list[str]:
    return [row for row in rows if not row.startswith("b_17,")]


def _extra(rows: list[str]) -> list[str]:
    return [*rows, "a_384,0.5"]


def _repeated(rows: list[str]) -> list[str]:
    return [*rows, "b_17,0.5"]


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (_nan, "not finite: 'a_4'"),
        (_missing, "no value for 'b_17'"),
        (_extra, "beyond the 384 dimensions that most images have: 'a_384'"),
        (_repeated, "repeated: 'b_17'"),
    ],
)
def test_score_of_a_damaged_submission(
    damage: Callable[[list[str]], list[str]],
    what: str,
    mistake: Callable[..., list[str]],
    submission: Path,
    prompts: Path,
) -> None:
    submission.write_text("\n".join(damage(submission.read_text().splitlines())) + "\n")
    assert mistake("score", submission, prompts) == [f"{submission}: {what}"]


def test_score_of_another_space(
    mistake: Callable[..., list[str]], submission: Path, prompts: Path
) -> None:
    write_predictions(submission, "kaggle", rows_for("a", "b", "c", dim=12))
    (line,) = mistake("score", submission, prompts)
    assert line == (
        f"{submission}: 12 numbers per image, minilm has 384: name the ensemble that predicted "
        "them (--ensemble)"
    )
