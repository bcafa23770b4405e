"""The tables of phrases are the world's words, and every prompt can be put in them."""

from __future__ import annotations

from unprompt_painter.phrases import FOLDER, tables
from unprompt_painter.words import SETTINGS, STYLES, SUBJECTS
from unprompt_painter.world import World


def test_the_files_are_what_the_vocabulary_says() -> None:
    written = {
        path.stem: path.read_text(encoding="utf-8").splitlines() for path in FOLDER.iterdir()
    }
    assert written == tables()


def test_no_phrase_stands_twice_in_a_table() -> None:
    for name, phrases in tables().items():
        assert len(set(phrases)) == len(phrases), name


def test_every_place_style_and_subject_of_a_world_has_its_phrase() -> None:
    phrases = tables()
    world = World(11)
    for index in range(60):
        scene = world.scene(index)
        if scene.setting:
            assert set(SETTINGS[scene.setting].phrases) <= set(phrases["movements"])
        if scene.style:
            assert set(STYLES[scene.style].phrases) <= set(phrases["mediums"])
        for actor in scene.subjects:
            singular, _ = SUBJECTS[actor.key].nouns[0]
            assert any(phrase.endswith(f" {singular}") for phrase in phrases["flavors"])
