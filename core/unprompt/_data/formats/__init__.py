"""The files that predictions are kept in, one module per format; see `data.predictions`."""
