"""The report escapes what it quotes, needs nothing beside it, and shows no file of this machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unprompt._report.build import build_report

if TYPE_CHECKING:
    from tests.conftest import EditJson, MakeRun
    from tests.report.conftest import Page, ReadPage

NASTY = {
    "test-0": "<script>alert('a')</script> & \"quotes\" <img src=http://evil/x.png onerror=x()>",
    "test-1": "\N{FOX FACE}\N{ZERO WIDTH JOINER}\N{SNOWFLAKE} \u05e9\u05dc\u05d5\u05dd "
    "{{ run.name }} {% raw %}",
    "test-2": "w" * 600,
    "train-0": "<script>alert('b')</script> quotes",
}
EVIL = "</title></style><script>x</script>"


def outside(page: Page) -> list[str]:
    """Every address on the page that is neither a place on it nor data."""
    names = ("src", "href", "xlink:href", "srcset", "action", "data", "poster", "style")
    values = [str(attrs[name]) for _, attrs in page.tags for name in names if attrs.get(name)]
    return [value for value in values if not value.startswith(("#", "data:", "--shade:", "width:"))]


def test_nothing_outside_the_file(make_run: MakeRun, read_page: ReadPage) -> None:
    folder = make_run(images=8, prompts=NASTY)
    page = read_page(folder)
    # Links to files of the run, which nothing loads until they are followed.
    cards = [f"artifacts/member-{i}/training/README.md" for i in range(3)]
    assert outside(page) == [attrs["href"] for attrs in page.all("a")][-3:] == cards
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "iframe", "object", "embed", "base", "form", "foreignObject"}
    assert [attrs["href"] for attrs in page.all("link")] == ["data:,"]
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    (style,) = re.findall(r"<style>(.*?)</style>", build_report(folder), re.DOTALL)
    assert "url(" not in style and "@import" not in style
    policy = next(attrs["content"] for attrs in page.all("meta") if attrs.get("http-equiv"))
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_the_page_is_well_formed(make_run: MakeRun, read_page: ReadPage) -> None:
    page = read_page(make_run())
    assert page.wrong == page.open == []
    assert len(page.all("h1")) == 1
    assert len(page.all("table")) == len(page.all("caption"))
    assert all(attrs.get("scope") for attrs in page.all("th"))
    assert all(attrs.get("alt") for attrs in page.all("img"))
    charts = [attrs for attrs in page.all("svg") if attrs.get("role") == "img"]
    titles = {attrs["id"] for attrs in page.all("title") if attrs.get("id")}
    assert {attrs["aria-labelledby"] for attrs in charts} == titles
    assert len(charts) == 6 + 3  # three members were trained


def test_prompts_are_text(make_run: MakeRun, read_page: ReadPage) -> None:
    folder = make_run(images=8, prompts=NASTY)
    html, page = build_report(folder), read_page(folder)
    assert "<script>alert(" not in html
    for prompt in NASTY.values():
        assert prompt in page.text
    # One image's true prompt, and what is near to it among the train prompts.
    assert html.count("&lt;script&gt;alert(&#39;b&#39;)&lt;/script&gt;") >= 2
    assert page.wrong == page.open == []


def test_names_are_text_too(make_run: MakeRun, read_page: ReadPage, edit_json: EditJson) -> None:
    folder = make_run(suffix=EVIL, study=EVIL, images=8)

    def edit(manifest: dict[str, Any]) -> None:
        manifest["command"].append(EVIL)
        manifest["plugins"][EVIL] = EVIL

    edit_json(folder / "manifest.json", edit)
    edit_json(folder / "scores.json", lambda scores: scores.update(experiment=EVIL))
    page = read_page(folder)
    assert not page.all("script") and not page.wrong and not page.open
    # Heading and title, study, command, plugin and its version, and each of 8 images.
    assert page.text.count(EVIL) == 2 + 1 + 1 + 2 + 8


def test_passwords_are_not_shown(make_run: MakeRun) -> None:
    page = build_report(make_run())
    assert "search.storage=postgresql://me:**********@host/studies" in page
    assert "secret" not in page


def test_images_come_from_the_folder_only(
    make_run: MakeRun, read_page: ReadPage, edit_json: EditJson, tmp_path: Path
) -> None:
    folder = make_run()
    private = tmp_path / "private.jpg"
    private.write_bytes((folder / "images" / "00.jpg").read_bytes())
    (folder / "link.jpg").symlink_to(private)
    (folder / "image.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    names = ["../private.jpg", str(private), "link.jpg", "image.svg", "", ".", "a\0b", "n" * 5000]

    def edit(examples: list[dict[str, Any]]) -> None:
        for example, name in zip(examples, names, strict=False):
            example["image"] = name

    edit_json(folder / "examples.json", edit)
    page = read_page(folder)
    assert page.text.count("no image in the folder") == len(names)
    assert len(page.all("img")) == 12 - len(names)
