"""Real runs of seconds to report on, and a page taken apart."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from html.parser import HTMLParser
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from unprompt._report.build import build_report

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ReadPage = Callable[[Path], "Page"]


class Page(HTMLParser):
    """A page's tags with their attributes, its visible text, and whether its tags close."""

    VOID = frozenset({"meta", "link", "img", "br", "hr", "input"})

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.rows: list[list[list[str]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag in ("caption", "tr"):
            self.rows.append([[]] if tag == "caption" else [])
        elif tag in ("th", "td"):
            self.rows[-1].append([])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)
        if {"caption", "th", "td"} & set(self.open):
            self.rows[-1][-1].append(data)

    @property
    def text(self) -> str:
        """What can be read."""
        return _plain(self.words)

    def table(self, caption: str) -> dict[str, list[str]]:
        """A table whose caption begins so: the first cell of each row -> the others with text."""
        rows = [[_plain(cell) for cell in row] for row in self.rows]
        start = next(i for i, row in enumerate(rows) if row[0].startswith(caption))
        rows = list(takewhile(lambda row: len(row) > 1, rows[start + 1 :]))
        return {row[0]: [cell for cell in row[1:] if cell] for row in rows}

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every ``tag``."""
        return [attrs for name, attrs in self.tags if name == tag]

    def sections(self) -> list[str]:
        """The sections' ids, in order."""
        return [str(attrs["id"]) for attrs in self.all("section")]


def _plain(words: Sequence[str]) -> str:
    """Every space and newline made one space, a minus sign a hyphen."""
    return " ".join(" ".join(words).split()).replace("\N{MINUS SIGN}", "-")


@pytest.fixture
def read_page() -> Callable[[Path], Page]:
    """``read_page(folder)``: the report of a run's folder, built and taken apart."""
    return lambda folder: Page(build_report(folder))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A headless Chromium; the test is skipped where none is installed.

    For a module only: while playwright is open, nothing else can run an event loop.
    """
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("chromium is not installed")
    with sync_api.sync_playwright() as playwright:
        # Root needs --no-sandbox; the page is a file that this test has written.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
