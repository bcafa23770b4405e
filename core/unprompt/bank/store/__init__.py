"""Banks on disk: the manifest, shards, opening, verifying, and writing rows that exist."""

from unprompt.bank.store.arrays import HalfArray, halved
from unprompt.bank.store.manifest import (
    BankBackbone,
    BankFilter,
    BankIndex,
    BankManifest,
    BankShard,
    BankSource,
)
from unprompt.bank.store.stored import StoredBank
from unprompt.bank.store.verify import verify
from unprompt.bank.store.writer import SHARD_ROWS, BankWriter, writing_bank

__all__ = [
    "SHARD_ROWS",
    "BankBackbone",
    "BankFilter",
    "BankIndex",
    "BankManifest",
    "BankShard",
    "BankSource",
    "BankWriter",
    "HalfArray",
    "StoredBank",
    "halved",
    "verify",
    "writing_bank",
]
