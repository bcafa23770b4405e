"""The tables of phrases are the world's words, and every prompt can be put in them."""

from __future__ import annotations

import runpy
from pathlib import Path

from unprompt_painter.data import FOLDER
from unprompt_painter.words import SETTINGS, STYLES, SUBJECTS
from unprompt_painter.world import World

WRITER = Path(__file__).parents[2] / "experiments" / "painter" / "phrases.py"
TABLES = {
    path.stem: path.read_text(encoding="utf-8").splitlines()
    for path in (FOLDER.parent / "phrases").iterdir()
}


def test_the_files_are_what_the_vocabulary_says() -> None:
    assert runpy.run_path(str(WRITER))["tables"]() == TABLES


def test_no_phrase_stands_twice_in_a_table() -> None:
    for name, phrases in TABLES.items():
        assert len(set(phrases)) == len(phrases), name


def test_every_place_style_and_subject_of_a_world_has_its_phrase() -> None:
    world = World(11)
    for index in range(60):
        scene = world.scene(index)
        if scene.setting:
            assert set(SETTINGS[scene.setting].phrases) <= set(TABLES["movements"])
        if scene.style:
            assert set(STYLES[scene.style].phrases) <= set(TABLES["mediums"])
        for actor in scene.subjects:
            singular, _ = SUBJECTS[actor.key].nouns[0]
            assert any(phrase.endswith(f" {singular}") for phrase in TABLES["flavors"])
