"""Readers of the texts in image files, one module a format, on bounded bytes."""
