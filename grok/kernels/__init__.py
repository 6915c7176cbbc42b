"""The operations of a training step. Each has a plain ``reference.py``; faster forms stand beside it and must agree."""
