"""What an interrogation's text is made of: templates, options and tables. No model is loaded."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from unprompt._registry.plugins import Registry
from unprompt.errors import DataError, MissingFileError
from unprompt_blip.options import InterrogatorOptions
from unprompt_blip.sources import NAMES, FolderTables, HubCaptioner, SourceTables
from unprompt_blip.tables import MERGED, read_tables, table_needs
from unprompt_blip.template import CLASSIC, DEFAULT, fields, fit, render

WORDS = {
    "caption": ["a cat on a mat"],
    "medium": ["a watercolor"],
    "movement": ["cubism"],
    "artist": ["by Paul Klee"],
    "trending": ["award winning"],
    "flavors": ["4k", "misty", "gold leaf"],
}


def options(**given: Any) -> InterrogatorOptions:
    return InterrogatorOptions.model_validate(given)


def mistake(**given: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        options(**given)
    return "; ".join(error["msg"] for error in caught.value.errors())


# Templates


def test_the_text_of_the_68th_place_solution() -> None:
    assert ", ".join(render(DEFAULT, WORDS)) == (
        "a cat on a mat, a watercolor, cubism, 4k, misty, gold leaf"
    )


def test_the_classic_text() -> None:
    assert ", ".join(render(CLASSIC, WORDS)) == (
        "a cat on a mat, a watercolor by Paul Klee, award winning, cubism, 4k, misty, gold leaf"
    )


@pytest.mark.parametrize(
    ("empty", "text"),
    [
        (["caption"], "a watercolor by Paul Klee, award winning, cubism, 4k, misty, gold leaf"),
        (["medium"], "a cat on a mat, by Paul Klee, award winning, cubism, 4k, misty, gold leaf"),
        (["medium", "artist", "flavors"], "a cat on a mat, award winning, cubism"),
        (list(WORDS), ""),
    ],
)
def test_what_is_empty_is_left_out_with_its_comma(empty: list[str], text: str) -> None:
    words = {**WORDS, **{name: [] for name in empty}}
    assert ", ".join(render(CLASSIC, words)) == text


def test_words_around_fields_and_literal_braces() -> None:
    template = "{{x}} {caption} in the style of {movement},  {flavors}!, done"
    assert render(template, WORDS) == [
        "{x} a cat on a mat in the style of cubism",
        "4k, misty, gold leaf!",
        "done",
    ]


def test_repeated_phrases_are_written_once() -> None:
    assert render(DEFAULT, {"caption": ["Misty"], "flavors": ["misty", "4k"]}) == ["Misty", "4k"]


def test_fields_in_order() -> None:
    assert fields("{flavors} {caption}, {negative}") == ["flavors", "caption", "negative"]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{caption}, {style}", r"unknown field \{style\}: there are \{caption\}, \{medium\}"),
        ("{caption}, {}", r"unknown field \{\}"),
        ("{caption.upper}", r"unknown field \{caption.upper\}"),
        ("{caption!r}", r"field \{caption\} takes no format"),
        ("{caption:>9}", r"field \{caption\} takes no format"),
        ("{caption", r"not a template: .*literal brace"),
    ],
)
def test_a_wrong_template_says_what_is_wrong(template: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fields(template)


@pytest.mark.parametrize(
    ("limit", "text"),
    [(6, "one two, three, four five six"), (5, "one two, three"), (2, "one two"), (1, "one")],
)
def test_text_is_cut_between_phrases_and_a_first_phrase_at_a_word(limit: int, text: str) -> None:
    def fits(candidate: str) -> bool:
        return len(candidate.split()) <= limit

    assert fit(["one two", "three", "four five six"], fits) == text


def test_one_word_is_always_left() -> None:
    assert fit(["one two"], lambda text: False) == "one"
    assert fit([], lambda text: False) == ""


# Options


def test_the_defaults_are_those_of_the_68th_place_solution() -> None:
    given = options()
    assert given.backbone.describe() == "ViT-H-14 / laion2b_s32b_b79k"
    assert isinstance(given.captioner, HubCaptioner)
    assert given.captioner.describe() == "Salesforce/blip-image-captioning-large"
    assert (given.mode, given.template, given.flavors) == ("template", DEFAULT, 3)


def test_short_forms(tmp_path: Path) -> None:
    given = options(captioner="none", tables=str(tmp_path), use=["flavors"])
    assert given.used_captioner is None
    assert isinstance(given.tables, FolderTables) and given.tables.folder.path == tmp_path
    assert options(captioner="blip-base").captioner == HubCaptioner(model="blip-base")
    assert options(captioner={"beams": 3}).captioner == HubCaptioner(model="blip-large", beams=3)
    assert options(captioner="me/mine").captioner == HubCaptioner(model="me/mine")
    assert HubCaptioner(model="me/mine").describe() == "me/mine"
    assert options(tables="clip-interrogator").tables == SourceTables(source="clip-interrogator")


def test_options_survive_being_written_and_read() -> None:
    given = options(captioner="none", use=["flavors"], views=["identity", "hflip"], mode="fast")
    assert InterrogatorOptions.model_validate(given.model_dump(mode="json")) == given


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"template": "{style}"}, "unknown field {style}"),
        ({"template": "an image"}, "names no field"),
        ({"exclude": ["("]}, "'(' is no regular expression"),
        ({"mode": "caption", "captioner": "none"}, "mode `caption` needs a `captioner`"),
        ({"use": ["negative"]}, "needs another table than `negative`"),
        ({"use": ["mediums"], "mode": "negative"}, "needs `flavors` or `negative` in `use`"),
        (
            {"use": ["flavors"], "template": "{caption}, {artist}"},
            "`template` names {artist}, but `use` leaves out `artists`",
        ),
        ({"captioner": {"min_tokens": 40}}, "`min_tokens` is more than `max_tokens`"),
        ({"captioner": {"model": "x/y", "folder": "z"}}, "either `model` or `folder`"),
    ],
)
def test_mistakes_are_found_at_load(given: dict[str, Any], message: str) -> None:
    assert message in mistake(**given)


def test_a_mistake_in_yaml_is_one_line(tmp_path: Path, unprompt: Callable[..., Any]) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(
        "name: bad\nmembers:\n- plugin: clip-blip\n  options:\n    template: '{caption}, {style}'\n"
    )
    done = unprompt("config", "validate", path)
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert "bad.yaml:5:" in line and "unknown field {style}" in line


@pytest.mark.parametrize(
    ("given", "captions"),
    [
        ({}, True),
        ({"captioner": "none"}, False),
        ({"mode": "negative"}, False),
        ({"template": "{movement}, {flavors}"}, False),
        ({"mode": "fast"}, True),
    ],
)
def test_captions_are_written_only_where_they_are_used(
    given: dict[str, Any], captions: bool
) -> None:
    assert (options(**given).used_captioner is not None) == captions


def test_listing_the_plugin_imports_no_model_library() -> None:
    program = (
        "import sys; from unprompt_blip.blip import unprompt_predictor; unprompt_predictor(); "
        "print({'torch', 'open_clip', 'transformers', 'clip_interrogator'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


def test_the_registry_offers_it() -> None:
    assert any(claim.name == "clip-blip" for claim in Registry().claims)


# Tables


def test_the_own_tables() -> None:
    tables = read_tables(options())
    counts = {name: len(tables[name]) for name in NAMES}
    assert all(len(set(phrases)) == len(phrases) for phrases in tables.values())
    assert counts["mediums"] >= 40 and counts["movements"] >= 60 and counts["flavors"] >= 250
    assert counts["artists"] >= 120 and counts["trendings"] >= 15 and counts["negative"] >= 30
    assert {"by Claude Monet", "inspired by Claude Monet"} <= set(tables["artists"])
    assert table_needs(options()) == []


def test_exclusion_is_by_regular_expression_whatever_the_case() -> None:
    tables = read_tables(options(exclude=[r"\bmonet\b", "^4K$"]))
    phrases = {phrase for name in NAMES for phrase in tables[name]}
    assert not any("Monet" in phrase for phrase in phrases)
    assert "4k" not in phrases and "8k" in phrases


def test_excluding_everything_is_an_error() -> None:
    with pytest.raises(DataError, match="no phrase is left in flavors: see `exclude`"):
        read_tables(options(use=["flavors"], exclude=["."]))


def test_files_of_the_users(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_bytes("\ufeffred  paint\r\n\n blue\n".encode())
    tables = read_tables(options(tables={"mediums": str(tmp_path / "own.txt")}))
    assert tables["mediums"] == ("red paint", "blue")
    assert len(tables["flavors"]) > 200  # the others are still ours


def test_a_folder_gives_the_tables_that_it_has(tmp_path: Path) -> None:
    (tmp_path / "flavors.txt").write_text("misty\n")
    (tmp_path / "artists.txt").write_text("A. Painter\n")
    tables = read_tables(options(tables=str(tmp_path)))
    assert tables["flavors"] == ("misty",)
    assert tables["artists"] == ("by A. Painter", "inspired by A. Painter")
    assert tables["mediums"] == ()


def test_missing_tables_are_named(tmp_path: Path) -> None:
    given = options(tables=str(tmp_path), use=["flavors"])
    assert [need.here for need in table_needs(given)] == [False]
    with pytest.raises(MissingFileError, match=r"no table `flavors`: looked in .*flavors\.txt"):
        read_tables(given)
    with pytest.raises(MissingFileError, match="no table `mediums`"):
        read_tables(options(tables={"mediums": str(tmp_path / "none.txt")}))
    with pytest.raises(MissingFileError, match=r"no table \(one of mediums\.txt, .*: looked in"):
        read_tables(options(tables=str(tmp_path)))


def test_a_binary_file_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"x\.txt: cannot be read: not UTF-8"):
        read_tables(options(tables={"flavors": str(tmp_path / "x.txt")}))


@pytest.mark.skipif(
    importlib.util.find_spec("clip_interrogator") is None,
    reason="clip-interrogator is not installed: pip install 'unprompt[interrogator]'",
)
def test_clip_interrogators_lists() -> None:
    tables = read_tables(options(tables="clip-interrogator"))
    assert {name: len(tables[name]) for name in NAMES} == {
        "mediums": 95,
        "movements": 200,
        "artists": 10_530,
        "flavors": 100_970 - 1,  # one line is empty
        "trendings": 72,
        "negative": 41,
    }
    assert sum(len(tables[name]) for name in MERGED) == 111_867 - 1
    assert "pixiv contest winner" in tables["trendings"]
    assert "clip_interrogator" not in sys.modules


def test_clip_interrogator_missing_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    # As in an environment without the package: its folders are taken off the path.
    spec = importlib.util.find_spec("clip_interrogator")
    if spec and spec.submodule_search_locations:
        home = str(Path(next(iter(spec.submodule_search_locations))).parent)
        monkeypatch.setattr(sys, "path", [path for path in sys.path if path != home])
    with pytest.raises(MissingFileError, match=r'pip install "unprompt\[interrogator\]"'):
        read_tables(options(tables="clip-interrogator"))
