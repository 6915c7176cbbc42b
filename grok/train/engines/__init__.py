"""How one training step is computed. All engines give the same numbers, up to rounding."""
