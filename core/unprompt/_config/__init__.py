"""Strict YAML configuration: read, compose and validate; errors name file, line and column."""

from unprompt._config.metadata import skip_broken_metadata

skip_broken_metadata()  # before pydantic, which asks for entry points when it makes the first model
