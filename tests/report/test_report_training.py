"""The learning curve of a member says what its training measured, and nothing that it did not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from unprompt._report.build import build_report

if TYPE_CHECKING:
    from tests.conftest import MakeRun
    from tests.report.conftest import ReadPage

MEMBER = "member-0"


def line(step: int, **values: Any) -> dict[str, Any]:
    return {"step": step, "epoch": step / 10, "seconds": step * 0.5, **values}


def trained(folder: Path, lines: list[dict[str, Any]], *, card: bool = True) -> Path:
    """Replace the training of the run's only member."""
    training = folder / "artifacts" / MEMBER / "training"
    text = "".join(json.dumps(entry) + "\n" for entry in lines)
    (training / "metrics.jsonl").write_text(text)
    if not card:
        (training / "README.md").unlink()
    return folder


def section(folder: Path) -> str:
    """The section's HTML."""
    (html,) = re.findall(r'<section id="training".*?</section>', build_report(folder), re.DOTALL)
    return str(html)


def caption(folder: Path) -> str:
    (text,) = re.findall(r"<figcaption>(.*?)</figcaption>", section(folder), re.DOTALL)
    return " ".join(re.sub("<.*?>", "", text).split()).replace("\N{NO-BREAK SPACE}", " ")


def polylines(folder: Path) -> Iterator[list[tuple[float, float]]]:
    for points in re.findall(r'<polyline class="running" points="(.*?)"', section(folder)):
        yield [(float(x), float(y)) for x, y in (pair.split(",") for pair in points.split())]


def test_a_member_that_was_trained_has_a_curve_and_its_card(
    make_run: MakeRun, read_page: ReadPage
) -> None:
    folder = make_run(members=2)
    page = read_page(folder)
    assert "training" in page.sections()
    for member in ("member-0", "member-1"):
        name = f"artifacts/{member}/training/README.md"
        assert {"href": name} in page.all("a")
        assert (folder / name).is_file()
    # noisy_plugin.py: three epochs of four steps, half a second each; the second scores best.
    words = (
        "12 steps, 3 epochs, 6.0 s. Loss at the end: 0.4000. Validation cosine at the end: 0.6500. "
        "Ring: the best score, 0.7000 at step 8. Dashed: ends of epochs."
    )
    assert page.text.count(words) == 2


def test_points_lie_where_the_values_say(make_run: MakeRun) -> None:
    losses, scores = [4.0, 2.0, 3.0, 1.0], {2: 0.25, 4: 0.75}
    entries = [
        line(step, loss=loss) | ({"validation cosine": scores[step]} if step in scores else {})
        for step, loss in enumerate(losses, start=1)
    ]
    folder = trained(make_run(members=1), entries)
    loss, score = polylines(folder)
    xs, ys = zip(*loss, strict=True)
    assert [x / xs[0] for x in xs] == pytest.approx([1, 2, 3, 4], abs=0.01)
    assert [(ys[0] - y) / (ys[0] - ys[3]) for y in ys] == pytest.approx([0, 2 / 3, 1 / 3, 1], 0.01)
    assert ys[0] < ys[3], "a high loss lies above a low one"
    assert [x for x, _ in score] == [xs[1], xs[3]]
    (ring,) = re.findall(r'class="winner" cx="(.*?)%" cy="(.*?)"', section(folder))
    assert (float(ring[0]), float(ring[1])) == score[1]


def test_what_was_not_measured_is_not_shown(make_run: MakeRun) -> None:
    folder = trained(make_run(members=1), [line(1, loss=0.5), line(2, loss=0.25)], card=False)
    assert len(list(polylines(folder))) == 1
    assert caption(folder) == "2 steps, 0.2 epochs, 1.0 s. Loss at the end: 0.2500."
    assert 'class="winner"' not in section(folder)
    assert "<a " not in section(folder)
    trained(folder, [line(1, **{"validation recall": 0.5}), line(2, images_per_second=81.4)])
    assert caption(folder).startswith(
        "2 steps, 0.2 epochs, 1.0 s, at the end 81 images a second. Validation recall at the end: "
        "0.5000. Ring: the best score, 0.5000 at step 1."
    )


def test_numbers_that_are_not_finite_are_counted(make_run: MakeRun) -> None:
    entries = [line(1, loss=0.5), line(2, loss="NaN"), line(3, loss="Infinity"), line(4, loss=0.4)]
    folder = trained(make_run(members=1), entries)
    (points,) = polylines(folder)
    assert len(points) == 2
    assert "0.4000; 2 values that are no finite numbers are not drawn." in caption(folder)


def test_long_trainings_are_drawn_as_means(make_run: MakeRun) -> None:
    entries = [
        line(step, loss=1.0 + step % 2) | ({} if step % 100 else {"validation cosine": step / 2000})
        for step in range(1, 1001)
    ]
    folder = trained(make_run(members=1), entries)
    loss, score = polylines(folder)
    assert len(loss) == 334
    assert len(score) == 10
    assert "each point of its line is the mean of 3 values" in caption(folder)
    assert section(folder).count('class="epoch"') == 20  # of 100, every fifth


def test_a_loss_that_starts_far_above_leaves_room_for_the_others(make_run: MakeRun) -> None:
    entries = [line(1, loss=900.0), *(line(step, loss=1 - step / 50) for step in range(2, 40))]
    folder = trained(make_run(members=1), entries)
    (points,) = polylines(folder)
    assert points[0][1] == 0.0
    assert max(y for _, y in points) - points[1][1] > 25
    assert "1 point lies above the chart" in caption(folder)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it measured no loss and no score on validation images"),
        ("{}\n", "artifacts/member-0/training/metrics.jsonl:1: step: should be a whole number"),
        (
            '{"step": 1, "epoch": 0, "seconds": 1, "loss": "<b>low"}\n',
            "metrics.jsonl:1: loss: should be a number, NaN, Infinity or -Infinity",
        ),
        (
            '{"step": 1, "epoch": 0, "seconds": 1, "loss": "NaN"}\n',
            "it measured no loss and no score on validation images",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_said_to_be_so(
    make_run: MakeRun, read_page: ReadPage, text: str, words: str
) -> None:
    folder = make_run(members=1)
    (folder / "artifacts" / MEMBER / "training" / "metrics.jsonl").write_text(text)
    (_, said) = read_page(folder).text.split("No learning curve: ")
    assert words in said.partition(" What was trained")[0]
    assert "<polyline" not in section(folder)


def test_without_trained_members_there_is_no_section(
    make_run: MakeRun, read_page: ReadPage
) -> None:
    folder = make_run(members=1)
    (folder / "artifacts" / MEMBER / "training" / "metrics.jsonl").unlink()
    assert "training" not in read_page(folder).sections()
