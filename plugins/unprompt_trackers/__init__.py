"""Observers that write runs to trackers: trackio and MLflow."""
