"""What the tests of the kernels share. Every kernel equals its reference; what it must write is NaN before.

Without a GPU the kernels run in Triton's interpreter: sizes are small and awkward, never a multiple of a block.
"""

import os
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor
from triton.runtime import interpreter

DEVICE = "cuda" if torch.cuda.is_available() and os.environ.get("TRITON_INTERPRET") != "1" else "cpu"
TOLERANCE = 1e-5
# also where pyproject.toml is not read
STRICT = pytest.mark.filterwarnings("error::DeprecationWarning")


@pytest.fixture(autouse=True)
def poisoned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fresh memory holds NaN: an entry that a kernel forgets to write is seen."""

    def poison(make: Callable) -> Callable:
        return lambda *args, **kwargs: t.fill_(float("nan")) if (t := make(*args, **kwargs)).is_floating_point() else t

    monkeypatch.setattr(torch, "empty", poison(torch.empty))
    monkeypatch.setattr(torch, "empty_like", poison(torch.empty_like))
    monkeypatch.setattr(Tensor, "new_empty", poison(Tensor.new_empty))


@pytest.fixture(autouse=True)
def interpreted_as_by_triton_3_6(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its interpreter reads a loop bound by ``int()`` of an array with one entry: deprecated, an error in numpy 2.5."""
    patch = interpreter._patch_lang_tensor

    def patched(tensor: type, *scope: object) -> None:
        patch(tensor, *scope)
        tensor.__index__ = lambda self: int(self.handle.data)

    monkeypatch.setattr(interpreter, "_patch_lang_tensor", patched)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(DEVICE)


def pairs(n_seeds: int, n: int, p: int) -> Tensor:
    """Distinct pairs for each seed, as a split draws them; some tokens may be in no pair."""
    drawn = [torch.randperm(p * p, generator=torch.Generator().manual_seed(s))[:n] for s in range(n_seeds)]
    which = torch.stack(drawn)
    return torch.stack([which // p, which % p], dim=-1).to(DEVICE)


def close(found: Tensor, expected: Tensor, tolerance: float = TOLERANCE) -> None:
    """Relative to the norm of the whole; NaN is never close."""
    assert found.shape == expected.shape
    error = float((found.double() - expected.double()).norm() / expected.double().norm())
    assert error <= tolerance, error


def doubles(*tensors: Tensor) -> Iterator[Tensor]:
    return (t.double().requires_grad_() for t in tensors)
