"""Images, prompt tables and predictions on disk."""
