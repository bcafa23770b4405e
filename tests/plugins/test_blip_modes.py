"""Texts and their evidence in every mode, from captions and cosines of small towers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from unprompt.contracts import Runtime
from unprompt.embeddings import unit
from unprompt.towers import ClipTowers
from unprompt.types import FloatArray
from unprompt_blip.modes import Writer, Written
from unprompt_blip.options import InterrogatorOptions
from unprompt_blip.phrases import Phrases
from unprompt_blip.tables import MERGED, read_tables

CAPTION = "a small red house beside a lake"
MODES = [
    {"mode": "caption"},
    {"mode": "template"},
    {"mode": "classic"},
    {"mode": "fast", "max_phrases": 3},
    {"mode": "best", "max_phrases": 3, "candidates": 20},
    {"mode": "negative", "max_phrases": 3},
]


def options(**given: Any) -> InterrogatorOptions:
    return InterrogatorOptions.model_validate(given)


def write(
    simple: ClipTowers,
    phrases: Phrases,
    image_rows: FloatArray,
    caption: str = CAPTION,
    **given: Any,
) -> list[Written]:
    writer = Writer(options(**given), phrases, simple, "cpu")
    return writer.write(image_rows, [caption] * len(image_rows))


def test_caption_mode(simple: ClipTowers, phrases: Phrases, image_rows: FloatArray) -> None:
    for written in write(simple, phrases, image_rows, mode="caption"):
        assert written.text == CAPTION
        assert CAPTION in [piece.text for piece in written.evidence]


def test_template_mode_is_that_of_the_68th_place_solution(
    simple: ClipTowers, phrases: Phrases, image_rows: FloatArray
) -> None:
    cosines = image_rows @ phrases.rows.T
    for line, written in zip(cosines, write(simple, phrases, image_rows), strict=True):
        best = {
            name: [phrases.texts[n] for n in sorted(phrases.tables[name], key=lambda n: -line[n])]
            for name in ("mediums", "movements", "flavors")
        }
        words = [CAPTION, best["mediums"][0], best["movements"][0], *best["flavors"][:3]]
        assert written.text == ", ".join(words)
        assert {piece.text for piece in written.evidence} >= set(words)


def test_a_medium_that_the_caption_starts_with_is_left_out(
    simple: ClipTowers, phrases: Phrases, image_rows: FloatArray
) -> None:
    (before, *_) = write(simple, phrases, image_rows[:1], template="{caption}, {medium}")
    medium = before.text.removeprefix(f"{CAPTION}, ")
    caption = f"{medium.capitalize()} of a cat"
    (after,) = write(simple, phrases, image_rows[:1], caption, template="{caption}, {medium}")
    assert after.text == caption


def test_fast_mode(simple: ClipTowers, phrases: Phrases, image_rows: FloatArray) -> None:
    ranked = phrases.top(phrases.cosines(image_rows, "cpu"), MERGED, 6)
    texts = write(simple, phrases, image_rows, mode="fast", max_phrases=6)
    for numbers, written in zip(ranked, texts, strict=True):
        assert written.text == ", ".join([CAPTION, *(phrases.texts[n] for n in numbers)])


def test_classic_mode_names_an_artist_and_a_site(
    simple: ClipTowers, phrases: Phrases, image_rows: FloatArray
) -> None:
    for written in write(simple, phrases, image_rows, mode="classic", flavors=2):
        caption, medium, trending, _, *flavors = written.text.split(", ")
        assert caption == CAPTION
        assert " by " in medium
        assert trending in {phrases.texts[n] for n in phrases.tables["trendings"]}
        assert len(flavors) == 2


def test_negative_mode_gives_the_lowest(
    simple: ClipTowers, phrases: Phrases, image_rows: FloatArray
) -> None:
    inside = [*phrases.tables["flavors"], *phrases.tables["negative"]]
    texts = write(simple, phrases, image_rows, "", mode="negative", max_phrases=5)
    for line, written in zip(image_rows @ phrases.rows.T, texts, strict=True):
        lowest = sorted(inside, key=lambda n: line[n])[:5]
        assert written.text == ", ".join(phrases.texts[n] for n in lowest)
        others = [line[n] for n in inside if n not in lowest]
        assert max(line[n] for n in lowest) <= min(others)


def test_best_mode_is_at_least_as_near_as_the_others(
    simple: ClipTowers, phrases: Phrases, image_rows: FloatArray
) -> None:
    numbers: dict[str, dict[str, Any]] = {
        "best": {"max_phrases": 4, "candidates": 40},
        "fast": {"max_phrases": 4},
        "classic": {},
        "caption": {},
    }
    texts = {
        mode: [written.text for written in write(simple, phrases, image_rows, mode=mode, **given)]
        for mode, given in numbers.items()
    }
    cosines = {mode: (simple.texts(texts[mode]) * image_rows).sum(axis=1) for mode in texts}
    for mode in ("fast", "classic", "caption"):
        assert (cosines["best"] >= cosines[mode] - 1e-5).all(), mode
    assert texts["best"] != texts["caption"]


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: str(mode["mode"]))
def test_every_mode_does_without_a_caption(
    simple: ClipTowers, phrases: Phrases, image_rows: FloatArray, mode: dict[str, Any]
) -> None:
    for written in write(simple, phrases, image_rows, "", **mode):
        assert written.text and not written.text.startswith(",")
        assert written.text.split(", ")[0].strip()


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: str(mode["mode"]))
def test_images_do_not_depend_on_their_batch(
    simple: ClipTowers, phrases: Phrases, image_rows: FloatArray, mode: dict[str, Any]
) -> None:
    together = write(simple, phrases, image_rows, **mode)
    alone = [write(simple, phrases, image_rows[i : i + 1], **mode)[0] for i in range(5)]
    assert [written.text for written in together] == [written.text for written in alone]


def test_evidence_is_cosines_best_first(
    simple: ClipTowers, phrases: Phrases, image_rows: FloatArray
) -> None:
    for image, written in zip(
        image_rows, write(simple, phrases, image_rows, evidence=7), strict=True
    ):
        assert len(written.evidence) == 7
        assert {piece.kind for piece in written.evidence} == {"phrase"}
        scores = [piece.score for piece in written.evidence]
        assert scores == sorted(scores, reverse=True)
        true = simple.texts([piece.text for piece in written.evidence]) @ image
        np.testing.assert_allclose(scores, true, atol=1e-5)


def test_text_is_cut_at_the_limit_between_phrases(towers: ClipTowers) -> None:
    tables = read_tables(options())
    table = Phrases.of(tables, towers, Runtime())
    image_rows = unit(np.random.default_rng(5).normal(size=(2, towers.dim)))
    for written in write(towers, table, image_rows, mode="fast", max_phrases=60):
        assert towers.fits(written.text)
        appended = written.text.removeprefix(f"{CAPTION}, ")
        assert all(part in table.texts for part in appended.split(", ") if "," not in part)
        assert not towers.fits(f"{written.text}, {' '.join(['lighthouse'] * 6)}")


def test_a_caption_that_is_too_long_is_cut_at_a_word(towers: ClipTowers) -> None:
    table = Phrases.of({"flavors": ["misty"]}, towers, Runtime())
    image = unit(np.ones((1, towers.dim)))
    caption = " ".join(["lighthouse"] * 100)
    for mode in ("caption", "fast", "best"):
        (written,) = write(towers, table, image, caption, mode=mode)
        assert towers.fits(written.text)
        assert set(written.text.replace(",", "").split()) <= {"lighthouse", "misty"}
        # Mode best goes without a caption that fits the image less than a phrase does.
        assert (mode != "best") < len(written.text.split()) < 100


def test_the_best_text_has_candidates_of_every_table(towers: ClipTowers) -> None:
    rng = np.random.default_rng(8)
    tables = {
        "flavors": tuple(f"a lighthouse {word}" for word in ("one", "two", "red", "blue", "old")),
        "mediums": ("an oil painting",),
    }
    table = Phrases.of(tables, towers, Runtime())
    image = unit(table.rows[:1] + 0.05 * rng.normal(size=(1, towers.dim)).astype(np.float32))
    writer = Writer(
        options(mode="best", captioner="none", candidates=3, max_phrases=3),
        table,
        towers,
        "cpu",
    )
    ranked = table.top(table.cosines(image, "cpu"), ("flavors", "mediums"), 3)
    [numbers] = writer._candidates(table.cosines(image, "cpu"), ranked)
    chosen = [table.texts[number] for number in numbers]
    assert len(chosen) == 3
    assert "an oil painting" in chosen
