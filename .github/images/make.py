"""Make the two images at the top of README.md from a finished quickstart.

    python .github/images/make.py experiments/runs/quickstart/RUN-ID

Needs Debian's chromium and playwright, which `pip install -e ".[test]"` brings.
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
WIDTH, HEIGHT = 1040, 1180
"""Of the part of the report that is shown, in pixels."""


def main(run: Path) -> None:
    """Write ``report.png`` and ``contact.png`` beside this file."""
    with sync_playwright() as playwright:
        path = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto((run / "report.html").absolute().as_uri())
        report = Image.open(io.BytesIO(page.screenshot()))
        browser.close()
    _save(report, "report.png")
    contact = Image.open(run / "contact.png")
    contact.thumbnail((WIDTH, HEIGHT))
    _save(contact, "contact.png")


def _save(image: Image.Image, name: str) -> None:
    """A palette keeps pages and drawings sharp at a third of the size."""
    image.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(HERE / name, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
