"""The place of an id among millions, in 16 bytes each: a worker process holds no ids."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class Lookup:
    """Sorted 64-bit hashes of N distinct ids.

    An id that is not among them is found by a chance of N / 2**64.

    Attributes:
        hashes: Sorted, uint64 of shape (N,).
        rows: The place of each hash's id.
        salt: With which no two ids have the same hash.
    """

    hashes: npt.NDArray[np.uint64]
    rows: npt.NDArray[np.int64]
    salt: int

    @classmethod
    def of(cls, ids: Sequence[str]) -> Lookup:
        """Of N ids.

        Raises:
            ValueError: An id is repeated.
        """
        for salt in range(8):
            hashes = np.fromiter(_hashes(ids, salt), np.uint64, len(ids))
            rows = np.argsort(hashes)
            hashes = hashes[rows]
            if not (hashes[1:] == hashes[:-1]).any():
                return cls(hashes, rows, salt)
        raise ValueError("ids are repeated")

    def row(self, image_id: str) -> int | None:
        """The place of an id; None where it is unknown."""
        (value,) = _hashes((image_id,), self.salt)
        slot = int(np.searchsorted(self.hashes, np.uint64(value)))
        if slot == len(self.hashes) or int(self.hashes[slot]) != value:
            return None
        return int(self.rows[slot])


def _hashes(ids: Iterable[str], salt: int) -> Iterable[int]:
    key = bytes([salt])
    for image_id in ids:
        name = image_id.encode(errors="surrogatepass")
        yield int.from_bytes(hashlib.blake2b(name, digest_size=8, salt=key).digest())
