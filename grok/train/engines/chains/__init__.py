"""What a network's weights become before any pair is seen, and the gradients' way back: products, a launch a level.

A chain reads the matrices where they are in the flat row and writes each gradient to its place. Everything between has
memory of its own, allocated once: the tables of ``Products`` hold addresses. Products of one level depend on no other
of that level.

``manual`` writes the same chain rule for one seed. The two are not shared: ``manual`` pads its tables to cache lines,
so its gradients arrive in another form; and it multiplies by torch, whose bits change with a seed dimension in front.
Tests hold both to ``folded``.
"""

from grok.train.engines.chains.chain import Chain, Mixed, padded
from grok.train.engines.chains.mlp import MLP
from grok.train.engines.chains.transformer import Transformer

CHAINS: dict[str, type[MLP] | type[Transformer]] = {"mlp": MLP, "transformer": Transformer}

__all__ = ["CHAINS", "MLP", "Chain", "Mixed", "Transformer", "padded"]
