"""Fitting models: the loop, its checkpoints, the order of samples, losses and metrics.

Families whose `prepare` trains use it, and so do the recipes of the packaged towers.
"""
