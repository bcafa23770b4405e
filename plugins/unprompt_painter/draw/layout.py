"""Where the subjects of a scene stand: counts and relations as positions."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from unprompt_painter.data import load
from unprompt_painter.draw.canvas import SIDE
from unprompt_painter.draw.figures import figure
from unprompt_painter.draw.stamp import Place, scale_of
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
    second = scene.subjects[1]
    mirror = rng.random() < 0.5
    flips = (mirror, not mirror if scene.relation == "facing" else mirror)
    nudge = rng.uniform(-0.02, 0.02)
    rooms = [_mirrored(room, mirror, nudge) for room in load("layout")["rooms"][scene.relation]]
    front = _fill_room(first, rooms[0], flips[0], rng)
    back = _fill_room(second, rooms[1], flips[1], rng)
    if scene.relation == "on":
        front = _seated(front, back)
    return back + front


def _alone(count: int, rng: Random) -> Room:
    if count == 1:
        size = rng.uniform(0.60, 0.74)
        return rng.uniform(0.42, 0.58), rng.uniform(0.88, 0.95), size * 1.25, size
    height = 0.62 if count == 2 else 0.86
    return 0.5, rng.uniform(0.92, 0.96), 0.96, height


def _mirrored(room: Room, mirror: bool, nudge: float) -> Room:
    x, base, width, height = room
    return (1 - x if mirror else x) + nudge, base, width, height


def _fill_room(actor: Actor, room: Room, flip: bool, rng: Random) -> list[Standing]:
    x, base, width, height = room
    return [
        (
            actor,
            Place(
                x=SIDE * (x + (middle - 0.5) * width + rng.uniform(-0.01, 0.01)),
                base=SIDE * (base - (1 - bottom) * height * 1.02 + rng.uniform(-0.01, 0.01)),
                width=SIDE * width * across * rng.uniform(0.92, 1.0),
                height=SIDE * height * upwards * rng.uniform(0.88, 0.97),
                flip=flip,
                turn=rng.uniform(-0.06, 0.06),
                bend=rng.uniform(-0.05, 0.05),
                squash=rng.uniform(0.94, 1.04),
            ),
        )
        for middle, bottom, across, upwards in load("layout")["rows"][actor.count]
    ]


def _top(standing: list[Standing]) -> float:
    """Returns the highest point of some figures in canvas pixels."""
    tops = []
    for actor, place in standing:
        _, top, _, bottom = figure(actor.key).box
        tops.append(place.base - (bottom - top) * scale_of(figure(actor.key), place))
    return min(tops)


def _seated(front: list[Standing], back: list[Standing]) -> list[Standing]:
    """Moves the upper figures down or up until they touch what they stand on."""
    overlap = 0.05 * SIDE
    shift = _top(back) + overlap - max(place.base for _, place in front)
    return [(actor, replace(place, base=place.base + shift)) for actor, place in front]
