"""Readable prompts for predicted embeddings: chosen among candidates, then edited."""
