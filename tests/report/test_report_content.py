"""The report says what the run found out, number by number."""

from __future__ import annotations

import base64
import csv
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from unprompt._data.predictions import read_predictions
from unprompt._report.build import SECTIONS, build_report, write_report
from unprompt.testing import HashedWords
from unprompt.types import DoubleArray

if TYPE_CHECKING:
    from tests.conftest import EditJson, MakeRun
    from tests.report.conftest import ReadPage

MEMBERS = ("member-0", "member-1", "member-2")


def scores_of(folder: Path) -> dict[str, Any]:
    scores: dict[str, Any] = json.loads((folder / "scores.json").read_text())
    return scores


def cosines_of(folder: Path, name: str) -> DoubleArray:
    """Each test image's cosine, by arithmetic on predictions and prompts."""
    with (folder / "images.csv").open(encoding="utf-8", newline="") as file:
        prompts = {row["image_id"]: row["prompt"] for row in csv.DictReader(file)}
    rows = read_predictions(folder / "predictions" / f"{name}.test.parquet").select(list(prompts))
    targets = HashedWords().encode(list(prompts.values()))
    cosines: DoubleArray = (rows.rows.astype(np.float64) * targets).sum(axis=1)
    return cosines


def ends(entry: dict[str, Any], style: str = ".4f") -> str:
    low, high = entry["ci95"]
    return f"[{low:{style}}, {high:{style}}]"


def test_every_section_is_there_in_its_order(make_run: MakeRun, read_page: ReadPage) -> None:
    page = read_page(make_run(subsets=("even", "odd")))
    assert page.sections() == list(SECTIONS)
    links = [attrs["href"] for attrs in page.all("a")]
    ids = [attrs["id"] for _, attrs in page.tags if attrs.get("id")]
    assert {f"#{name}" for name in SECTIONS} <= set(links)
    inside = {str(link) for link in links if str(link).startswith("#")}
    assert {link.removeprefix("#") for link in inside} <= set(ids)
    assert len(ids) == len(set(ids))
    assert "does not hold" not in page.text


def test_scores_are_mean_cosines(make_run: MakeRun, read_page: ReadPage) -> None:
    folder = make_run()
    table, scores = read_page(folder).table("Every score of the run"), scores_of(folder)
    labels = {"member-0": "member-0 best member", "ensemble": "searched weights"}
    for name in (*MEMBERS, "ensemble"):
        cells = table[labels.get(name, name)]
        assert cells[1] == f"{cosines_of(folder, name).mean():.4f}"
        test, holdout = (
            scores[split]["ensemble"] if name == "ensemble" else scores[split]["members"][name]
            for split in ("test", "holdout")
        )
        low, high = (100 * end for end in test["gap_closed"]["ci95"])
        gap = f"{100 * test['gap_closed']['score']:.1f} %"
        assert cells[0] == f"{holdout['score']:.4f}"
        assert cells[2:] == [ends(test), gap, f"[{low:.1f}, {high:.1f}] %"]
    for role, label in (("equal", "equal weights"), ("searched", "best trial")):
        test = scores["test"][role]
        assert table[label][1:3] == [f"{test['score']:.4f}", ends(test)]
    for role in ("floor", "oracle"):
        low, high = scores["test"][f"{role}_ci95"]
        values = [f"{scores[split][role]:.4f}" for split in ("holdout", "test")]
        assert table[role] == [*values, f"[{low:.4f}, {high:.4f}]"]
    assert list(table)[1:4] == ["member-0 best member", "member-1", "member-2"]


def test_differences_are_between_the_same_images(make_run: MakeRun, read_page: ReadPage) -> None:
    folder = make_run()
    table = read_page(folder).table("Differences on the same test images")
    lead = (cosines_of(folder, "ensemble") - cosines_of(folder, "member-0")).mean()
    assert lead > 0.01
    paired = scores_of(folder)["test"]["paired"]
    best = paired["ensemble_minus_best_member"]
    assert best["ci95"][0] > 0
    assert table["searched weights - best member"] == [f"{lead:+.4f}", ends(best, "+.4f"), "better"]
    rows = {"equal weights": "equal", "best trial": "best_trial", "floor": "floor"}
    for label, key in rows.items():
        entry = paired[f"ensemble_minus_{key}"]
        cells = [f"{entry['score']:+.4f}", ends(entry, "+.4f")]
        assert table[f"searched weights - {label}"][:2] == cells


