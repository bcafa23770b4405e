"""Prompt banks: known prompts with their embeddings, and what is near in them.

Public: families are built on this.
"""

from unprompt.bank.prompts import PromptBank
from unprompt.bank.source import BankConfig

__all__ = ["BankConfig", "PromptBank"]
