"""The report in a real browser: no request, no complaint, and no page that scrolls sideways."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from unprompt._report.build import write_report

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from tests.report.conftest import MakeRun

OVERFLOW = """() => [...document.querySelectorAll("main *, nav *")]
  .filter(one => !one.closest(".wide, pre, .hidden, .flow"))
  .filter(one => one.getBoundingClientRect().right > innerWidth + 1)
  .map(one => one.outerHTML.slice(0, 120))"""
SIDEWAYS = "() => [document.documentElement.scrollWidth, document.body.scrollWidth]"
SMALLEST = """() => Math.min(...[...document.querySelectorAll("main text")]
  .filter(one => one.getClientRects().length)
  .map(one => one.getBoundingClientRect().height))"""
CONTRAST = """() => {
  const channel = v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = text => text.match(/[\\d.]+/g).slice(0, 3)
    .reduce((sum, v, i) => sum + [0.2126, 0.7152, 0.0722][i] * channel(v / 255), 0);
  const paper = light(getComputedStyle(document.body).backgroundColor);
  return Math.min(...[...document.querySelectorAll("p, dt, dd, td, th, figcaption, a, text")]
    .filter(one => one.getClientRects().length && one.textContent.trim())
    .map(one => {
      const style = getComputedStyle(one);
      const ink = light(one.matches("text") ? style.fill : style.color);
      return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    }));
}"""


def visit(browser: Browser, path: Path, width: int, scheme: Any) -> dict[str, Any]:
    """Open a file, all details unfolded, and say what the browser saw."""
    seen: dict[str, Any] = {"requests": [], "complaints": []}
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.on("request", lambda request: seen["requests"].append(request.url))
    page.on("console", lambda message: seen["complaints"].append(message.text))
    page.on("pageerror", lambda error: seen["complaints"].append(str(error)))
    page.goto(path.as_uri())
    page.evaluate("() => document.querySelectorAll('details').forEach(one => { one.open = true })")
    seen |= {
        "width": max(page.evaluate(SIDEWAYS)),
        "overflow": page.evaluate(OVERFLOW),
        "smallest": page.evaluate(SMALLEST),
        "contrast": page.evaluate(CONTRAST),
        "paper": page.evaluate("() => getComputedStyle(document.body).backgroundColor"),
        "images": page.evaluate("() => [...document.images].map(one => one.naturalWidth)"),
    }
    context.close()
    return seen


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1600])
@pytest.mark.parametrize("members", [1, 3, 20])
def test_report_in_a_browser(
    chromium: Browser, make_run: MakeRun, members: int, width: int, scheme: str
) -> None:
    prompts = {i: "w" * 500 + " <script>alert(1)</script> \N{FOX FACE}" for i in range(30)}
    path = write_report(make_run(members=members, images=30, prompts=prompts))
    seen = visit(chromium, path, width, scheme)
    assert [url for url in seen["requests"] if not url.startswith("data:")] == [path.as_uri()]
    assert seen["complaints"] == []
    assert seen["width"] <= width
    assert seen["overflow"] == []
    assert seen["images"] == [16] * 4
    assert seen["smallest"] >= 12  # pixels of a line of text in a chart
    assert seen["contrast"] >= 4.5  # WCAG 2.2, level AA
    assert (seen["paper"] == "rgb(252, 251, 248)") == (scheme == "light")


def test_report_without_what_a_run_may_lack(chromium: Browser, make_run: MakeRun) -> None:
    lacking = ["cases.json", "pictures.csv", "history", "importances", "leave_one_out"]
    path = write_report(make_run(oracle=False, lacking=lacking))
    seen = visit(chromium, path, 400, "light")
    assert [url for url in seen["requests"] if not url.startswith("data:")] == [path.as_uri()]
    assert seen["complaints"] == seen["overflow"] == []
    assert seen["width"] <= 400
