"""Measures: pure functions of float64 tensors (and key frequencies, labels, p), one module per stage of the network."""
