"""Strict YAML configuration: read, compose, validate, and say exactly where a mistake stands."""
