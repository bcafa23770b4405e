"""The report says what the run found out, escapes what it quotes, and needs nothing beside it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from unprompt._data.predictions import read_predictions
from unprompt._files.writing import write_json
from unprompt._report.build import SECTIONS, build_report, write_report
from unprompt._report.headline import compared
from unprompt.embeddings import cosine

if TYPE_CHECKING:
    from tests.report.conftest import MakeRun, Page

ReadPage = Callable[[str], "Page"]

NASTY = {
    0: "<script>alert('a')</script> & \"quotes\" <img src=http://evil/x.png onerror=alert(1)>",
    1: "\N{FOX FACE}\N{ZERO WIDTH JOINER}\N{SNOWFLAKE} \u05e9\u05dc\u05d5\u05dd {{ run.name }} {% raw %}",
    2: "w" * 600,
    3: "",
}


def scores_of(folder: Path) -> dict[str, Any]:
    scores: dict[str, Any] = json.loads((folder / "scores.json").read_text())
    return scores


def change(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Edit ``scores.json`` in place; NaN is written as Python does, as a broken tool would."""
    scores = scores_of(folder)
    edit(scores)
    (folder / "scores.json").write_text(json.dumps(scores))


def outside(page: Page) -> list[str]:
    """Every address on the page that is neither a place on it nor data."""
    names = ("src", "href", "xlink:href", "srcset", "action", "data", "poster", "style")
    found = [str(attrs[name]) for _, attrs in page.tags for name in names if attrs.get(name)]
    return [one for one in found if not one.startswith(("#", "data:", "--shade:", "width:"))]


# What it says


def test_every_section_is_there_in_its_order(make_run: MakeRun, read_page: ReadPage) -> None:
    page = read_page(build_report(make_run()))
    assert page.sections() == list(SECTIONS)
    links = [attrs["href"] for attrs in page.all("a")]
    ids = [attrs["id"] for _, attrs in page.tags if attrs.get("id")]
    assert {f"#{name}" for name in SECTIONS} <= set(links)
    assert {str(link).removeprefix("#") for link in links} <= set(ids)
    assert len(ids) == len(set(ids))
    assert "does not hold" not in page.text


def test_numbers_are_those_of_the_scores(make_run: MakeRun, read_page: ReadPage) -> None:
    folder = make_run()
    scores, text = scores_of(folder), read_page(build_report(folder)).text
    test, holdout = scores["test"], scores["holdout"]
    for name in test["members"]:
        self_ = test["members"][name]
        row = f"{holdout['members'][name]['score']:.4f} {self_['score']:.4f} {ends(self_)}"
        assert f"{row} {self_['gap_closed']['score']:.1%}".replace("%", " %") in text
    for role in ("equal", "searched", "ensemble"):
        assert f"{holdout[role]['score']:.4f} {test[role]['score']:.4f} {ends(test[role])}" in text
    for role in ("floor", "oracle"):
        low, high = test[f"{role}_ci95"]
        assert f"{role} {holdout[role]:.4f} {test[role]:.4f} [{low:.4f}, {high:.4f}]" in text
    for key, one in test["paired"].items():
        assert (
            f"{compared(key)} {one['score']:+.4f} {ends(one, '+.4f')}".replace(
                "\N{MINUS SIGN}", "-"
            )
            in text
        )
    for name, one in scores["leave_one_out"].items():
        gains = f"{one['holdout']['score']:+.4f} {one['test']['score']:+.4f}"
        assert f"{name} {one['weight']:.3f} {gains} {ends(one['test'], '+.4f')}" in text
    for name, share in scores["importances"].items():
        assert f"{name} {share * 100:.1f} %" in text
    ablation = scores["ablations"]["per-dimension"]
    versus = ablation["versus"]
    assert (
        f"per-dimension {ablation['score']:.4f} {ends(ablation)} "
        f"{versus['score']:+.4f} {ends(versus, '+.4f')}"
    ) in text
    assert f"minus that on test is {scores['optimism']['score']:+.4f}" in text
    assert f"{scores['search']['best_value']:.4f} on holdout" in text


def ends(entry: dict[str, Any], style: str = ".4f") -> str:
    low, high = entry["ci95"]
    return f"[{low:{style}}, {high:{style}}]"


