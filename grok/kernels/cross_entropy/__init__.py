"""Cross-entropy of logits and labels; see ``reference``."""

from grok.kernels.cross_entropy.reference import loss_and_grad, losses

__all__ = ["loss_and_grad", "losses"]
