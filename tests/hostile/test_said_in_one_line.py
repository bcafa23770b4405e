"""Files whose fault is one thing are refused with that one thing, not with what follows from it."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from unprompt._config.base import Model
from unprompt._config.check import finish, validate
from unprompt._config.source import parse
from unprompt._data.images import find_images, open_image
from unprompt._files.tensors import read_array
from unprompt._registry.loading import load_ensemble, load_experiment
from unprompt._registry.plugins import Registry
from unprompt.errors import ConfigError, DataError

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n"


@pytest.mark.parametrize(
    "header",
    [
        "__import__('os').system('true')",
        "{'descr': open('x'), 'fortran_order': False, 'shape': (1,)}",
        "(" * 5000,
        "{",
        "{'descr': '<f4'}",
        "\0",
    ],
)
def test_an_npy_header_of_code_is_a_damaged_header(tmp_path: Path, header: str) -> None:
    path, content = tmp_path / "a.npy", header.encode() + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(content)) + content)
    with pytest.raises(DataError) as caught:
        read_array(path)
    assert caught.value.problems == (f"{path}: cannot be read: a damaged header",)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_an_image_that_git_lfs_has_not_fetched(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_text(POINTER)
    with pytest.raises(DataError, match="a Git LFS pointer, not the file: run `git lfs pull`"):
        open_image(path)


@pytest.mark.parametrize("suffix", ["pcx", "dds", "sgi", "tga", "icns"])
def test_formats_that_are_not_read_are_images(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a.{suffix}").write_bytes(b"\x01" * 64)
    (tmp_path / "b.png").write_bytes(b"")
    (left_out,) = find_images([tmp_path]).left_out
    assert left_out.reason.startswith(f"{suffix.upper()} is not one of PNG, ")


@pytest.mark.parametrize("included", ["top.yaml", "nothing.yaml", "list.yaml", "broken.yaml"])
@pytest.mark.parametrize("load", [load_ensemble, load_experiment])
def test_nothing_is_missing_where_an_include_was_not_read(
    tmp_path: Path, included: str, load: object
) -> None:
    (tmp_path / "top.yaml").write_text(f"include: {included}\n")
    (tmp_path / "list.yaml").write_text("- 1\n")
    (tmp_path / "broken.yaml").write_text("a: [\n")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "top.yaml", Registry())  # type: ignore[operator]  # one of two functions
    assert len(caught.value.problems) == 1
    assert "is missing" not in caught.value.problems[0]


class _Small(Model):
    name: str = "x"


@pytest.mark.parametrize(("count", "last"), [(51, "1 more mistake"), (5000, "4950 more mistakes")])
def test_only_the_first_mistakes_are_printed(count: int, last: str) -> None:
    source = parse("\n".join(f"k{i}: 1" for i in range(count)), "a.yaml")
    validate(source, _Small)
    with pytest.raises(ConfigError) as caught:
        finish(source)
    lines = caught.value.problems
    assert len(lines) == 51
    assert lines[0].startswith("a.yaml:1:1: k0: unknown key")
    assert lines[-1] == last
