"""The words and the numbering of the embedded world."""

from __future__ import annotations

import hashlib
import os
import runpy
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from unprompt_painter import words
from unprompt_painter.data import FOLDER
from unprompt_painter.grammar import fill_form, word_parts
from unprompt_painter.scene import Actor, Scene, fill, is_monochrome, painted, sample_scene, seen
from unprompt_painter.words import FORMS, SUBJECTS
from unprompt_painter.world import World

PLUGINS = Path(sys.modules["unprompt_painter"].__file__ or "").parents[1]
CONTACT = Path(__file__).parents[2] / "experiments" / "painter" / "contact.py"


def test_vocabulary_is_as_large_as_promised() -> None:
    assert len(SUBJECTS) >= 44
    assert len(words.COLOURS) >= 14
    assert len(words.SETTINGS) >= 14
    assert len(words.STYLES) >= 12
    assert len(words.MODIFIERS) >= 24
    assert len(FORMS) >= 6


def _wordings() -> Iterator[tuple[str, str]]:
    for key, subject in SUBJECTS.items():
        yield from ((f"subject {key}", noun) for pair in subject.nouns for noun in set(pair))
    for key, tint in words.COLOURS.items():
        yield from ((f"colour {key}", word) for word in tint.words)
    tables = (words.RELATIONS, words.SETTINGS, words.STYLES, words.WEATHER, words.LIGHTS)
    for table in tables:
        for key, term in table.items():
            yield from ((f"term {key}", text) for text in {*term.phrases, *term.tags} if text)
    yield from (("modifier", text) for text in words.MODIFIERS)


def test_no_wording_means_two_things() -> None:
    counts = Counter(text for _, text in _wordings())
    assert [text for text, count in counts.items() if count > 1] == []


def test_every_subject_has_a_drawing_and_a_colour_of_the_table() -> None:
    assert {path.stem for path in (FOLDER / "figures").iterdir()} == set(SUBJECTS)
    assert {subject.colour for subject in SUBJECTS.values()} <= set(words.COLOURS)


def test_prompts_are_as_long_as_short_image_prompts() -> None:
    lengths = sorted(len(World(1).prompt(index).split()) for index in range(1000))
    assert lengths[100] >= 7
    assert lengths[900] <= 22


def test_modifiers_occur_about_seven_times_in_ten_prompts() -> None:
    prompts = [World(2).prompt(index) for index in range(2000)]
    modifiers = sum(part in words.MODIFIERS for text in prompts for part in text.split(", "))
    assert modifiers / len(prompts) == pytest.approx(0.7, abs=0.06)


def test_calls_do_not_depend_on_each_other() -> None:
    forwards = [(World(3).prompt(i), World(3).image(i).tobytes()) for i in range(6)]
    world = World(3)
    backwards = [(world.prompt(i), world.image(i).tobytes()) for i in reversed(range(6))]
    assert forwards == backwards[::-1]
    assert World(4).prompt(0) != World(3).prompt(0)


DIGEST = """
import hashlib
from unprompt_painter.world import World
world = World(5)
digest = hashlib.sha256()
for index in range(8):
    digest.update(repr((world.prompt(index), world.wordings(index, 4))).encode())
    digest.update(world.image(index).tobytes())
"""


@pytest.mark.parametrize("hash_seed", ["0", "12345"])
def test_another_process_makes_the_same_world(hash_seed: str) -> None:
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(PLUGINS)}
    code = DIGEST + "import sys; sys.stdout.write(digest.hexdigest())"
    other = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout
    world = World(5)
    digest = hashlib.sha256()
    for index in range(8):
        digest.update(repr((world.prompt(index), world.wordings(index, 4))).encode())
        digest.update(world.image(index).tobytes())
    assert other == digest.hexdigest()


def test_seen_is_what_filling_keeps() -> None:
    for index in range(500):
        scene = World(6).scene(index)
        visible = seen(scene)
        assert seen(visible) == visible
        assert seen(fill(visible, Random(index))) == visible


def test_filling_draws_hidden_attributes_as_the_prior_does() -> None:
    scene = Scene((Actor("fox", "red"),), setting="forest", light="night", style="ink")
    rng = Random(0)
    filled = [fill(seen(scene), rng) for _ in range(4000)]
    colours = Counter(scene.subjects[0].colour for scene in filled)
    lights = Counter(scene.light for scene in filled)
    assert set(colours) == {None, *words.COLOURS}
    assert colours[None] / 4000 == pytest.approx(0.35, abs=0.03)
    assert set(lights) == {None, *words.LIGHTS}
    assert lights[None] / 4000 == pytest.approx(0.55, abs=0.03)


def test_filling_leaves_an_own_colour_unstated_as_often_as_prompts_do() -> None:
    rng = Random(1)
    actors = [actor for _ in range(60000) for actor in sample_scene(rng).subjects]
    own = [actor for actor in actors if painted(actor) == SUBJECTS[actor.key].colour]
    prior = sum(actor.colour is not None for actor in own) / len(own)
    shown = seen(Scene((Actor("fox"),)))
    again = [fill(shown, rng).subjects[0].colour for _ in range(6000)]
    assert sum(colour is not None for colour in again) / 6000 == pytest.approx(prior, abs=0.02)


def _mentions(text: str, key: str) -> bool:
    return any(noun in text for pair in SUBJECTS[key].nouns for noun in pair)


def test_wordings_share_what_the_image_shows() -> None:
    world = World(7)
    for index in range(40):
        scene = world.scene(index)
        texts = world.wordings(index, 8)
        assert len(texts) == 8
        for text in texts:
            assert all(_mentions(text, actor.key) for actor in scene.subjects)
            if scene.setting is not None:
                term = words.SETTINGS[scene.setting]
                assert any(wording in text for wording in (*term.phrases, *term.tags))
            if not is_monochrome(scene.style):
                _check_colour(scene, text)


def _check_colour(scene: Scene, text: str) -> None:
    for actor in scene.subjects:
        if painted(actor) != SUBJECTS[actor.key].colour:
            assert any(word in text for word in words.COLOURS[painted(actor)].words)


def test_wordings_differ_and_cover_the_sentence_forms() -> None:
    texts = World(8).wordings(0, 64)
    assert len(set(texts)) > 32
    assert texts == World(8).wordings(0, 64)
    scene = World(8).scene(0)
    # Equal words in every form, so that only the form can make a difference.
    forms = {fill_form(form, word_parts(scene, Random(1))) for _, form in FORMS}
    assert len(forms) >= 6


def test_the_contact_sheet_is_written(tmp_path: Path) -> None:
    contact = runpy.run_path(str(CONTACT))
    path = tmp_path / "sheet.png"
    contact["main"](["--count=3", "--columns=2", "--size=32", f"--output={path}"])
    assert path.stat().st_size > 0
    sheet = contact["contact_sheet"](World(1, 64), range(5), columns=4)
    assert sheet.width == 4 * 70
