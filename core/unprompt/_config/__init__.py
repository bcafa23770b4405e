"""Strict YAML configuration: read, compose and validate; errors name file, line and column."""
