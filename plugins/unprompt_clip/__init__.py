"""Trained image towers with a linear head to the target space."""
