"""Which type of product a machine is quickest with: measured once, kept in the cache, logged."""

from __future__ import annotations

import json
import logging
import platform
import time
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from unprompt._compute.cores import cores_given_back
from unprompt._compute.linear import product
from unprompt._files.cache import Cache
from unprompt.artifacts import read_json
from unprompt.bank.search.bounds import QueryBounds, RowBounds
from unprompt.bank.search.codes import codes_of, least_before_rounding
from unprompt.bank.search.sums import float32_sums
from unprompt.errors import OutputError
from unprompt.types import PlainData

if TYPE_CHECKING:
    import torch

ROWS, QUERIES, DIMS = 2_048, 256, 512
"""Size of the products that are timed: a few milliseconds each."""
WORTH = 1.25
"""How many times as fast 16-bit products have to be: finding and scoring the shortlist costs."""

log = logging.getLogger(__name__)


class Route(BaseModel):
    """What was measured.

    Attributes:
        processor: The processor or GPU.
        ratio: Time of the float32 product over that of the bfloat16 one.
        within_bound: Whether the bfloat16 product kept the proved bound; one that adds up in
            16 bits would not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    processor: str
    ratio: float
    within_bound: bool

    @property
    def sixteen_bits(self) -> bool:
        """Whether bfloat16 products are used."""
        return self.within_bound and self.ratio >= WORTH


def product_kind(device: torch.device) -> torch.dtype:
    """The type of the product: bfloat16 where it pays, else float32."""
    import torch

    return torch.bfloat16 if route_of(device.type).sixteen_bits else torch.float32


@lru_cache
def route_of(device: str) -> Route:
    """The route of this machine; measured where neither this process nor the cache knows it."""
    import torch

    processor = _processor(device)

    def make(folder: Path) -> None:
        (folder / "route.json").write_text(json.dumps(measured(device, processor).model_dump()))

    try:
        key: PlainData = {
            "processor": processor,
            "torch": str(torch.__version__),
            "device": device,
            "version": 2,
        }
        folder = Cache.default().folder("search-routes", key, make)
        route: Route = read_json(folder / "route.json", Route)
    except OutputError:  # no place for a cache is no reason not to search
        route = measured(device, processor)
    log.info(
        "exact search by %s products: bfloat16 takes 1/%.1f of float32's time on %s",
        "bfloat16" if route.sixteen_bits else "float32",
        route.ratio,
        processor,
    )
    return route


def measured(device: str, processor: str) -> Route:
    """Time both products and check the 16-bit one against its bound."""
    import torch

    generator = torch.Generator("cpu").manual_seed(0)
    both = torch.empty(ROWS + QUERIES, DIMS, dtype=torch.float32, device="cpu")
    both = both.normal_(generator=generator).to(device)
    rows, queries = both[:ROWS], both[ROWS:]
    coarse_rows, coarse = rows.bfloat16(), queries.bfloat16()
    single = _seconds(rows, queries)
    ratio = single / _seconds(coarse_rows, coarse)
    residual = (rows - coarse_rows).double().norm(dim=1).max()
    bounds = RowBounds(float(rows.double().norm(dim=1).max()), float(residual))
    error = QueryBounds.of(queries, coarse).error(bounds)
    with float32_sums(rows.device):
        scores = rows.new_empty(len(rows), len(queries), dtype=torch.bfloat16)
        product(coarse_rows, coarse, scores)
    exact = rows.double() @ queries.double().T
    above = exact + error < least_before_rounding(codes_of(scores))
    below = exact - error > -least_before_rounding(codes_of(-scores))
    return Route(processor=processor, ratio=ratio, within_bound=not bool((above | below).any()))


def _seconds(rows: torch.Tensor, queries: torch.Tensor) -> float:
    """The least time of a few products; of this thread alone on a processor.

    What else the machine does is not in it.
    """
    import torch

    on_gpu = rows.device.type == "cuda"
    scores = rows.new_empty(len(rows), len(queries))
    clock, spent = (time.perf_counter if on_gpu else time.thread_time), []
    with cores_given_back():
        torch.set_num_threads(1)
        for _ in range(5):
            start = clock()
            product(rows, queries, scores)
            if on_gpu:
                torch.cuda.synchronize()
            spent.append(clock() - start)
    return max(min(spent), 1e-9)


def _processor(device: str) -> str:
    """The GPU's name, or the processor's with what it can do with 16 bits."""
    import torch

    if device == "cuda":
        return torch.cuda.get_device_name()
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine()
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    known = {name.strip(): value.strip() for name, value in fields.items()}
    flags = [flag for flag in known.get("flags", "").split() if "bf16" in flag or "avx512f" in flag]
    return " ".join([known.get("model name", platform.machine()), *sorted(flags)])
