"""A network as it is used from a notebook: one object with its weights, its training run, its hooks and its plots."""
