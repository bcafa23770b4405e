"""The search for blend weights on held-out cosine similarity."""
