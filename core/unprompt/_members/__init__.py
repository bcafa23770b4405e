"""One member of an ensemble: prepared, predicting, under other options, and in a dry run."""
