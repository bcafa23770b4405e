"""Members of an ensemble: preparing them, predicting with them, and dry runs."""
