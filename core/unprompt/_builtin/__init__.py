"""Plugins of the core: the datasets kaggle and pairs, and the text encoder minilm."""