def test_the_other_numbers_are_those_of_the_run(make_run: MakeRun, read_page: ReadPage) -> None:
    folder = make_run()
    scores, page = scores_of(folder), read_page(folder)
    weights = page.table("Weights, and what the blend gains")
    for name, contribution in scores["leave_one_out"].items():
        gains = [
            f"{contribution['holdout']['score']:+.4f}",
            f"{contribution['test']['score']:+.4f}",
        ]
        expected = [
            f"{scores['weights'][name]:.3f}",
            *gains,
            ends(contribution["test"], "+.4f"),
            "helps",
        ]
        assert weights[name] == expected
    importances = page.table("How much each parameter tells")
    for name, share in scores["importances"].items():
        assert importances[name] == [f"{share * 100:.1f} %"]
    ablation = scores["ablations"]["per-dimension"]
    versus = ablation["versus"]
    assert page.table("Fitted on the holdout, judged on test")["per-dimension"][:4] == [
        *(f"{ablation['score']:.4f}", ends(ablation)),
        *(f"{versus['score']:+.4f}", ends(versus, "+.4f")),
    ]
    cost = sum(
        sign * (scores[split]["ensemble"]["score"] - scores[split]["equal"]["score"])
        for split, sign in (("holdout", 1), ("test", -1))
    )
    shown = f"{cost:+.4f} {ends(scores['fitting_cost'], '+.4f')}"
    assert f"Choosing the weights cost {shown}: the blend" in page.text
    search = scores["search"]
    assert "30 trials with the sampler random in the study made . Trial" in page.text
    assert f"{max(scores['history']['values']):.4f} on holdout" in page.text
    assert f"changed that by {search['polish']['gain']:+.6f}" in page.text


@pytest.mark.parametrize(
    ("equal", "best", "words"),
    [
        ((0.01, 0.02), (0.03, 0.05), "beat equal weights by 0.0150 [0.0100, 0.0200] and the best"),
        ((0.01, 0.02), (-0.01, 0.02), "beat equal weights by 0.0150 [0.0100, 0.0200], but cannot"),
        ((-0.02, -0.01), (-0.2, -0.1), "are worse than equal weights by 0.0150 [0.0100, 0.0200]"),
        ((-0.01, 0.01), (-0.01, 0.01), "cannot be told apart from equal weights (0.0000 [-0.0100,"),
        ((-0.01, 0.01), (0.03, 0.05), "+0.0100]), but beat the best member, member-0, by 0.0400"),
    ],
)
def test_the_verdict_follows_the_paired_intervals(
    make_run: MakeRun,
    read_page: ReadPage,
    edit_json: EditJson,
    equal: tuple[float, float],
    best: tuple[float, float],
    words: str,
) -> None:
    folder = make_run()
    paired = {
        f"ensemble_minus_{name}": {"score": sum(pair) / 2, "ci95": list(pair)}
        for name, pair in (("equal", equal), ("best_member", best))
    }
    edit_json(folder / "scores.json", lambda scores: scores["test"]["paired"].update(paired))
    text = read_page(folder).text
    assert "On 60 test images the searched weights " in text
    assert words in text


def test_spare_members_are_flagged_in_words(
    make_run: MakeRun, read_page: ReadPage, edit_json: EditJson
) -> None:
    folder = make_run()
    edit_json(
        folder / "scores.json",
        lambda scores: scores["leave_one_out"]["member-2"].update(flagged=True),
    )
    page = read_page(folder)
    assert page.table("Weights")["member-2"][-1] == "no clear gain on the holdout"
    assert page.table("Weights")["member-0"][-1] == "helps"
    assert "The holdout shows no clear gain by member-2." in page.text


def test_agreement_is_the_mean_cosine_of_predictions(
    make_run: MakeRun, read_page: ReadPage
) -> None:
    folder = make_run()
    names = (*MEMBERS, "ensemble")
    rows = [read_predictions(folder / "predictions" / f"{name}.test.parquet") for name in names]
    mean = [[float((a.rows * b.align(a.ids).rows).sum(axis=1).mean()) for b in rows] for a in rows]
    page = read_page(folder)
    table = page.table("Mean cosine between two members")
    for name, expected in zip((*MEMBERS, "blend"), mean, strict=True):
        np.testing.assert_allclose([float(cell) for cell in table[name]], expected, atol=6e-4)
    assert f"member-0 and member-1 agree most ({mean[0][1]:.3f})" in page.text
    assert f"member-1 and member-2 least ({mean[1][2]:.3f})" in page.text


def test_histogram_counts_every_image(make_run: MakeRun) -> None:
    folder = make_run()
    page, cosines = build_report(folder), cosines_of(folder, "ensemble")
    (title,) = re.findall(r'id="spread-title">(.*?)</title>', page, re.DOTALL)
    bins = re.findall(r"([\d.]+) to ([\d.]+): (\d+)", title)
    edges = [float(low) for low, _, _ in bins] + [float(bins[-1][1])]
    assert np.histogram(cosines, edges)[0].tolist() == [int(count) for _, _, count in bins]
    assert sum(int(count) for _, _, count in bins) == 60
    assert page.count('class="bin"') == sum(count != "0" for _, _, count in bins)
    assert f"Half of the images lie above {np.median(cosines):.3f}" in page


