"""Where the subjects of a scene stand: counts and relations as positions."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from unprompt_painter.data import load
from unprompt_painter.draw.canvas import SIDE
from unprompt_painter.draw.figures import Place, figure
from unprompt_painter.scene import Actor, Scene

Standing = tuple[Actor, Place]

Room = tuple[float, float, float, float]
"""Middle, base, width and height as shares of the canvas."""


def arrange(scene: Scene, rng: Random) -> list[Standing]:
    """Places every subject of a scene.

    Args:
        scene: What to place.
        rng: Moves, turns and scales everything a little.

    Returns:
        Actors with their places, from the back to the front; an actor of a count above one
        occurs as often as it is counted.
    """
    first = scene.subjects[0]
    if scene.relation is None:
        return _fill_room(first, _alone(first.count, rng), rng.random() < 0.5, rng)
    mirror = rng.random() < 0.5
    nudge = rng.uniform(-0.02, 0.02)
    groups = []
    for actor, room in zip(scene.subjects, load("layout")["rooms"][scene.relation], strict=True):
        x, *rest = room
        flip = mirror != (scene.relation == "facing" and actor is not first)
        groups.append(_fill_room(actor, ((1 - x if mirror else x) + nudge, *rest), flip, rng))
    front, back = groups
    if scene.relation == "on":
        # The upper ones move down or up until they touch what they stand on.
        top = min(place.base - place.figure.height * place.scale for _, place in back)
        shift = top + 0.05 * SIDE - max(place.base for _, place in front)
        front = [(actor, replace(place, base=place.base + shift)) for actor, place in front]
    return back + front


def _alone(count: int, rng: Random) -> Room:
    if count == 1:
        size = rng.uniform(0.60, 0.74)
        return rng.uniform(0.42, 0.58), rng.uniform(0.88, 0.95), size * 1.25, size
    return 0.5, rng.uniform(0.92, 0.96), 0.96, 0.62 if count == 2 else 0.86


def _fill_room(actor: Actor, room: Room, flip: bool, rng: Random) -> list[Standing]:
    x, base, width, height = room
    standing = []
    for middle, bottom, across, upwards in load("layout")["rows"][actor.count]:
        place = Place(
            figure(actor.key),
            x=SIDE * (x + (middle - 0.5) * width + rng.uniform(-0.01, 0.01)),
            base=SIDE * (base - (1 - bottom) * height * 1.02 + rng.uniform(-0.01, 0.01)),
            width=SIDE * width * across * rng.uniform(0.92, 1.0),
            height=SIDE * height * upwards * rng.uniform(0.88, 0.97),
            flip=flip,
            turn=rng.uniform(-0.06, 0.06),
            bend=rng.uniform(-0.05, 0.05),
            squash=rng.uniform(0.94, 1.04),
        )
        standing.append((actor, place))
    return standing
