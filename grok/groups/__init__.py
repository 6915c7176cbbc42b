"""Finite groups: Cayley tables of elements numbered from 0, and their irreducible representations over the reals."""
