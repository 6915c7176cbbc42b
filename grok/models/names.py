"""Names of the trained matrices: the keys of every set of weights.

Transformers use TransformerLens's names; the MLP uses the names of its source (``W_E``, ``W_in``, ``W_U``), and so
does the MLP with concatenated embeddings (``W_x``, ``W_y``, ``W``, ``W_U``).
Biases are absent here: the four recipes freeze them at zero. Models of others may have them (``store.checkpoint``).
"""

from __future__ import annotations

from torch import Tensor

Weights = dict[str, Tensor]  # name → matrix, possibly with a leading seed dimension

W_E, W_POS, W_U = "embed.W_E", "pos_embed.W_pos", "unembed.W_U"
W_Q, W_K, W_V, W_O = (f"blocks.0.attn.W_{x}" for x in "QKVO")
W_IN, W_OUT = "blocks.0.mlp.W_in", "blocks.0.mlp.W_out"
MLP_W_E, MLP_W_IN, MLP_W_U = "W_E", "W_in", "W_U"
CONCAT_W_X, CONCAT_W_Y, CONCAT_W, CONCAT_W_U = "W_x", "W_y", "W", "W_U"
