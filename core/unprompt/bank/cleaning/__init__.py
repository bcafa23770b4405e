"""What is left out of banks: near-duplicates, and prompts of too many tokens."""

from unprompt.bank.cleaning.deduplicating import Deduplicated, dedup
from unprompt.bank.cleaning.tokens import MaxTokens

__all__ = ["Deduplicated", "MaxTokens", "dedup"]
