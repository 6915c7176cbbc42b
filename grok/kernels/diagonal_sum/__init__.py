"""All cosine coefficients of a logit cube in one pass; see ``reference``."""

from grok.kernels.diagonal_sum.reference import coefficients

__all__ = ["coefficients"]
