"""One execution of an experiment: the pipeline, its results and its folder."""
