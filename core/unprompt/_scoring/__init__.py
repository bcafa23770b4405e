"""Blends, scores with bootstrap intervals, and the floor and oracle of a score."""
