"""Prompts -> embeddings: the packaged text encoder, and its results kept between runs."""
