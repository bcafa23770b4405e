"""Plugins of the core: datasets of files, tables and shards, and the text encoder minilm."""
