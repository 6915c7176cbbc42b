"""From the neurons to the logits, and back; see ``reference``."""

from grok.kernels.relu_readout.reference import relu_readout, relu_readout_backward

__all__ = ["relu_readout", "relu_readout_backward"]
