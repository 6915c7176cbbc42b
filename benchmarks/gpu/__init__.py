"""The suite for a machine with a GPU: checks of the kernels, timing, training of the fixtures."""
