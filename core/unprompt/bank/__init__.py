"""Prompt banks: known prompts with their embeddings, and nearest-neighbour search in them.

Public: model families can be built on this.
"""

from unprompt.bank.prompts import PromptBank
from unprompt.bank.source import BankConfig

__all__ = ["BankConfig", "PromptBank"]
