"""The plugins that come with the core: two datasets and the text encoder."""
