"""Blends, scores with intervals, and the floor and oracle of a score."""
