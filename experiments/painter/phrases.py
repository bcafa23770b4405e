"""Writes the painter world's words as the tables of an interrogator.

The files ``phrases/*.txt`` of ``unprompt_painter`` hold one phrase a line, under the names that
clip-interrogator gave its tables. The world has no art movements, so the places stand there, and
weather and light take the place of the sites that images are shown on.

    python experiments/painter/phrases.py
"""

from __future__ import annotations

from collections.abc import Iterator

from unprompt_painter.data import FOLDER as DATA
from unprompt_painter.grammar import with_article
from unprompt_painter.words import COLOURS, COUNTS, LIGHTS, SETTINGS, STYLES, SUBJECTS, WEATHER

FOLDER = DATA.parent / "phrases"


def tables() -> dict[str, list[str]]:
    """Returns the phrases by table, in the order of the vocabulary."""
    outside = (*WEATHER.values(), *LIGHTS.values())
    return {
        "mediums": [phrase for style in STYLES.values() for phrase in style.phrases],
        "movements": [phrase for place in SETTINGS.values() for phrase in place.phrases],
        "flavors": list(_subjects()),
        "trendings": [phrase for term in outside for phrase in term.phrases],
    }


def _subjects() -> Iterator[str]:
    """Yields each noun alone, in each colour, and two and three of it."""
    for subject in SUBJECTS.values():
        for singular, plural in subject.nouns:
            yield with_article(singular)
            for colour in COLOURS.values():
                yield with_article(f"{colour.words[0]} {singular}")
            yield from (f"{COUNTS[number][0]} {plural}" for number in (2, 3))


if __name__ == "__main__":
    for name, phrases in tables().items():
        (FOLDER / f"{name}.txt").write_text("\n".join(phrases) + "\n", encoding="utf-8")
