"""One distribution whose metadata cannot be read keeps no other plugin from being found."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from unprompt._registry import claims
from unprompt._registry.plugins import Registry

ENTRY = b"[unprompt]\nsound = sound_module\n"
METADATA = b"Metadata-Version: 2.1\nName: unprompt-sound\nVersion: 1.0\n"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    claims._warn.cache_clear()
    return tmp_path


def _install(site: Path, folder: str, metadata: bytes | None, entry_points: bytes) -> None:
    made = site / f"{folder}.dist-info"
    made.mkdir()
    if metadata is not None:
        (made / "METADATA").write_bytes(metadata)
    (made / "entry_points.txt").write_bytes(entry_points)
    importlib.invalidate_caches()


@pytest.mark.parametrize(
    ("entry_points", "why"),
    [
        (b"[unprompt]\nbr\xff = module\n", "UnicodeDecodeError: "),
        (b"[unprompt]\nno value\n", "TypeError: "),
    ],
)
def test_entry_points_that_cannot_be_read(
    site: Path,
    entry_points: bytes,
    why: str,
    unprompt: Callable[..., CompletedProcess[str]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    names = [claim.name for claim in Registry().claims]
    _install(site, "unprompt_sound-1.0", METADATA, ENTRY)
    broken = METADATA.replace(b"sound", b"broken")
    _install(site, "unprompt_broken-1.0", broken, entry_points)
    done = unprompt("plugins", "--json")
    assert done.returncode == 0
    assert [row["name"] for row in json.loads(done.stdout)] == sorted([*names, "sound"])
    line = "unprompt-broken 1.0: its entry points cannot be read, so its plugins are missing: "
    [message] = caplog.messages
    assert message.startswith(line + why)


@pytest.mark.parametrize("metadata", [None, b"Metadata-Version: 2.1\n", METADATA + b"X: \xff\n"])
def test_metadata_that_cannot_be_read(site: Path, metadata: bytes | None) -> None:
    _install(site, "unprompt_sound-1.0", metadata, ENTRY)
    registry = Registry()
    claim = registry.claim("sound")
    assert claim.label == "plugin 'sound' (from unprompt_sound 1.0)"
    error = registry.verified(claim).error
    assert error is not None
    assert "failed to load: ModuleNotFoundError: No module named 'sound_module'" in error
    assert ("has metadata that cannot be read" in error) == bool(metadata and b"\xff" in metadata)
