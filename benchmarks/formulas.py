"""Progress measures of one checkpoint as source S writes them, for comparison: the model on all pairs for each
measure, cubes of p³ numbers for each frequency, projections pair by pair on [p², d_mlp] activations.

Written from the formulas of source S (sections 4.2.2, 4.3 and 4.4), in float32 like the source, losses in float64.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from grok.models.hooked import definition, transformer
from grok.task import Split, Task


class Sources:
    """One checkpoint of a modular transformer, hooked; cubes and labels are made once for all checkpoints."""

    def __init__(self, task: Task, split: Split):
        p = task.p
        self.task, self.split, self.labels = task, split, task.labels()
        a, b, c = torch.meshgrid(*[torch.arange(p)] * 3, indexing="ij")
        angles = 2 * math.pi / p * ((a + task.sign * b - c) % p)
        cubes = torch.stack([(k * angles).cos() for k in range(1, (p + 1) // 2)])
        self.cubes = cubes / cubes.flatten(1).norm(dim=1)[:, None, None, None]  # [56, p, p, p]: 323 MB at p = 113
        self.basis = self._basis(p)

    @staticmethod
    def _basis(p: int) -> Tensor:
        rows = [torch.ones(p) / math.sqrt(p)]
        for k in range(1, (p + 1) // 2):
            angle = 2 * math.pi * k / p * torch.arange(p)
            rows += [angle.cos() / angle.cos().norm(), angle.sin() / angle.sin().norm()]
        return torch.stack(rows)

    @torch.no_grad()
    def measures(self, model: definition.Model, keys: Sequence[int]) -> dict[str, float]:
        """What source S records of every checkpoint, each by its own pass through the model."""
        return {
            "coefficients": float(self.coefficients(model).norm()),
            "key_cos2": float(self.cosines(model)[torch.tensor(keys) - 1].square().sum()),
            "rest": self.rest(model),
            "restricted_loss": self.restricted(model, keys),
            "excluded_loss": self.excluded(model, keys),
            "gini_W_E": self.gini(model),
        }

    def _cube(self, model: definition.Model) -> Tensor:
        return definition.logits(model, self.task).unflatten(0, (self.task.p, self.task.p))

    def _run(self, model: definition.Model) -> tuple[Tensor, Tensor, Tensor]:
        logits, cache = model.run_with_cache(transformer.tokens(self.task))
        return logits[:, -1], cache["blocks.0.mlp.hook_post"][:, -1], cache["blocks.0.hook_resid_mid"][:, -1]

    def coefficients(self, model: definition.Model) -> Tensor:
        """Dot products with the cubes of all k: [(p-1)/2]."""
        return (self.cubes * self._cube(model)[None]).sum((-3, -2, -1))

    def cosines(self, model: definition.Model) -> Tensor:
        """Cosine similarities with the cubes of all k: [(p-1)/2]."""
        cube = self._cube(model)
        return (self.cubes * cube[None]).sum((-3, -2, -1)) / cube.norm()

    def rest(self, model: definition.Model) -> float:
        """Norm of what no cube explains over the norm of the logits."""
        cube = self._cube(model)
        found = (self.cubes * cube[None]).sum((-3, -2, -1))
        rest = cube - (found[:, None, None, None] * self.cubes).sum(0)
        return float(rest.norm() / cube.norm())

    def _projected(self, post: Tensor, keys: Sequence[int]) -> Tensor:
        total = torch.zeros_like(post)
        for k in keys:
            angle = 2 * math.pi * k / self.task.p * self.labels
            for wave in (angle.cos(), angle.sin()):
                direction = (wave / wave.norm())[:, None]
                total += (post * direction).sum(0) * direction
        return total

    def _loss(self, logits: Tensor, which: Tensor) -> float:
        log_probs = logits[which].double().log_softmax(-1)
        return float(-log_probs.gather(1, self.labels[which, None]).mean())

    def restricted(self, model: definition.Model, keys: Sequence[int]) -> float:
        logits, post, _ = self._run(model)
        kept = self._projected(post, keys) @ model.W_out[0] @ model.W_U
        kept = kept + logits.mean(0, keepdim=True) - kept.mean(0, keepdim=True)
        return self._loss(kept, self.split.test)

    def excluded(self, model: definition.Model, keys: Sequence[int]) -> float:
        _, post, resid_mid = self._run(model)
        rest = post - self._projected(post, keys)
        return self._loss((rest @ model.W_out[0] + resid_mid) @ model.W_U, self.split.train)

    def gini(self, model: definition.Model) -> float:
        norms = (self.basis @ model.W_E[:-1]).norm(dim=1)
        norms = norms[1:].view(-1, 2).square().sum(1).sqrt().sort().values
        n = len(norms)
        return float(((2 * torch.arange(1, n + 1) - n - 1) * norms).sum() / (n * norms.sum()))