def test_history_draws_every_finished_trial(make_run: MakeRun) -> None:
    folder = make_run()
    page = build_report(folder)
    assert len(scores_of(folder)["history"]["values"]) == 30
    assert page.count('class="trial"') + page.count('class="below"') == 30


def test_contact_sheet(make_run: MakeRun, read_page: ReadPage, edit_json: EditJson) -> None:
    folder = make_run()
    edit_json(folder / "examples.json", lambda examples: examples[3].update(predicted=None))
    page = read_page(folder)
    examples = json.loads((folder / "examples.json").read_text())
    images = [str(attrs["src"]) for attrs in page.all("img")]
    cosines = np.sort(cosines_of(folder, "ensemble"))
    shown = [example["cosine"] for example in examples]
    np.testing.assert_allclose(shown, [*cosines[::-1][:6], *cosines[:6]], atol=1e-6)
    for example, image in zip(examples, images, strict=True):
        content = base64.b64decode(image.removeprefix("data:image/jpeg;base64,"))
        assert content == (folder / example["image"]).read_bytes()
        guess = "no readable guess"
        if example["predicted"]:
            composed = ", composed" if example["composed"] else ""
            guess = f"{example['predicted']} readback {example['readback']:.3f}{composed}"
        assert f"True prompt {example['prompt']} Predicted prompt {guess}" in page.text
        assert f"{example['image_id']} {example['cosine']:.3f}" in page.text
        for name, value in example["members"].items():
            assert f"{name} {value:.3f}" in page.text
    near = [piece["text"] for piece in examples[0]["evidence"]["member-0"][:2]]
    assert f"neighbours, share of the sum 0.610 {near[0]} 0.390 {near[1]}" in page.text
    assert "phrases, cosine with the image 0.270 oil painting" in page.text
    assert page.text.index("Predicted best") < page.text.index("Predicted worst")


def test_scores_of_shown_prompts(
    make_run: MakeRun, read_page: ReadPage, edit_json: EditJson
) -> None:
    folder = make_run()
    scores = scores_of(folder)["texts"]
    low, high = scores["readback"]["ci95"]
    readback = f"is {scores['readback']['score']:.4f} [{low:.4f}, {high:.4f}]."
    score = "On 60 test images the predicted prompts, embedded as texts, score"
    for composed, words in {0: "]. Their", 1: "; 1 of them is", 7: "; 7 of them are"}.items():
        scores["composed"] = composed
        edit_json(folder / "scores.json", lambda content: content.update(texts=scores))
        page = read_page(folder).text
        assert readback in page
        assert f"{score} {scores['shown']['score']:.4f} [" in page
        assert words in page
        assert ("composed of parts" in page) == (composed > 0)
    edit_json(folder / "scores.json", lambda content: content.update(texts=None))
    assert "embedded as texts" not in read_page(folder).text


def test_how_to_repeat_it(make_run: MakeRun, read_page: ReadPage, edit_json: EditJson) -> None:
    folder = make_run()

    def edit(manifest: dict[str, Any]) -> None:
        manifest["seconds"] = {"dataset": 0.5, "search": 12.25, "predict member-0": 200.0}
        manifest["seconds"] |= {f"quick {i}": 0.01 for i in range(10)}
        manifest["hardware"]["peak_memory_bytes"] = 3 * 2**29

    edit_json(folder / "manifest.json", edit)
    page = read_page(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert "unprompt run 'my experiment.yaml' --set" in page.text
    assert page.table("Versions")["numpy"] == [np.__version__]
    assert page.table("Plugins")["noisy"] == ["unprompt-noisy 1.0"]
    assert page.table("Hashes")["splits"] == [manifest["splits_hash"]]
    assert page.table("Hashes")["member member-1"] == [manifest["members"]["member-1"]]
    assert page.table("Machine")["peak memory"] == ["1.50 GiB"]
    stages = page.table("Wall-clock time by stage, 3 min 33 s in all")
    assert list(stages.items())[1:4] == [
        ("predict member-0", ["3 min 20 s"]),
        ("search", ["12.2 s"]),
        ("dataset", ["500 ms"]),
    ]
    assert stages["1 other stage"] == ["10 ms"]


def test_the_same_folder_gives_the_same_page(make_run: MakeRun) -> None:
    folder = make_run()
    first = write_report(folder).read_bytes()
    moved = folder.rename(folder.with_name("moved"))
    assert write_report(moved).read_bytes() == first
