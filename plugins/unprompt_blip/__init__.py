"""The interrogator: a caption, and the phrases that CLIP finds nearest to the image."""
