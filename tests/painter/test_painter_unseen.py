"""Held-out combinations: which they are, worlds with and without them, and what stays the same."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from itertools import product
from random import Random

import pytest

from unprompt_painter import words
from unprompt_painter.combinations import held_out, subset
from unprompt_painter.painter import Painter, PainterOptions
from unprompt_painter.scene import (
    Actor,
    Scene,
    fill,
    has_sky,
    is_monochrome,
    painted,
    sample_scene,
    seen,
)
from unprompt_painter.world import World

SETTINGS = (None, *words.SETTINGS)
STYLES = (None, *words.STYLES)


def by_the_rule(subject: str, setting: str | None, style: str | None) -> bool:
    """As the combinations were announced, for who trains towers elsewhere."""
    text = "/".join([subject, setting or "", style or ""])
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) % 5 == 0


def test_a_combination_is_held_out_by_its_hash() -> None:
    combinations = list(product(words.SUBJECTS, SETTINGS, STYLES))
    held = [combination for combination in combinations if held_out(*combination)]
    assert held == [combination for combination in combinations if by_the_rule(*combination)]
    assert len(held) / len(combinations) == pytest.approx(0.2, abs=0.01)


def test_every_pair_of_keys_is_in_training_worlds() -> None:
    """What is new in an unseen image is the combination alone."""
    kept = [keys for keys in product(words.SUBJECTS, SETTINGS, STYLES) if not held_out(*keys)]
    pairs = {(a, b) for keys in kept for a, b in (keys[:2], keys[1:], keys[::2])}
    expected = {
        pair
        for tables in ((words.SUBJECTS, SETTINGS), (SETTINGS, STYLES), (words.SUBJECTS, STYLES))
        for pair in product(*tables)
    }
    assert pairs == expected


def test_one_held_out_subject_of_two_is_enough() -> None:
    keys = list(words.SUBJECTS)
    held = next(key for key in keys if by_the_rule(key, "forest", "ink"))
    kept = next(key for key in keys if not by_the_rule(key, "forest", "ink"))
    for order in ((held, kept), (kept, held), (held,)):
        scene = Scene(tuple(map(Actor, order)), setting="forest", style="ink")
        assert subset(scene) == "unseen"
    assert subset(Scene((Actor(kept),), setting="forest", style="ink")) == "seen"


def test_about_27_percent_of_scenes_are_unseen_as_they_fall() -> None:
    rng = Random(0)
    unseen = sum(subset(sample_scene(rng)) == "unseen" for _ in range(20000))
    assert unseen / 20000 == pytest.approx(0.27, abs=0.01)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_a_world_has_the_share_that_is_asked_for(share: float) -> None:
    options = PainterOptions(seed=11, images=4000, size=32, unseen=share)
    counts = Counter(record.subset for record in Painter(options).records())
    assert counts["unseen"] + counts["seen"] == 4000
    assert counts["unseen"] / 4000 == pytest.approx(share, abs=0.025 if 0 < share < 1 else 0)


def test_records_say_their_subset_without_the_option_too() -> None:
    records = Painter(PainterOptions(seed=3, images=300, size=32)).records()
    world = World(3)
    rules = [
        any(by_the_rule(actor.key, scene.setting, scene.style) for actor in scene.subjects)
        for scene in (world.scene(index) for index in range(300))
    ]
    assert [record.subset for record in records] == ["unseen" if u else "seen" for u in rules]
    assert {record.subset for record in records} == {"seen", "unseen"}


def test_scenes_that_fit_stay_and_only_others_are_drawn_again() -> None:
    plain, training = World(5, 32), World(5, 32, 0.0)
    for index in range(200):
        stays = plain.subset(index) == "seen"
        assert (plain.scene(index) == training.scene(index)) == stays
        assert (plain.prompt(index) == training.prompt(index)) == stays


def test_an_image_does_not_depend_on_how_many_there_are() -> None:
    one, two = (
        Painter(PainterOptions(seed=5, images=count, size=32, unseen=0.5)) for count in (20, 60)
    )
    assert two.records()[:20] == one.records()
    digest = one.digest("000003")
    assert digest == two.digest("000003")
    for other in (None, 0.0, 0.25):
        world = Painter(PainterOptions(seed=5, images=20, size=32, unseen=other))
        assert world.digest("000003") != digest


def test_every_scene_of_an_image_is_in_its_subset() -> None:
    """So the share weighs them alike, and given the image it makes no difference."""
    for index in range(300):
        world = World(6, unseen=0.5)
        shown, rng = seen(world.scene(index)), Random(index)
        assert subset(shown) == world.subset(index)
        assert {subset(fill(shown, rng)) for _ in range(6)} == {world.subset(index)}


@pytest.mark.parametrize("wanted", ["seen", "unseen"])
def test_filling_keeps_the_distribution_of_scenes(wanted: str) -> None:
    """Scenes redrawn given their images are distributed as before, in each subset alone.

    This is what wordings are drawn by: were the option to favour some scenes of an image, what is
    redrawn would not be as frequent as what the world has.
    """
    world = World(8, unseen=0.5)
    scenes = [scene for scene in map(world.scene, range(30000)) if subset(scene) == wanted]
    rng = Random(1)
    again = [fill(seen(scene), rng) for scene in scenes]
    assert scenes != again
    for own, redrawn in zip(_redrawn(scenes), _redrawn(again), strict=True):
        share = sum(own) / len(own)
        tolerance = 3 * (2 * share * (1 - share) / len(own)) ** 0.5
        assert sum(redrawn) / len(redrawn) == pytest.approx(share, abs=tolerance)


def _redrawn(scenes: Iterable[Scene]) -> list[list[bool]]:
    """What redrawing may change: hidden colours and lights, and own colours where they show."""
    rows = list(scenes)
    hidden = [scene for scene in rows if is_monochrome(scene.style)]
    colours = [actor.colour for scene in hidden for actor in scene.subjects]
    own = [
        actor.colour
        for scene in rows
        for actor in scene.subjects
        if not is_monochrome(scene.style) and painted(actor) == words.SUBJECTS[actor.key].colour
    ]
    lights = [scene.light for scene in hidden if has_sky(scene.setting)]
    stated = [[value is not None for value in values] for values in (colours, own, lights)]
    return [
        *stated,
        [colour == "red" for colour in colours],
        [light == "night" for light in lights],
    ]


@pytest.mark.parametrize("share", [-0.1, 1.1, "half", float("nan")])
def test_a_share_is_from_0_to_1(share: object) -> None:
    with pytest.raises(ValueError, match="unseen"):
        PainterOptions.model_validate({"unseen": share})
