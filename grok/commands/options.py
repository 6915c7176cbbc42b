"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import tyro

# Text, because a look at ``--help`` must not import torch; a test compares it with ``train.fields``.
SET_HELP = """change one field of the recipe, as in weight_decay=0.3; repeat it for other fields. In a sweep a field may
have several values, as in weight_decay=0.3,1. Fields: p, steps, d_model, n_heads, d_head, d_mlp, warmup (whole
numbers); train_frac, weight_decay, lr, eps (numbers); betas (two numbers, as in betas=0.9,0.98);
loss (cross-entropy or squared error); activation (relu or gelu)."""

Set = Annotated[
    tyro.conf.UseAppendAction[tuple[str, ...]],
    tyro.conf.arg(name="set", metavar="KEY=VALUE", help=" ".join(SET_HELP.split())),
]
