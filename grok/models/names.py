"""Names of the trained matrices: the keys of every set of weights.

Transformers use TransformerLens's names. The MLPs use the names of their sources: ``W_E``, ``W_in``, ``W_U``, and
``W_x``, ``W_y``, ``W``, ``W_U`` for two embeddings side by side; the quadratic one's are ``W_a``, ``W_b``, ``W_out``.
The positions of a context ``a b`` have a name of their own. It tells a pizza transformer from one that reads ``a b =``.
The recipes of ``mlp``, ``concat``, ``quadratic`` and ``transformer`` have no biases. Models of others may have them
(``store.checkpoint``).
"""

from __future__ import annotations

from torch import Tensor

Weights = dict[str, Tensor]  # name → matrix, possibly with a leading seed dimension

W_E, W_POS, W_U = "embed.W_E", "pos_embed.W_pos", "unembed.W_U"
W_Q, W_K, W_V, W_O = (f"blocks.0.attn.W_{x}" for x in "QKVO")
W_IN, W_OUT = "blocks.0.mlp.W_in", "blocks.0.mlp.W_out"
B_IN, B_OUT = "blocks.0.mlp.b_in", "blocks.0.mlp.b_out"
W_POS_AB = "pos_embed.W_pos_ab"
W_E_A = "embed.W_E_a"  # of the first input alone, where it has an embedding of its own
MLP_W_E, MLP_W_IN, MLP_W_U = "W_E", "W_in", "W_U"
TWO_HOT_A, TWO_HOT_B, TWO_HOT_OUT = "W_a", "W_b", "W_out"
CONCAT_W_X, CONCAT_W_Y, CONCAT_W, CONCAT_W_U = "W_x", "W_y", "W", "W_U"
