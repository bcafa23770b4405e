"""Colours for unprompt."""
