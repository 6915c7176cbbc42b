"""The settings and the state of a training run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from grok import commit
from grok.models import matrices as weights
from grok.recipe import Recipe

# How the products of the GPU's engines round (``kernels.dot``).
PRECISIONS = {"triton": "bf16x6", "triton_tf32x3": "tf32x3", "triton_ieee": "ieee"}


@dataclass(frozen=True)
class Settings:
    """How a recipe is run. The settings are not meant to change the result, except for rounding."""

    device: str = "cpu"
    engine: str = "manual"
    threads: int = 0  # 0: torch's default
    eval_every: int = 10
    engine_check: str = ""  # why this engine was taken (``train.choose``)

    def describe(self) -> dict[str, Any]:
        cuda = self.device.startswith("cuda")
        check = {"engine_check": self.engine_check} if self.engine_check else {}
        precision = {"precision": PRECISIONS[self.engine]} if self.engine in PRECISIONS else {}
        return (
            check
            | precision
            | {
                "engine": self.engine,
                "device": torch.cuda.get_device_name(self.device) if cuda else "cpu",
                "threads": torch.get_num_threads(),
                "eval_every": self.eval_every,
                "torch": torch.__version__,
                "commit": commit.of_package(),
            }
        )


DEFAULTS = Settings()


@dataclass(eq=False)
class State:
    """Everything on which the next step depends, and the losses so far. Each of the S seeds has a row."""

    step: int
    flat: Tensor  # [S, P]
    exp_avg: Tensor  # [S, P]
    exp_avg_sq: Tensor  # [S, P]
    train_loss: Tensor  # [S, steps + 1] float64: loss of the weights after t updates; NaN where not computed
    test_loss: Tensor  # [S, steps + 1], at multiples of eval_every and at the end
    seconds: float = 0.0

    def tensors(self) -> dict[str, Tensor]:
        names = ("flat", "exp_avg", "exp_avg_sq", "train_loss", "test_loss")
        scalars = {"step": torch.tensor(self.step), "seconds": torch.tensor(self.seconds, dtype=torch.float64)}
        return {name: getattr(self, name).cpu().contiguous() for name in names} | scalars

    @classmethod
    def fresh(cls, recipes: list[Recipe], device: str) -> State:
        flat = torch.stack([weights.flatten(weights.initial(r), r) for r in recipes]).to(device)
        losses = torch.full((len(recipes), recipes[0].steps + 1), float("nan"), dtype=torch.float64)
        return cls(0, flat, torch.zeros_like(flat), torch.zeros_like(flat), losses, losses.clone())

    @classmethod
    def load(cls, path: Path, device: str) -> State:
        t = load_file(path)
        moved = {name: t[name].to(device) for name in ("flat", "exp_avg", "exp_avg_sq")}
        return cls(
            int(t["step"]), **moved, train_loss=t["train_loss"], test_loss=t["test_loss"], seconds=float(t["seconds"])
        )

    def extend(self, steps: int, eval_every: int) -> None:
        """Make room for the losses of as many steps. The run then goes on as if it had been as long from the start.

        A run's last step has a test loss whatever ``eval_every`` says; if it is not the last any more, it has none.
        """
        last = self.train_loss.shape[1] - 1
        if steps == last:
            return
        more = torch.full((len(self.flat), steps - last), float("nan"), dtype=torch.float64)
        self.train_loss, self.test_loss = (torch.cat([loss, more], 1) for loss in (self.train_loss, self.test_loss))
        if last % eval_every:
            self.test_loss[:, last] = float("nan")
