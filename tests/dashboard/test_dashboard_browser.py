"""A browser opens a run's study: its plot, its note and its image, and nothing from elsewhere."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from unprompt import load_run
from unprompt._runs.files import CONTACT_SHEET

pytestmark = pytest.mark.slow


@pytest.fixture
def page() -> Iterator[Any]:
    """A page of headless Chromium; nothing is downloaded."""
    reason = "playwright is not installed (pip install playwright)"
    playwright = pytest.importorskip("playwright.sync_api", reason=reason)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as driver:
        # Chromium's sandbox does not work for root.
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = driver.chromium.launch(executable_path=chromium, args=options)
        page = browser.new_page(viewport={"width": 1400, "height": 1900})
        page.set_default_timeout(30_000)
        yield page
        browser.close()


@pytest.fixture
def shoot(page: Any, tmp_path: Path) -> Callable[[str], None]:
    """Take a screenshot of the page; ``UNPROMPT_TEST_SHOTS`` names a folder to find it in."""
    folder = Path(os.environ.get("UNPROMPT_TEST_SHOTS") or tmp_path)

    def take(name: str) -> None:
        page.screenshot(path=str(folder / f"{name}.png"))
        assert (folder / f"{name}.png").stat().st_size > 10_000

    return take


def test_a_study_with_its_plot_note_and_image(
    page: Any, run_folder: Path, serve: Callable[..., Any], shoot: Callable[[str], None]
) -> None:
    requested, problems = [], []
    page.on("request", lambda request: requested.append(request.url))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("response", lambda reply: problems.append(reply.url) if reply.status > 399 else None)
    with serve(run_folder, "--port", "0") as (_, line):
        url = line.strip()
        page.goto(url)
        page.get_by_text("made").first.click()

        # Plotly has drawn the history: a point per trial, and what trials are worth.
        page.wait_for_function(
            "document.querySelectorAll('.js-plotly-plot .scatterlayer .point').length >= 30"
        )
        for text in ("History", "held-out cosine", "weight.member-0"):
            page.get_by_text(text, exact=True).filter(visible=True).first.wait_for()

        image = page.locator("img[src^='/artifacts/']")
        image.scroll_into_view_if_needed()
        page.wait_for_function("document.querySelector(\"img[src^='/artifacts/']\").complete")
        sizes = image.evaluate("image => [image.naturalWidth, image.naturalHeight]")
        with Image.open(run_folder / CONTACT_SHEET) as sheet:
            assert tuple(sizes) == sheet.size
        page.get_by_text(CONTACT_SHEET).wait_for()
        shoot("study")

        page.goto(f"{url}dashboard/studies/0/note")
        page.get_by_role("heading", name="made").wait_for()
        weights = [f"{weight:.3f}" for weight in load_run(run_folder).weights.values()]
        rows = [row.split() for row in page.locator("table").inner_text().splitlines() if row]
        assert [row[1] for row in rows] == ["weight", *weights]
        shoot("note")
    assert problems == []
    assert len(requested) > 5
    assert {
        address for address in requested if not address.startswith((url, "data:", "blob:"))
    } == set()
