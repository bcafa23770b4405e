"""Token rows of joined texts, without tokenizing every joined text again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from unprompt.towers import ClipTowers

if TYPE_CHECKING:
    import torch

SAMPLE = ("a photo of a cat", "a portrait, 1920s", "by Vincent van Gogh", "it's 4k", "sci-fi (2)")
"""Texts that show whether a tokenizer can be trusted to treat a space as a boundary."""


class Joiner:
    """Makes the token rows of ``"HEAD, PHRASE"`` for one head and many phrases.

    A space ends a token in nearly every tokenizer of CLIP models, so that the tokens of ``"HEAD,"``
    and those of ``PHRASE`` are together those of the whole; the comma belongs to the head, since it
    may merge with what stands before it ("wow!,"). Whether a tokenizer is of that kind is tried,
    not assumed; texts that are cleaned as a whole (mojibake, entities) are tokenized whole.

    Attributes:
        exact: Whether rows are joined. Otherwise each text is tokenized, with the same result.
    """

    def __init__(self, towers: ClipTowers) -> None:
        """Learn from the tokenizer what it puts around texts, and whether they can be joined."""
        self._towers = towers
        self._pieces: dict[str, list[int]] = {}
        empty, letter = towers.tokens(["", "a"]).tolist()
        same = [left == right for left, right in zip(empty, letter, strict=True)]
        start = same.index(False) if False in same else len(same)
        self._before, self._after = empty[:start], empty[start:]  # start; end and padding
        self.exact = bool(self._after) and self._holds()

    def rows(self, head: str, phrases: Sequence[str]) -> tuple[torch.Tensor, list[int]]:
        """The rows of ``"HEAD, PHRASE"`` for every phrase with which it is not cut.

        Args:
            head: The text so far; not empty.
            phrases: n phrases.

        Returns:
            Token ids of shape (m, context), m <= n, and which phrases these are, in order.
        """
        import torch

        start = self._before + self._content(f"{head},") if self._joins(head) else None
        rows: list[list[int]] = []
        numbers: list[int] = []
        for number, phrase in enumerate(phrases):
            if start is None or not self._joins(phrase):
                row = self._whole(f"{head}, {phrase}")
            else:
                row = self._framed(start + self._piece(phrase))
            if row is not None:
                rows.append(row)
                numbers.append(number)
        width = len(self._before) + len(self._after)
        return torch.tensor(rows, dtype=torch.int64).reshape(-1, width), numbers

    def _framed(self, tokens: list[int]) -> list[int] | None:
        """Tokens with the end and the padding; None where there is no room for an end."""
        room = len(self._before) + len(self._after) - len(tokens)
        return tokens + self._after[:room] if room > 0 else None

    def _whole(self, text: str) -> list[int] | None:
        if not self._towers.fits(text):
            return None
        row: list[int] = self._towers.tokens([text])[0].tolist()
        return row

    def _piece(self, phrase: str) -> list[int]:
        if phrase not in self._pieces:
            self._pieces[phrase] = self._content(phrase)
        return self._pieces[phrase]

    def _content(self, text: str) -> list[int]:
        """A text's tokens without what is put around it; too many to fit where it was cut."""
        row: list[int] = self._towers.tokens([text])[0].tolist()[len(self._before) :]
        end = self._after[0]
        return row[: row.index(end)] if end in row else row

    def _joins(self, text: str) -> bool:
        """Whether the text is cleaned word by word: no entity, nothing that looks miscoded."""
        return self.exact and text.isascii() and text.isprintable() and not set("&<>") & set(text)

    def _holds(self) -> bool:
        """Try it."""
        for head in SAMPLE:
            start = self._before + self._content(f"{head},")
            for phrase in SAMPLE:
                whole = self._towers.tokens([f"{head}, {phrase}"])[0].tolist()
                if self._framed(start + self._piece(phrase)) not in (None, whole):
                    return False
        return True
