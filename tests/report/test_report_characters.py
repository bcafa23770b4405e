"""No control character of a prompt, caption or id reaches the page."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from unprompt._report.build import build_report, write_report
from unprompt._report.visible import visible

MakeRun = Callable[..., Path]
C0 = [chr(code) for code in range(0x20) if chr(code) not in "\t\n"]
C1 = [chr(code) for code in range(0x7F, 0xA0)]
BIDI = [chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))]
HALVES = ["\ud800", "\udbff", "\udc00", "\udfff"]
NONE = ["\ufdd0", "\ufffe", "\uffff", "\U0001fffe"]
HARMFUL = [*C0, *C1, *BIDI, *HALVES, *NONE]


@pytest.mark.parametrize("character", HARMFUL, ids=lambda character: f"{ord(character):04x}")
def test_each_of_them_is_shown_instead(character: str) -> None:
    shown = visible(f"a{character}b")
    assert shown not in (f"a{character}b", "ab")
    assert shown[0] + shown[2:] == "ab"
    shown.encode("utf-8")


def test_everything_else_stays_as_it_is() -> None:
    text = "tab\t line\n \u200e\u200f ״שלום״ 狐 é \N{MINUS SIGN}\u00a0\U0001f98a\u0301"
    assert visible(text) == text


def test_a_page_holds_none_of_them(make_run: MakeRun, edit_json: Callable[..., None]) -> None:
    harmful = "".join([*C0, *C1, *BIDI, *NONE])  # JSON holds no half of a character
    prompts = {f"test-{i}": f"number {i} {''.join(C0 + C1 + BIDI)} end" for i in range(60)}
    folder = make_run(prompts=prompts)

    def spoil(examples: list[dict[str, object]]) -> None:
        for example in examples:
            example["image_id"] = example["predicted"] = harmful

    edit_json(folder / "examples.json", spoil)
    page = build_report(folder)
    assert not set(page) & set(HARMFUL)
    for code in (0, 0x1B, 0x1F):
        assert chr(0x2400 + code) in page
    assert write_report(folder).read_bytes() == page.encode("utf-8")
    shown = re.search(r"<figcaption><code>([^<]*)</code>", page)
    assert shown is not None
    assert len(shown[1]) == len(harmful)