@pytest.mark.parametrize(
    ("equal", "best", "words"),
    [
        ((0.01, 0.02), (0.03, 0.05), "beat equal weights by 0.0150 [0.0100, 0.0200] and the best"),
        ((0.01, 0.02), (-0.01, 0.02), "beat equal weights by 0.0150 [0.0100, 0.0200], but cannot"),
        ((-0.02, -0.01), (-0.2, -0.1), "are worse than equal weights by 0.0150 [0.0100, 0.0200]"),
        ((-0.01, 0.01), (-0.01, 0.01), "cannot be told apart from equal weights (0.0000 [-0.0100,"),
    ],
)
def test_the_verdict_follows_the_paired_intervals(
    make_run: MakeRun,
    read_page: ReadPage,
    equal: tuple[float, float],
    best: tuple[float, float],
    words: str,
) -> None:
    folder = make_run()
    paired = {
        f"ensemble_minus_{name}": {"score": sum(pair) / 2, "ci95": list(pair)}
        for name, pair in (("equal", equal), ("best_member", best))
    }
    change(folder, lambda scores: scores["test"].update(paired=paired))
    text = read_page(build_report(folder)).text
    assert f"On 60 test pictures the searched weights {words}" in text


def test_spare_members_are_flagged_in_words(make_run: MakeRun, read_page: ReadPage) -> None:
    folder = make_run()
    change(folder, lambda scores: scores["leave_one_out"]["member-2"].update(flagged=True))
    change(folder, lambda scores: scores["leave_one_out"]["member-0"].update(flagged=False))
    page = read_page(build_report(folder))
    assert "removing it does not hurt" in page.text
    assert re.search(r"could do without [^:]*member-2", page.text)
    assert not re.search(r"could do without [^:]*member-0", page.text)


def test_agreement_is_the_mean_cosine_of_predictions(
    make_run: MakeRun, read_page: ReadPage
) -> None:
    folder = make_run()
    page = build_report(folder)
    names = ["member-0", "member-1", "member-2", "ensemble"]
    read = [read_predictions(folder / "predictions" / f"{name}.test.parquet") for name in names]
    mean = [[float(cosine(a.rows, b.rows).mean()) for b in read] for a in read]
    table = page[page.index('class="heat"') : page.index("</table>", page.index('class="heat"'))]
    cells = [float(cell) for cell in re.findall(r">([\d.]+)</td>", table)]
    assert np.allclose(np.reshape(cells, (4, 4)), mean, atol=5e-4)


def test_histogram_counts_every_picture(make_run: MakeRun) -> None:
    page = build_report(make_run(images=60))
    (title,) = re.findall(r'id="spread-title">(.*?)</title>', page, re.DOTALL)
    assert (
        sum(int(count) for count in re.findall(r": (\d+)(?:;|$)", title.partition(": ")[2])) == 60
    )
    assert page.count('class="bin"') == sum(
        count != "0" for count in re.findall(r": (\d+)(?:;|$)", title.partition(": ")[2])
    )


def test_history_draws_every_finished_trial(make_run: MakeRun) -> None:
    folder = make_run()
    values = [one for one in scores_of(folder)["history"]["values"] if one is not None]
    page = build_report(folder)
    assert page.count('class="trial"') + page.count('class="below"') == len(values)
    assert "1 trial without a value is not drawn" in page


def test_contact_sheet(make_run: MakeRun, read_page: ReadPage) -> None:
    folder = make_run()
    page = read_page(build_report(folder))
    cases = json.loads((folder / "cases.json").read_text())
    pictures = [str(attrs["src"]) for attrs in page.all("img")]
    assert len(pictures) == len(cases) == 4
    for case, picture in zip(cases, pictures, strict=True):
        content = base64.b64decode(picture.removeprefix("data:image/jpeg;base64,"))
        assert content == (folder / case["picture"]).read_bytes()
        assert f"True prompt {case['prompt']} Predicted prompt {case['predicted']}" in page.text
        for name, value in case["members"].items():
            assert f"{name} {value:.3f}" in page.text
    assert "neighbours, share of the sum 0.610 a red fox 0.390 a fox at night" in page.text
    assert "phrases, cosine with the picture 0.270 oil painting" in page.text
    assert page.text.index("Predicted best") < page.text.index("Predicted worst")


