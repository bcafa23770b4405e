"""A run's folder as one HTML page: no network, no JavaScript, nothing beside the file."""
