"""The report's section on subsets that a dataset names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from unprompt._report.build import build_report
from unprompt._report.subsets import SHOWN

if TYPE_CHECKING:
    from tests.conftest import EditJson, MakeRun
    from tests.report.conftest import ReadPage

HALVES = ("even", "odd")


def ends(entry: dict[str, Any], style: str = ".4f") -> str:
    low, high = entry["ci95"]
    return f"[{low:{style}}, {high:{style}}]"


@pytest.mark.parametrize("name", HALVES)
def test_a_subset_has_every_score_and_difference(
    make_run: MakeRun, read_page: ReadPage, name: str
) -> None:
    folder = make_run(subsets=HALVES)
    scores = json.loads((folder / "scores.json").read_text())
    test, holdout = (scores[split]["subsets"][name] for split in ("test", "holdout"))
    page = read_page(folder)
    blend = test["ensemble"]
    low, high = (100 * end for end in blend["gap_closed"]["ci95"])
    gap = [f"{100 * blend['gap_closed']['score']:.1f} %", f"[{low:.1f}, {high:.1f}] %"]
    best = test["best_member"]
    assert page.table("The blend on each subset")[name] == [
        *("30", "15", best, f"{test['members'][best]['score']:.4f}"),
        *(f"{blend['score']:.4f}", ends(blend), *gap),
    ]
    table = page.table(f"Every score on the subset {name}")
    assert table["searched weights"] == [
        *(f"{holdout['ensemble']['score']:.4f}", f"{blend['score']:.4f}", ends(blend), *gap)
    ]
    assert table[f"{best} best member"][1] == f"{test['members'][best]['score']:.4f}"
    assert table["floor"][:2] == [f"{holdout['floor']:.4f}", f"{test['floor']:.4f}"]
    differences = page.table(f"Differences on the subset {name}, 15 groups")
    lead = test["paired"]["ensemble_minus_best_member"]
    assert differences["searched weights - best member"] == [
        *(f"{lead['score']:+.4f}", ends(lead, "+.4f"), "better")
    ]
    for member, contribution in scores["leave_one_out"].items():
        gain = contribution["subsets"][name]
        assert differences[f"searched weights - best blend without {member}"][:2] == [
            *(f"{gain['score']:+.4f}", ends(gain, "+.4f"))
        ]


def test_a_run_without_subsets_has_no_section(make_run: MakeRun, read_page: ReadPage) -> None:
    page = read_page(make_run())
    assert "subsets" not in page.sections()
    assert "ubset" not in page.text


def test_some_images_are_in_none(make_run: MakeRun, read_page: ReadPage) -> None:
    page = read_page(make_run(subsets=("named", "")))
    assert "30 of 60 test images are in one" in page.text
    assert [*page.table("The blend on each subset")][1:] == ["named"]


def test_many_small_subsets(make_run: MakeRun, read_page: ReadPage) -> None:
    """12 of 2 or 3 groups: all have a line, some have tables, and the smallest no interval."""
    names = [f"s{i:02}" for i in range(12)]
    page = read_page(make_run(subsets=names))
    assert page.wrong == page.open == []
    assert [*page.table("The blend on each subset")][1:] == names
    assert page.text.count("Every score on the subset") == SHOWN
    assert "Every score of the other subsets is in scores.json" in page.text
    dash = "\N{EN DASH}"
    assert page.table("The blend on each subset")["s11"][5] == dash
    cells = page.table("Differences on the subset s07, 2 groups")["searched weights - floor"]
    assert cells[1:] == [dash, "too few groups to tell"]


def test_a_subset_that_the_holdout_has_no_image_of(
    make_run: MakeRun, read_page: ReadPage, edit_json: EditJson
) -> None:
    folder = make_run(subsets=HALVES)
    whole = read_page(folder).table("Every score on the subset even")["searched weights"]
    edit_json(folder / "scores.json", lambda scores: scores["holdout"]["subsets"].pop("even"))
    page = read_page(folder)
    assert page.table("Every score on the subset even")["searched weights"] == whole[1:]


def test_a_name_is_no_markup(make_run: MakeRun) -> None:
    page = build_report(make_run(subsets=("<b>bold</b>", "")))
    assert "<b>" not in page
    assert page.count("&lt;b&gt;bold&lt;/b&gt;") >= 4
