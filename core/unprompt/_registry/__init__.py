"""Find plugins, and build ensembles and experiments from YAML that names them."""
