"""Where the subjects of a scene stand: counts and relations as positions."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from unprompt_painter.draw.canvas import SIDE, Place, figure, scale_of
from unprompt_painter.scene import Actor, Scene

# (middle, base, height) as shares of the room, for 1 to 5 of a kind.
ROWS: dict[int, tuple[tuple[float, float, float], ...]] = {
    1: ((0.5, 1.0, 1.0),),
    2: ((0.26, 1.0, 0.8), (0.74, 1.0, 0.8)),
    3: ((0.5, 0.5, 0.5), (0.24, 1.0, 0.5), (0.76, 1.0, 0.5)),
    4: ((0.25, 0.5, 0.5), (0.75, 0.5, 0.5), (0.25, 1.0, 0.5), (0.75, 1.0, 0.5)),
    5: (
        (0.25, 0.48, 0.46),
        (0.75, 0.48, 0.46),
        (0.15, 1.0, 0.46),
        (0.5, 1.0, 0.46),
        (0.85, 1.0, 0.46),
    ),
}

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
    room, other = ROOMS[scene.relation]
    flips = (mirror, not mirror if scene.relation == "facing" else mirror)
    nudge = rng.uniform(-0.02, 0.02)
    rooms = [_mirrored(r, mirror, nudge) for r in (room, other)]
    front = _fill_room(first, rooms[0], flips[0], rng)
    back = _fill_room(second, rooms[1], flips[1], rng)
    if scene.relation == "on":
        front = _seated(front, back)
    return back + front


ROOMS: dict[str, tuple[Room, Room]] = {
    "beside": ((0.31, 0.95, 0.54, 0.56), (0.79, 0.86, 0.38, 0.42)),
    "facing": ((0.28, 0.94, 0.50, 0.54), (0.75, 0.92, 0.44, 0.48)),
    "in_front": ((0.38, 0.97, 0.60, 0.48), (0.60, 0.78, 0.62, 0.66)),
    "on": ((0.50, 0.52, 0.70, 0.42), (0.50, 0.96, 0.80, 0.46)),
    "under": ((0.50, 0.96, 0.80, 0.50), (0.50, 0.38, 0.62, 0.34)),
    "above": ((0.50, 0.53, 0.80, 0.48), (0.50, 0.96, 0.62, 0.33)),
}
"""Room of the first and of the second actor for each relation."""


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
    rows = ROWS[actor.count]
    columns = {1: 1.0, 2: 0.48, 3: 0.48, 4: 0.48, 5: 0.34}[actor.count]
    places = []
    for middle, bottom, share in rows:
        places.append(
            (
                actor,
                Place(
                    x=SIDE * (x + (middle - 0.5) * width + rng.uniform(-0.01, 0.01)),
                    base=SIDE * (base - (1 - bottom) * height * 1.02 + rng.uniform(-0.01, 0.01)),
                    width=SIDE * width * columns * rng.uniform(0.92, 1.0),
                    height=SIDE * height * share * rng.uniform(0.88, 0.97),
                    flip=flip,
                    turn=rng.uniform(-0.06, 0.06),
                    bend=rng.uniform(-0.05, 0.05),
                    squash=rng.uniform(0.94, 1.04),
                ),
            )
        )
    return places


def _top(places: list[Standing]) -> float:
    """Returns the highest point of some figures in canvas pixels."""
    tops = []
    for actor, place in places:
        shape = figure(actor.key)
        tops.append(place.base - (shape.box[3] - shape.box[1]) * scale_of(shape, place))
    return min(tops)


def _seated(front: list[Standing], back: list[Standing]) -> list[Standing]:
    """Moves the upper figures down or up until they touch what they stand on."""
    overlap = 0.05 * SIDE
    shift = _top(back) + overlap - max(place.base for _, place in front)
    return [(actor, replace(place, base=place.base + shift)) for actor, place in front]
