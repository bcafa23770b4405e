"""Prompt banks: known prompts with their embeddings, and nearest-neighbour search in them.

Public: model families can be built on this.
"""

from unprompt.bank.cleaning import dedup
from unprompt.bank.disk import BankOnDisk, read_bank
from unprompt.bank.indexing import index_bank, remove_index
from unprompt.bank.interface import Bank, BankCounts, BankTexts
from unprompt.bank.keys import cached_keys
from unprompt.bank.prompts import PromptBank
from unprompt.bank.source import BankConfig
from unprompt.bank.store import BankManifest, StoredBank, verify

__all__ = [
    "Bank",
    "BankConfig",
    "BankCounts",
    "BankManifest",
    "BankOnDisk",
    "BankTexts",
    "PromptBank",
    "StoredBank",
    "cached_keys",
    "dedup",
    "index_bank",
    "read_bank",
    "remove_index",
    "verify",
]
