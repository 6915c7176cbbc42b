"""Cross-entropy and its gradient, in Triton and in torch, against float64 where softmax fails."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

pytest.importorskip("triton", reason="Triton is for Linux on x86-64")

from comparing import (  # fixtures of every test here: interpreted_as_by_triton_3_6, poisoned
    DEVICE,
    STRICT,
    close,
    interpreted_as_by_triton_3_6,  # noqa: F401 (pytest finds it by its name)
    poisoned,  # noqa: F401 (pytest finds it by its name)
    random,
)

from grok.kernels.cross_entropy import reference
from grok.kernels.cross_entropy import triton as kernel

pytestmark = STRICT


@pytest.mark.parametrize("shape", [(1, 5, 7), (2, 19, 13), (1, 33, 113), (1, 1, 20)])
def test_cross_entropy(shape: tuple[int, int, int]):
    """The gradient goes to columns of a wider tensor, as in a training step."""
    logits = random(*shape) * 4
    labels = torch.randint(shape[2], shape[:2], generator=torch.Generator().manual_seed(1)).to(DEVICE)
    grad = torch.empty(*shape[:2], shape[2] + 9, device=DEVICE)[..., 9:]
    loss = kernel.mean_loss(logits, labels, grad=grad)
    expected_loss, expected_grad = reference.loss_and_grad(logits.double(), labels)
    close(loss, expected_loss)
    close(grad, expected_grad)
    assert torch.equal(kernel.mean_loss(logits, labels), loss)


def _triton(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    grad = torch.empty_like(logits)
    return kernel.mean_loss(logits, labels, grad=grad), grad


@pytest.mark.parametrize("compute", [_triton, reference.loss_and_grad], ids=["triton", "torch"])
def test_cross_entropy_is_right_from_5_to_1e_12(compute: Callable):
    """Against log1p in float64: relative 1e-6, of the loss and of the right class's gradient, where softmax fails.

    Every row is a seed of its own, so that its mean is its loss.
    """
    margins = torch.linspace(-5, 32, 38)
    logits = torch.cat([random(38, 113) * 0.3, random(38, 1, seed=1) * 0.3 + margins[:, None].to(DEVICE)], dim=1)
    labels = torch.full((38, 1), 113, device=DEVICE)
    wrong = (logits[:, :113].double() - logits[:, 113:].double()).exp().sum(-1)
    expected = torch.log1p(wrong)
    assert expected.max() > 5
    assert expected.min() < 1e-11
    loss, grad = compute(logits[:, None].contiguous(), labels)
    torch.testing.assert_close(loss.double(), expected, rtol=1e-6, atol=0)
    torch.testing.assert_close(grad[:, 0, 113].double(), -wrong / (1 + wrong), rtol=2e-6, atol=0)


def test_the_gradient_by_autograd_is_right_from_5_to_1e_12():
    """Engines with autograd get theirs through ``losses``: it must not come from numbers that cancel either."""
    margins = torch.linspace(-5, 32, 38)
    logits = torch.cat([random(38, 113) * 0.3, margins[:, None].to(DEVICE)], dim=1).requires_grad_()
    labels = torch.full((38,), 113, device=DEVICE)
    (grad,) = torch.autograd.grad(reference.losses(logits, labels).sum(), logits)
    probabilities = logits.detach().double().softmax(-1)
    wrong = probabilities[:, :113].sum(-1, keepdim=True)
    torch.testing.assert_close(grad.double(), torch.cat([probabilities[:, :113], -wrong], dim=1), rtol=3e-6, atol=0)


def test_cross_entropy_with_gaps_beyond_the_exponents_range_and_with_classes_that_never_are():
    logits = torch.tensor([[0.0, 1000.0, -300.0], [1000.0, 0.0, -300.0]], device=DEVICE)
    labels = torch.tensor([0, 0], device=DEVICE)
    padded = torch.nn.functional.pad(logits, (0, 13), value=-math.inf)
    expected = torch.tensor([1000.0, 0.0], device=DEVICE)
    gradient = torch.tensor([[-0.5, 0.5, 0], [0, 0, 0]], device=DEVICE)
    for given in (logits, padded):
        out = torch.empty(2, 2 * given.shape[1], device=DEVICE)[:, 3 : 3 + given.shape[1]]
        torch.testing.assert_close(reference.losses(given, labels), expected)
        loss, grad = reference.loss_and_grad(given, labels, out=out)
        assert float(loss) == 500
        assert grad.data_ptr() == out.data_ptr()
        torch.testing.assert_close(grad[:, :3], gradient)
        assert float(grad[:, 3:].abs().sum()) < 1e-27


def test_a_log_softmax_in_float32_is_not_right():
    """So the test above is not empty."""
    logits = torch.zeros(1, 113)
    logits[0, 0] = 22
    expected = math.log1p(112 * math.exp(-22))
    assert abs(float(-logits.log_softmax(-1)[0, 0]) / expected - 1) > 0.01
