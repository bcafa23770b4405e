"""Growing a text phrase by phrase: joined tokens, and the greedy chain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unprompt.embeddings import unit
from unprompt.towers import ClipTowers
from unprompt_blip.chain import TIE, Chain, first_best
from unprompt_blip.options import InterrogatorOptions
from unprompt_blip.phrases import Phrases
from unprompt_blip.tables import read_tables
from unprompt_blip.tokens import Joiner

from .conftest import load_clip
from .small_towers import save_clip

CAPTION = "a small red house beside a lake"


# Joined tokens


def test_joined_rows_are_those_of_the_joined_text(towers: ClipTowers) -> None:
    joiner = Joiner(towers)
    heads = [CAPTION, "wow!", "50mm f/1.8.", "it's 4k, misty", "café & bar", "x &amp; y", "a " * 20]
    texts = [text for table in read_tables(InterrogatorOptions()).values() for text in table][::9]
    texts += ["don't", "(masterpiece:1.2)", "& more", "naïve art", "4 k", "!", "<end_of_text>"]
    for head in heads:
        rows, numbers = joiner.rows(head, texts)
        assert numbers == [i for i, text in enumerate(texts) if towers.fits(f"{head}, {text}")]
        whole = towers.tokens([f"{head}, {texts[number]}" for number in numbers])
        assert (rows == whole).all(), head


def test_which_tokenizers_are_joined(towers: ClipTowers, request: pytest.FixtureRequest) -> None:
    kind = request.node.callspec.params["towers"]
    assert Joiner(towers).exact == (kind != "seamless")


def test_what_does_not_fit_is_left_out(towers: ClipTowers) -> None:
    head = ", ".join(["misty"] * 4)
    while towers.fits(f"{head}, misty"):
        head += ", misty"
    long = "lighthouse keepers quarrelling about quite extraordinary xylophones"
    rows, numbers = Joiner(towers).rows(head, [long, "misty"])
    assert (len(rows), numbers) == (0, [])


# The chain


def test_the_chain_is_the_greedy_one(towers: ClipTowers, request: pytest.FixtureRequest) -> None:
    texts = list(read_tables(InterrogatorOptions())["flavors"][::6])
    images = unit(np.random.default_rng(0).normal(size=(3, towers.dim)))
    starts = [CAPTION, "", CAPTION]
    grown = Chain(towers, 16, 5).grow(starts, [texts, texts[:4], texts], images)
    image = images[2]
    text, remaining = CAPTION, list(texts)
    reached = float(towers.texts([text])[0] @ image)
    for _ in range(5):
        fitting = [phrase for phrase in remaining if towers.fits(f"{text}, {phrase}")]
        cosines = towers.texts([f"{text}, {phrase}" for phrase in fitting]) @ image
        best = first_best(cosines)
        if cosines[best] <= reached + TIE:
            break
        reached = float(cosines[best])
        text = f"{text}, {fitting[best]}"
        remaining.remove(fitting[best])
    assert grown[2] == text
    assert grown[2].count(",") >= 1
    alone = [
        Chain(towers, 16, 5).grow([start], [some], images[i : i + 1])[0]
        for i, (start, some) in enumerate(zip(starts, [texts, texts[:4], texts], strict=True))
    ]
    assert grown == alone


def test_chunks_do_not_matter(simple: ClipTowers, phrases: Phrases) -> None:
    images = unit(np.random.default_rng(7).normal(size=(1, simple.dim)))
    grown = {
        Chain(simple, chunk, 6).grow([CAPTION], [phrases.texts], images)[0]
        for chunk in (7, 64, 4096)
    }
    assert len(grown) == 1


def test_the_chain_stops_at_the_limit(tmp_path: Path) -> None:
    towers = load_clip(save_clip(tmp_path / "clip", context=12))
    texts = list(read_tables(InterrogatorOptions())["flavors"])
    images = unit(np.random.default_rng(1).normal(size=(1, towers.dim)))
    [grown] = Chain(towers, 64, 32).grow([""], [texts], images)
    assert towers.fits(grown)
    assert grown.count(",") >= 1


def test_an_empty_chain(simple: ClipTowers) -> None:
    images = unit(np.ones((2, simple.dim)))
    chain = Chain(simple, 8, 4)
    assert chain.grow(["", CAPTION], [[], []], images) == ["", CAPTION]
    assert chain.nearest([[], [CAPTION]], images) == ["", CAPTION]
