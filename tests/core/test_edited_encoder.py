"""A text encoder whose code was edited does not meet its old rows, whatever its identity says."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from unprompt import Model
from unprompt._files.cache import Cache
from unprompt._members.context import Context
from unprompt._registry.parts import Part
from unprompt._registry.plugins import Registry, _package_hash
from unprompt.contracts import Runtime
from unprompt.contracts.specs import TextEncoderSpec

LIGHT = """\
from unprompt import Model, TextEncoderSpec, hookimpl

@hookimpl
def unprompt_text_encoder():
    return TextEncoderSpec("axis", "one axis", Model, "axis_heavy:Axis")
"""
HEAVY = """\
import numpy as np
from unprompt import TextEncoder

class Axis(TextEncoder):
    identity, dim = "axis", 4
    def __init__(self, options, runtime): pass
    def encode(self, texts): return np.eye(4, dtype=np.float32)[[AXIS] * len(texts)]
"""


def test_edited_code_encodes_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = tmp_path / "unprompt_axis-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: unprompt-axis\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[unprompt]\naxis = axis_light\n")
    (tmp_path / "axis_light.py").write_text(LIGHT)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def encoded(axis: int) -> int:
        (tmp_path / "axis_heavy.py").write_text(HEAVY.replace("AXIS", str(axis)))
        for name in ("axis_light", "axis_heavy"):
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        _package_hash.cache_clear()  # as in a new process
        registry = Registry()
        part = Part(registry.spec("axis", TextEncoderSpec), Model())
        context = Context(registry, Runtime(), Cache(tmp_path / "cache"))
        return int(np.argmax(context.text_encoder(part).encode(["a frog"])[0]))

    assert [encoded(1), encoded(2), encoded(1)] == [1, 2, 1]
    rows = list((tmp_path / "cache").rglob("rows.npy"))
    assert len(rows) == 2
