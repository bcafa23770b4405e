"""Prompts that a generator left in the file: read, not predicted."""
