"""Products and threads: as quick as the processor allows, with the same results."""