def test_how_to_repeat_it(make_run: MakeRun, read_page: ReadPage) -> None:
    text = read_page(build_report(make_run())).text
    assert "unprompt run 'my experiment.yaml'" in text
    assert "numpy 2.4.6" in text
    assert f"splits {'5' * 64}" in text
    assert "predict member-0 3 min 20 s search 12.2 s dataset 500 ms" in text
    assert "peak memory 1.50 GiB" in text


def test_a_real_run(small_folder: Path, read_page: ReadPage) -> None:
    page = read_page(build_report(small_folder))
    test = scores_of(small_folder)["test"]
    assert f"score on test {test['ensemble']['score']:.4f} {ends(test['ensemble'])}" in page.text
    assert {"pipeline", "scores", "weights", "agreement", "stages", "record"} <= set(
        page.sections()
    )
    assert page.wrong == page.open == outside(page) == []


# What it needs


def test_nothing_outside_the_file(make_run: MakeRun, read_page: ReadPage) -> None:
    html = build_report(make_run(prompts=NASTY))
    page = read_page(html)
    assert outside(page) == []
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "iframe", "object", "embed", "base", "form", "foreignObject"}
    assert [attrs["href"] for attrs in page.all("link")] == ["data:,"]
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    assert "url(" not in style and "@import" not in style
    policy = next(attrs["content"] for attrs in page.all("meta") if attrs.get("http-equiv"))
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_the_page_is_well_formed(make_run: MakeRun, read_page: ReadPage) -> None:
    page = read_page(build_report(make_run()))
    assert page.wrong == page.open == []
    assert len(page.all("h1")) == 1
    assert len(page.all("table")) == len(page.all("caption"))
    assert all(attrs.get("scope") for attrs in page.all("th"))
    assert all(attrs.get("alt") for attrs in page.all("img"))
    charts = [attrs for attrs in page.all("svg") if attrs.get("role") == "img"]
    titles = {attrs["id"] for attrs in page.all("title") if attrs.get("id")}
    assert {attrs["aria-labelledby"] for attrs in charts} == titles
    assert len(charts) == 5


def test_prompts_are_text(make_run: MakeRun, read_page: ReadPage) -> None:
    folder = make_run(images=4, prompts=NASTY)
    html = build_report(folder)
    page = read_page(html)
    assert "<script>alert(" not in html
    assert "&lt;script&gt;alert(" in html
    for prompt in NASTY.values():
        assert " ".join(prompt.split()) in page.text
    assert page.wrong == page.open == []


def test_names_are_text_too(make_run: MakeRun, read_page: ReadPage) -> None:
    folder = make_run()
    evil = "</title></style><script>x</script>"
    change(folder, lambda scores: scores.update(experiment=evil))
    change(folder, lambda scores: scores["search"].update(sampler=evil, study=evil))
    change(folder, lambda scores: scores.update(importances={evil: 1.0}))
    page = read_page(build_report(folder))
    assert page.all("script") == page.wrong == []
    assert page.text.count(evil) >= 3


def test_half_a_character_does_not_stop_it(make_run: MakeRun) -> None:
    folder = make_run()
    cases = json.loads((folder / "cases.json").read_text())
    cases[0]["prompt"] = "half \ud83e of a fox"
    (folder / "cases.json").write_text(json.dumps(cases))
    assert "half ? of a fox" in write_report(folder).read_text(encoding="utf-8")


def test_passwords_are_not_shown(make_run: MakeRun) -> None:
    page = build_report(make_run())
    assert "postgresql://me:***@host/studies" in page
    assert "secret" not in page


def test_pictures_come_from_the_folder_only(make_run: MakeRun, tmp_path: Path) -> None:
    folder = make_run()
    cases = json.loads((folder / "cases.json").read_text())
    jpeg = (folder / cases[0]["picture"]).read_bytes()
    (tmp_path / "private.jpg").write_bytes(jpeg)
    (folder / "link.jpg").symlink_to(tmp_path / "private.jpg")
    (folder / "picture.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    names = ["../private.jpg", str(tmp_path / "private.jpg"), "link.jpg", "picture.svg"]
    for case, name in zip(cases, names, strict=True):
        case["picture"] = name
    write_json(folder / "cases.json", cases)
    page = build_report(folder)
    assert "<img" not in page
    assert page.count("no picture in the folder") == 4


def test_the_same_folder_gives_the_same_page(make_run: MakeRun) -> None:
    folder = make_run()
    first = write_report(folder).read_bytes()
    moved = folder.rename(folder.with_name("moved"))
    assert write_report(moved).read_bytes() == first
