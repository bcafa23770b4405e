"""Templates: which words of an interrogation go where in the text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from string import Formatter

FIELDS = {
    "caption": None,
    "medium": "mediums",
    "movement": "movements",
    "artist": "artists",
    "trending": "trendings",
    "flavors": "flavors",
    "negative": "negative",
}
"""What a template may name, and the table that it comes from."""

DEFAULT = "{caption}, {medium}, {movement}, {flavors}"
"""The text of the 68th-place solution, plugins/kaggle-68th.md."""

CLASSIC = "{caption}, {medium} {artist}, {trending}, {movement}, {flavors}"
"""What clip-interrogator's ``classic`` mode writes."""


def fields(template: str) -> list[str]:
    """The fields of a template, in order.

    Raises:
        ValueError: It is no template, or names something else than `FIELDS`; the text says what.
    """
    names = []
    try:
        pieces = list(Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"not a template: {error} (a literal brace is written twice)") from error
    for _, name, form, conversion in pieces:
        if name is None:
            continue
        if name not in FIELDS:
            known = ", ".join(f"{{{field}}}" for field in FIELDS)
            raise ValueError(f"unknown field {{{name}}}: there are {known}")
        if form or conversion:
            raise ValueError(f"field {{{name}}} takes no format")
        names.append(name)
    return names


def render(template: str, words: Mapping[str, Sequence[str]]) -> list[str]:
    """Fill a template in.

    What stands between two commas is a phrase; a phrase whose fields are all empty is left out,
    with its comma.

    Args:
        template: One that `fields` accepts.
        words: Each field's phrases; several make several phrases of the text.

    Returns:
        The text's phrases, none of them empty and none repeated.
    """
    phrases: list[str] = []
    for part in _split(template):
        names = [name for _, name in part if name]
        if names and not any(words.get(name) for name in names):
            continue
        if len(part) == 1 and names:
            phrases += words[names[0]]
        else:
            phrases.append(
                "".join(text + ", ".join(words.get(name or "", ())) for text, name in part)
            )
    return distinct(" ".join(phrase.split()) for phrase in phrases)


def distinct(phrases: Iterable[str]) -> list[str]:
    """Phrases that say something, each once; case does not count."""
    first: dict[str, str] = {}
    for phrase in phrases:
        first.setdefault(phrase.lower(), phrase)
    return [phrase for key, phrase in first.items() if key]


def fit(phrases: Sequence[str], fits: Callable[[str], bool]) -> str:
    """As many phrases as there is room for, joined by commas.

    Args:
        phrases: The most important first; the last ones are dropped whole.
        fits: Whether a text is within the limit.

    Returns:
        The text. Only a first phrase that is too long alone is cut, at a word.
    """
    if not phrases:
        return ""
    count = _most(len(phrases), lambda n: fits(", ".join(phrases[:n])))
    if count:
        return ", ".join(phrases[:count])
    words = phrases[0].split()
    return " ".join(words[: max(1, _most(len(words), lambda n: fits(" ".join(words[:n]))))])


def _most(count: int, good: Callable[[int], bool]) -> int:
    """The largest n in 0..count that is good, where n good means that all smaller ones are."""
    low, high = 0, count
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if good(middle) else (low, middle - 1)
    return low


def _split(template: str) -> list[list[tuple[str, str | None]]]:
    """The template's parts between commas, each as pairs of literal text and field."""
    parts: list[list[tuple[str, str | None]]] = [[]]
    for text, name, _, _ in Formatter().parse(template):
        *before, last = text.split(",")
        for piece in before:
            parts[-1].append((piece, None))
            parts.append([])
        parts[-1].append((last, name))
    return [[(text, name) for text, name in part if text.strip() or name] for part in parts]
