"""Whether the numbers of a step are finite, without a GPU that waits for the answer."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import torch


class Taken(NamedTuple):
    """What one step gave.

    Attributes:
        step: Steps taken before it.
        epoch: Counted from 0.
        rows: The samples of its batch, on the CPU.
        values: Its loss and the length of its gradient.
    """

    step: int
    epoch: int
    rows: torch.Tensor
    values: dict[str, float]

    @property
    def is_finite(self) -> bool:
        """Whether both are."""
        return all(map(math.isfinite, self.values.values()))


@dataclass(frozen=True, slots=True)
class _Underway:
    """A step whose numbers a device may still be computing."""

    step: int
    epoch: int
    rows: torch.Tensor
    names: tuple[str, ...]
    numbers: torch.Tensor
    computed: torch.cuda.Event | None

    def read(self) -> Taken:
        """Wait for them."""
        if self.computed is not None:
            self.computed.synchronize()
        values = dict(zip(self.names, self.numbers.tolist(), strict=True))
        return Taken(self.step, self.epoch, self.rows, values)


class Checks:
    """The steps of a fit whose numbers nobody has looked at yet.

    Reading a number of a GPU waits for all that the GPU was asked to do, and meanwhile nothing is
    asked of it: so those of a step are read while it computes the next one.
    """

    def __init__(self, *, late: bool) -> None:
        """Begin with none.

        Args:
            late: Whether numbers lie on a GPU, and `ready` leaves out the last step.
        """
        self._late, self._waiting = late, deque[_Underway]()

    def add(
        self, step: int, epoch: int, rows: torch.Tensor, values: dict[str, torch.Tensor]
    ) -> None:
        """A step that was just asked for; ``values`` are scalars on one device."""
        import torch

        numbers = torch.stack([value.double() for value in values.values()])
        computed: torch.cuda.Event | None = None
        if numbers.is_cuda:
            numbers = numbers.to("cpu", non_blocking=True)
            computed = torch.cuda.Event()  # type: ignore[no-untyped-call]  # torch's
            computed.record()
        self._waiting.append(_Underway(step, epoch, rows, tuple(values), numbers, computed))

    def ready(self) -> list[Taken]:
        """Steps that can be looked at while the device goes on."""
        return self._read(1 if self._late else 0)

    def all(self) -> list[Taken]:
        """All steps, as soon as they are computed."""
        return self._read(0)

    def _read(self, leave: int) -> list[Taken]:
        count = max(0, len(self._waiting) - leave)
        return [self._waiting.popleft().read() for _ in range(count)]
