"""The report in a real browser: no request, no complaint, and no page that scrolls sideways."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from unprompt._report.build import write_report

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from tests.conftest import MakeRun

OVERFLOW = """() => [...document.querySelectorAll("main *, nav *")]
  .filter(element => !element.closest(".wide, pre, .hidden, .flow"))
  .filter(element => element.getBoundingClientRect().right > innerWidth + 1)
  .map(element => element.outerHTML.slice(0, 120))"""
SIDEWAYS = "() => [document.documentElement.scrollWidth, document.body.scrollWidth]"
SMALLEST = """() => Math.min(...[...document.querySelectorAll("main text")]
  .filter(element => element.getClientRects().length)
  .map(element => element.getBoundingClientRect().height))"""
CONTRAST = """() => {
  const channel = v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = text => text.match(/[\\d.]+/g).slice(0, 3)
    .reduce((sum, v, i) => sum + [0.2126, 0.7152, 0.0722][i] * channel(v / 255), 0);
  const paper = light(getComputedStyle(document.body).backgroundColor);
  return Math.min(...[...document.querySelectorAll("p, dt, dd, td, th, figcaption, a, text")]
    .filter(element => element.getClientRects().length && element.textContent.trim())
    .map(element => {
      const style = getComputedStyle(element);
      const ink = light(element.matches("text") ? style.fill : style.color);
      return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    }));
}"""


def visit(browser: Browser, path: Path, width: int, scheme: Any) -> dict[str, Any]:
    """Open a file, all details unfolded, and say what the browser saw."""
    observed: dict[str, Any] = {"requests": [], "complaints": []}
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.on("request", lambda request: observed["requests"].append(request.url))
    page.on("console", lambda message: observed["complaints"].append(message.text))
    page.on("pageerror", lambda error: observed["complaints"].append(str(error)))
    page.goto(path.as_uri())
    page.evaluate(
        "() => document.querySelectorAll('details').forEach(element => { element.open = true })"
    )
    observed |= {
        "width": max(page.evaluate(SIDEWAYS)),
        "overflow": page.evaluate(OVERFLOW),
        "smallest": page.evaluate(SMALLEST),
        "contrast": page.evaluate(CONTRAST),
        "paper": page.evaluate("() => getComputedStyle(document.body).backgroundColor"),
        "images": page.evaluate("() => [...document.images].map(element => element.naturalWidth)"),
    }
    context.close()
    return observed


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1600])
@pytest.mark.parametrize("members", [1, 3, 20])
def test_report_in_a_browser(
    chromium: Browser, make_run: MakeRun, members: int, width: int, scheme: str
) -> None:
    prompts = {f"test-{i}": "w" * 500 + f" <script>{i}</script> \N{FOX FACE}" for i in range(30)}
    path = write_report(make_run(members=members, images=30, prompts=prompts))
    observed = visit(chromium, path, width, scheme)
    assert [url for url in observed["requests"] if not url.startswith("data:")] == [path.as_uri()]
    assert observed["complaints"] == []
    assert observed["width"] <= width
    assert observed["overflow"] == []
    assert observed["images"] == [16] * 12
    assert observed["smallest"] >= 12  # pixels of a line of text in a chart
    assert observed["contrast"] >= 4.5  # WCAG 2.2, level AA
    assert (observed["paper"] == "rgb(252, 251, 248)") == (scheme == "light")


def test_report_without_what_a_run_may_lack(chromium: Browser, make_run: MakeRun) -> None:
    path = write_report(make_run(members=1, oracle=False, ablations=[], images=1))
    observed = visit(chromium, path, 400, "light")
    assert [url for url in observed["requests"] if not url.startswith("data:")] == [path.as_uri()]
    assert observed["complaints"] == observed["overflow"] == []
    assert observed["width"] <= 400
