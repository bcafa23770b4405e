"""Blends, their scores with intervals, and the floor and oracle around every score."""
