"""Pictures, prompt tables and predictions on disk."""
