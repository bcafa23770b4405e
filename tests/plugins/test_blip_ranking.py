"""Ranking phrases and writing texts, with small CLIPs of random parameters and three tokenizers."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from unprompt.contracts import Runtime
from unprompt.embeddings import unit
from unprompt.errors import DataError
from unprompt.towers import ClipTowers, FolderSource
from unprompt_blip.chain import TIE, Chain, first_best
from unprompt_blip.modes import Writer, Written
from unprompt_blip.options import InterrogatorOptions
from unprompt_blip.phrases import Phrases
from unprompt_blip.tables import MERGED, read_tables
from unprompt_blip.tokens import Joiner

TOKENIZERS = ("simple", "words", "seamless")
CAPTION = "a small red house beside a lake"
MODES = [
    {"mode": "caption"},
    {"mode": "template"},
    {"mode": "classic"},
    {"mode": "fast", "max_phrases": 3},
    {"mode": "best", "max_phrases": 3, "candidates": 20},
    {"mode": "negative", "max_phrases": 3},
]


def options(**said: Any) -> InterrogatorOptions:
    return InterrogatorOptions.model_validate(said)


def save_tokenizer(folder: Path, *, seamless: bool) -> int:
    """A byte-level BPE as open_clip reads it; `seamless`: its tokens may run across spaces."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from tokenizers.trainers import BpeTrainer

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(
        add_prefix_space=not seamless, use_regex=not seamless
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=700,
        special_tokens=["<pad>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [text for table in read_tables(options()).values() for text in table]
    tokenizer.train_from_iterator([f"{a}, {b}" for a, b in pairwise(texts)], trainer)
    tokenizer.add_special_tokens(["<end>"])
    end = tokenizer.token_to_id("<end>")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <end>", special_tokens=[("<end>", end)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    said = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": "<pad>",
        "eos_token": "<end>",
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(said))
    return int(end) + 1


def save_clip(folder: Path, tokenizer: str, *, seed: int = 0, context: int = 77) -> FolderSource:
    """A CLIP of a few thousand random parameters, as an open_clip folder."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    text: dict[str, Any] = {"width": 32, "heads": 2, "layers": 1, "context_length": context}
    if tokenizer == "simple":
        text["vocab_size"] = 49408
    else:
        text["vocab_size"] = save_tokenizer(folder, seamless=tokenizer == "seamless")
        text["hf_tokenizer_name"] = "small"
    vision = {"image_size": 32, "patch_size": 16, "width": 32, "head_width": 16, "layers": 1}
    config = {
        "model_cfg": {"embed_dim": 24, "vision_cfg": vision, "text_cfg": text},
        "preprocess_cfg": {"size": 32, "interpolation": "bicubic", "resize_mode": "shortest"},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    torch.manual_seed(seed)
    model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    # Random towers say nearly the same of everything; larger embeddings tell texts apart.
    model.token_embedding.weight.data.normal_(std=1.0)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return FolderSource.model_validate({"folder": str(folder)})


@pytest.fixture(scope="module", params=TOKENIZERS)
def towers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ClipTowers:
    config = save_clip(tmp_path_factory.mktemp("clip") / request.param, request.param)
    return ClipTowers(config, Runtime(), "test")


@pytest.fixture(scope="module")
def simple(tmp_path_factory: pytest.TempPathFactory) -> ClipTowers:
    config = save_clip(tmp_path_factory.mktemp("clip") / "one", "simple", seed=1)
    return ClipTowers(config, Runtime(), "test")


@pytest.fixture(scope="module")
def phrases(simple: ClipTowers) -> Phrases:
    return Phrases.of(read_tables(options(mode="negative")), simple, Runtime())


@pytest.fixture(scope="module")
def images(simple: ClipTowers) -> npt.NDArray[np.float32]:
    """Unit rows of five images."""
    return unit(np.random.default_rng(3).normal(size=(5, simple.dim)))


def write(
    simple: ClipTowers,
    phrases: Phrases,
    images: npt.NDArray[np.float32],
    caption: str = CAPTION,
    **said: Any,
) -> list[Written]:
    writer = Writer(options(**said), phrases, simple, Runtime())
    return writer.write(images, [caption] * len(images))


# Ranking


@pytest.mark.parametrize("lowest", [False, True])
@pytest.mark.parametrize("tables", [MERGED, ("flavors",), ("flavors", "negative")])
def test_ranking_is_exact(
    phrases: Phrases, images: npt.NDArray[np.float32], tables: tuple[str, ...], lowest: bool
) -> None:
    found = phrases.top(phrases.cosines(images, "cpu"), tables, 40, lowest=lowest)
    inside = sorted({number for name in tables for number in phrases.tables[name].tolist()})
    cosines = images.astype(np.float64) @ phrases.rows.astype(np.float64).T
    sign = 1 if lowest else -1
    for line, numbers in zip(cosines, found, strict=True):
        assert numbers.tolist() == sorted(inside, key=lambda n: (sign * line[n], n))[:40]


def test_more_than_there_are_and_none_at_all(
    phrases: Phrases, images: npt.NDArray[np.float32]
) -> None:
    cosines = phrases.cosines(images, "cpu")
    count = len(phrases.tables["mediums"])
    found = phrases.top(cosines, ("mediums",), 10_000)
    assert found.shape == (5, count)
    assert all(set(line) == set(phrases.tables["mediums"].tolist()) for line in found)
    assert phrases.top(cosines, ("unknown",), 3).shape == (5, 0)


def test_phrases_with_equal_tokens_are_one(simple: ClipTowers) -> None:
    tables = {"mediums": ["4K", "misty"], "flavors": ["4k ", "Misty", "fog", "fog"]}
    found = Phrases.of(tables, simple, Runtime(batch_size=2))
    assert found.texts == ("4K", "misty", "fog")
    assert {name: numbers.tolist() for name, numbers in found.tables.items()} == {
        "mediums": [0, 1],
        "flavors": [0, 1, 2],
    }


def test_rows_are_the_text_towers(simple: ClipTowers, phrases: Phrases) -> None:
    np.testing.assert_allclose(phrases.rows, simple.texts(phrases.texts), atol=1e-6)


def test_saved_phrases_are_read_back(phrases: Phrases, tmp_path: Path) -> None:
    phrases.save(tmp_path)
    again = Phrases.read(tmp_path)
    assert again.texts == phrases.texts
    np.testing.assert_allclose(again.rows, phrases.rows, atol=1e-7)
    assert all((again.tables[name] == phrases.tables[name]).all() for name in phrases.tables)


def test_many_phrases_are_kept_in_half_the_space(tmp_path: Path) -> None:
    rows = unit(np.random.default_rng(0).normal(size=(20_001, 8)))
    many = Phrases(tuple(map(str, range(len(rows)))), rows, {"flavors": np.arange(len(rows))})
    many.save(tmp_path)
    assert (tmp_path / "phrases.safetensors").stat().st_size < 20_001 * 8 * 3
    np.testing.assert_allclose(Phrases.read(tmp_path).rows, rows, atol=1e-3)


def test_a_broken_artifact_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a table of phrases"):
        Phrases.read(tmp_path)


# Joined tokens


def test_joined_rows_are_those_of_the_joined_text(towers: ClipTowers) -> None:
    joiner = Joiner(towers)
    heads = [CAPTION, "wow!", "50mm f/1.8.", "it's 4k, misty", "café & bar", "x &amp; y", "a " * 20]
    texts = [text for table in read_tables(options()).values() for text in table][::9]
    texts += ["don't", "(masterpiece:1.2)", "& more", "naïve art", "4 k", "!", "<end_of_text>"]
    for head in heads:
        rows, places = joiner.rows(head, texts)
        assert places == [i for i, text in enumerate(texts) if towers.fits(f"{head}, {text}")]
        whole = towers.tokens([f"{head}, {texts[place]}" for place in places])
        assert (rows == whole).all(), head


def test_which_tokenizers_are_joined(towers: ClipTowers, request: pytest.FixtureRequest) -> None:
    kind = request.node.callspec.params["towers"]
    assert Joiner(towers).exact == (kind != "seamless")


def test_what_does_not_fit_is_left_out(towers: ClipTowers) -> None:
    head = ", ".join(["misty"] * 4)
    while towers.fits(f"{head}, misty"):
        head += ", misty"
    long = "lighthouse keepers quarrelling about quite extraordinary xylophones"
    rows, places = Joiner(towers).rows(head, [long, "misty"])
    assert (len(rows), places) == (0, [])


# The chain


def test_the_chain_is_the_greedy_one(towers: ClipTowers, request: pytest.FixtureRequest) -> None:
    texts = list(read_tables(options())["flavors"][::6])
    image = unit(np.random.default_rng(0).normal(size=(1, towers.dim)))[0]
    grown = Chain(towers, 16, 5).grow(CAPTION, texts, image)
    text, left = CAPTION, list(texts)
    reached = float(towers.texts([text])[0] @ image)
    for _ in range(5):
        open_ = [phrase for phrase in left if towers.fits(f"{text}, {phrase}")]
        cosines = towers.texts([f"{text}, {phrase}" for phrase in open_]) @ image
        best = first_best(cosines)
        if cosines[best] <= reached + TIE:
            break
        reached = float(cosines[best])
        text = f"{text}, {open_[best]}"
        left.remove(open_[best])
    assert grown == text
    assert grown.count(",") >= 1


def test_chunks_do_not_matter(simple: ClipTowers, phrases: Phrases) -> None:
    image = unit(np.random.default_rng(7).normal(size=(1, simple.dim)))[0]
    grown = {Chain(simple, chunk, 6).grow(CAPTION, phrases.texts, image) for chunk in (7, 64, 4096)}
    assert len(grown) == 1


def test_the_chain_stops_at_the_limit(tmp_path: Path) -> None:
    towers = ClipTowers(save_clip(tmp_path / "clip", "simple", context=12), Runtime(), "test")
    texts = list(read_tables(options())["flavors"])
    image = unit(np.random.default_rng(1).normal(size=(1, towers.dim)))[0]
    grown = Chain(towers, 64, 32).grow("", texts, image)
    assert towers.fits(grown)
    assert grown.count(",") >= 1


def test_an_empty_chain(simple: ClipTowers) -> None:
    image = unit(np.ones((1, simple.dim)))[0]
    chain = Chain(simple, 8, 4)
    assert chain.grow("", [], image) == ""
    assert chain.grow(CAPTION, [], image) == CAPTION


# Modes


def test_caption_mode(
    simple: ClipTowers, phrases: Phrases, images: npt.NDArray[np.float32]
) -> None:
    for one in write(simple, phrases, images, mode="caption"):
        assert one.text == CAPTION
        assert CAPTION in [piece.text for piece in one.evidence]


def test_template_mode_is_that_of_the_68th_place_solution(
    simple: ClipTowers, phrases: Phrases, images: npt.NDArray[np.float32]
) -> None:
    cosines = images @ phrases.rows.T
    for line, one in zip(cosines, write(simple, phrases, images), strict=True):
        best = {
            name: [phrases.texts[n] for n in sorted(phrases.tables[name], key=lambda n: -line[n])]
            for name in ("mediums", "movements", "flavors")
        }
        words = [CAPTION, best["mediums"][0], best["movements"][0], *best["flavors"][:3]]
        assert one.text == ", ".join(words)
        assert {piece.text for piece in one.evidence} >= set(words)


def test_a_medium_that_the_caption_starts_with_is_left_out(
    simple: ClipTowers, phrases: Phrases, images: npt.NDArray[np.float32]
) -> None:
    (before, *_) = write(simple, phrases, images[:1], template="{caption}, {medium}")
    medium = before.text.removeprefix(f"{CAPTION}, ")
    caption = f"{medium.capitalize()} of a cat"
    (after,) = write(simple, phrases, images[:1], caption, template="{caption}, {medium}")
    assert after.text == caption


def test_fast_mode(simple: ClipTowers, phrases: Phrases, images: npt.NDArray[np.float32]) -> None:
    ranked = phrases.top(phrases.cosines(images, "cpu"), MERGED, 6)
    found = write(simple, phrases, images, mode="fast", max_phrases=6)
    for numbers, one in zip(ranked, found, strict=True):
        assert one.text == ", ".join([CAPTION, *(phrases.texts[n] for n in numbers)])


def test_classic_mode_names_an_artist_and_a_site(
    simple: ClipTowers, phrases: Phrases, images: npt.NDArray[np.float32]
) -> None:
    for one in write(simple, phrases, images, mode="classic", flavors=2):
        caption, medium, trending, _, *flavors = one.text.split(", ")
        assert caption == CAPTION
        assert " by " in medium
        assert trending in {phrases.texts[n] for n in phrases.tables["trendings"]}
        assert len(flavors) == 2


def test_negative_mode_gives_the_lowest(
    simple: ClipTowers, phrases: Phrases, images: npt.NDArray[np.float32]
) -> None:
    inside = [*phrases.tables["flavors"], *phrases.tables["negative"]]
    found = write(simple, phrases, images, "", mode="negative", max_phrases=5)
    for line, one in zip(images @ phrases.rows.T, found, strict=True):
        lowest = sorted(inside, key=lambda n: line[n])[:5]
        assert one.text == ", ".join(phrases.texts[n] for n in lowest)
        others = [line[n] for n in inside if n not in lowest]
        assert max(line[n] for n in lowest) <= min(others)


def test_best_mode_is_at_least_as_near_as_the_others(
    simple: ClipTowers, phrases: Phrases, images: npt.NDArray[np.float32]
) -> None:
    own: dict[str, dict[str, int]] = {
        "best": {"max_phrases": 4, "candidates": 40},
        "fast": {"max_phrases": 4},
        "classic": {},
        "caption": {},
    }
    texts = {
        mode: [one.text for one in write(simple, phrases, images, mode=mode, **said)]
        for mode, said in own.items()
    }
    cosines = {mode: (simple.texts(texts[mode]) * images).sum(axis=1) for mode in texts}
    for mode in ("fast", "classic", "caption"):
        assert (cosines["best"] >= cosines[mode] - 1e-5).all(), mode
    assert texts["best"] != texts["caption"]


@pytest.mark.parametrize("said", MODES, ids=lambda said: str(said["mode"]))
def test_every_mode_does_without_a_caption(
    simple: ClipTowers, phrases: Phrases, images: npt.NDArray[np.float32], said: dict[str, Any]
) -> None:
    for one in write(simple, phrases, images, "", **said):
        assert one.text and not one.text.startswith(",")
        assert one.text.split(", ")[0].strip()


@pytest.mark.parametrize("said", MODES, ids=lambda said: str(said["mode"]))
def test_images_do_not_depend_on_their_batch(
    simple: ClipTowers, phrases: Phrases, images: npt.NDArray[np.float32], said: dict[str, Any]
) -> None:
    together = write(simple, phrases, images, **said)
    alone = [write(simple, phrases, images[i : i + 1], **said)[0] for i in range(5)]
    assert [one.text for one in together] == [one.text for one in alone]


def test_evidence_is_cosines_best_first(
    simple: ClipTowers, phrases: Phrases, images: npt.NDArray[np.float32]
) -> None:
    for image, one in zip(images, write(simple, phrases, images, evidence=7), strict=True):
        assert len(one.evidence) == 7
        assert {piece.kind for piece in one.evidence} == {"phrase"}
        scores = [piece.score for piece in one.evidence]
        assert scores == sorted(scores, reverse=True)
        true = simple.texts([piece.text for piece in one.evidence]) @ image
        np.testing.assert_allclose(scores, true, atol=1e-5)


def test_text_is_cut_at_the_limit_between_phrases(towers: ClipTowers) -> None:
    tables = read_tables(options())
    table = Phrases.of(tables, towers, Runtime())
    images = unit(np.random.default_rng(5).normal(size=(2, towers.dim)))
    for one in write(towers, table, images, mode="fast", max_phrases=60):
        assert towers.fits(one.text)
        written = one.text.removeprefix(f"{CAPTION}, ")
        assert all(part in table.texts for part in written.split(", ") if "," not in part)
        assert not towers.fits(f"{one.text}, {' '.join(['lighthouse'] * 6)}")


def test_a_caption_that_is_too_long_is_cut_at_a_word(towers: ClipTowers) -> None:
    table = Phrases.of({"flavors": ["misty"]}, towers, Runtime())
    image = unit(np.ones((1, towers.dim)))
    caption = " ".join(["lighthouse"] * 100)
    for mode in ("caption", "fast", "best"):
        (one,) = write(towers, table, image, caption, mode=mode)
        assert towers.fits(one.text)
        assert set(one.text.replace(",", "").split()) <= {"lighthouse", "misty"}
        # Mode best goes without a caption that fits the image less than a phrase does.
        assert (mode != "best") < len(one.text.split()) < 100


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
        Runtime(),
    )
    ranked = table.top(table.cosines(image, "cpu"), ("flavors", "mediums"), 3)
    [numbers] = writer._candidates(table.cosines(image, "cpu"), ranked)
    chosen = [table.texts[number] for number in numbers]
    assert len(chosen) == 3
    assert "an oil painting" in chosen
