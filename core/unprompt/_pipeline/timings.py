"""How long each stage of a run took, and on what."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from unprompt._runs.manifest import Hardware

PACKAGES = (
    "unprompt",
    "faiss-cpu",
    "numpy",
    "open_clip_torch",
    "optuna",
    "pillow",
    "sentence-transformers",
    "timm",
    "torch",
    "transformers",
)


class Timings:
    """Wall-clock seconds by stage, in the order of their first use."""

    def __init__(self) -> None:
        """Nothing has been timed."""
        self.seconds: dict[str, float] = {}

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the block's time to ``stage``."""
        started = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - started
            self.seconds[stage] = self.seconds.get(stage, 0.0) + spent


def hardware() -> Hardware:
    """The machine, and the most memory that this process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    scale = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, KiB on Linux
    return Hardware(
        platform=platform.platform(),
        processor=platform.processor() or platform.machine(),
        cores=os.cpu_count(),
        peak_memory_bytes=peak * scale,
    )


def versions() -> dict[str, str]:
    """Python and the packages whose version can change a result."""
    return {"python": platform.python_version()} | {
        name: importlib.metadata.version(name) for name in PACKAGES
    }
