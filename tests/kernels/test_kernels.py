"""Every Triton kernel equals its reference, forward and backward, in float32; what it must write is NaN before.

Without a GPU the kernels run in Triton's interpreter: sizes are small and awkward, never a multiple of a block.
"""

import math
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from grok.kernels.adamw import reference as adamw_reference
from grok.kernels.cross_entropy import reference as cross_entropy_reference
from grok.kernels.fixed_order import reference as fixed_reference
from grok.kernels.relu_readout import reference as readout_reference
from grok.kernels.token_mix import reference as mix_reference

pytest.importorskip("triton", reason="Triton is for Linux on x86-64")

import triton
import triton.language as tl
from triton.runtime import interpreter

from grok.kernels.adamw import triton as adamw_triton
from grok.kernels.cross_entropy import triton as cross_entropy_triton
from grok.kernels.fixed_order import triton as fixed_triton
from grok.kernels.relu_readout import triton as readout_triton
from grok.kernels.token_mix import triton as mix_triton

pytestmark = pytest.mark.filterwarnings("error::DeprecationWarning")  # also where pyproject.toml is not read
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
TOLERANCE = 1e-5


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


@triton.jit
def _count(bound, out):
    n = 0
    for _ in range(0, tl.load(bound)):
        n += 1
    tl.store(out, n)


@pytest.mark.skipif(DEVICE == "cuda", reason="of the interpreter")
def test_a_loop_bound_that_is_no_constant_would_be_seen():
    with pytest.raises(Exception, match=r"to a scalar|to Python scalars"):
        _count[(1,)](torch.tensor([3]), torch.zeros(1, dtype=torch.int64))


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(DEVICE)


def _pairs(n_seeds: int, n: int, p: int) -> Tensor:
    """Distinct pairs for each seed, as a split draws them; some tokens may be in no pair."""
    drawn = [torch.randperm(p * p, generator=torch.Generator().manual_seed(s))[:n] for s in range(n_seeds)]
    which = torch.stack(drawn)
    return torch.stack([which // p, which % p], dim=-1).to(DEVICE)


def _close(found: Tensor, expected: Tensor, tolerance: float = TOLERANCE) -> None:
    """Relative to the norm of the whole; NaN is never close."""
    assert found.shape == expected.shape
    error = float((found.double() - expected.double()).norm() / expected.double().norm())
    assert error <= tolerance, error


def _doubles(*tensors: Tensor) -> Iterator[Tensor]:
    return (t.double().requires_grad_() for t in tensors)


# ── cross-entropy ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("shape", [(1, 5, 7), (2, 19, 13), (1, 33, 113), (1, 1, 20)])
def test_cross_entropy(shape: tuple[int, int, int]):
    logits = _random(*shape) * 4
    labels = torch.randint(shape[2], shape[:2], generator=torch.Generator().manual_seed(1)).to(DEVICE)
    loss, grad = cross_entropy_triton.loss_and_grad(logits, labels)
    expected_loss, expected_grad = cross_entropy_reference.loss_and_grad(logits.double(), labels)
    _close(loss, expected_loss)
    _close(grad, expected_grad)
    _close(cross_entropy_triton.losses(logits, labels), cross_entropy_reference.losses(logits.double(), labels))


@pytest.mark.parametrize("kernel", [cross_entropy_triton, cross_entropy_reference], ids=["triton", "torch"])
def test_cross_entropy_is_right_from_5_to_1e_12(kernel):
    """Against log1p in float64: relative 1e-6, of the loss and of the right class's gradient, where softmax fails."""
    margins = torch.linspace(-5, 32, 38)
    logits = torch.cat([_random(38, 113) * 0.3, _random(38, 1, seed=1) * 0.3 + margins[:, None].to(DEVICE)], dim=1)[
        None
    ]
    labels = torch.full((1, 38), 113, device=DEVICE)
    wrong = (logits[..., :113].double() - logits[..., 113:].double()).exp().sum(-1)
    expected = torch.log1p(wrong)
    assert expected.max() > 5
    assert expected.min() < 1e-11
    torch.testing.assert_close(kernel.losses(logits, labels).double(), expected, rtol=1e-6, atol=0)
    _, grad = kernel.loss_and_grad(logits.clone(), labels)
    torch.testing.assert_close(grad[..., 113].double() * 38, -wrong / (1 + wrong), rtol=2e-6, atol=0)


def test_the_gradient_by_autograd_is_right_from_5_to_1e_12():
    """Engines with autograd get theirs through ``losses``: it must not come from numbers that cancel either."""
    margins = torch.linspace(-5, 32, 38)
    logits = torch.cat([_random(38, 113) * 0.3, margins[:, None].to(DEVICE)], dim=1).requires_grad_()
    labels = torch.full((38,), 113, device=DEVICE)
    (grad,) = torch.autograd.grad(cross_entropy_reference.losses(logits, labels).sum(), logits)
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
        torch.testing.assert_close(cross_entropy_reference.losses(given, labels), expected)
        loss, grad = cross_entropy_reference.loss_and_grad(given, labels, out=out)
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


# ── token mix ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("n_seeds", "n", "p", "h", "d"), [(1, 19, 7, 4, 21), (2, 21, 13, 2, 130), (1, 25, 113, 1, 9)])
def test_token_mix(n_seeds: int, n: int, p: int, h: int, d: int):
    scores, values, pairs = _random(n_seeds, 2 * p + 1, h), _random(n_seeds, h, 2 * p + 1, d), _pairs(n_seeds, n, p)
    segments = mix_triton.Segments.of(pairs, p)
    mixed, weights = mix_triton.token_mix(scores, values, segments)
    exact_scores, exact_values = _doubles(scores, values)
    expected = mix_reference.token_mix(exact_scores, exact_values, pairs)
    _close(mixed, expected.detach())
    grad = _random(*mixed.shape, seed=2)
    expected.backward(grad.double())
    dscores, dvalues = mix_triton.token_mix_backward(grad, values, weights, segments)
    _close(dscores, exact_scores.grad)
    _close(dvalues, exact_values.grad)


@pytest.mark.parametrize(("n_seeds", "n", "p", "d"), [(2, 19, 7, 150), (1, 25, 113, 9)])
def test_gather_pairs(n_seeds: int, n: int, p: int, d: int):
    table, pairs = _random(n_seeds, p, d), _pairs(n_seeds, n, p)
    segments = mix_triton.Segments.of(pairs, p)
    (exact,) = _doubles(table)
    seeds = torch.arange(n_seeds, device=DEVICE)[:, None]
    expected = exact[seeds, pairs[..., 0]] + exact[seeds, pairs[..., 1]]
    _close(mix_triton.gather_pairs(table, segments), expected.detach())
    grad = _random(n_seeds, n, d, seed=2)
    expected.backward(grad.double())
    _close(mix_triton.gather_pairs_backward(grad, segments), exact.grad)


# ── readout ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize(("n_seeds", "n", "m", "c"), [(1, 5, 70, 7), (2, 70, 40, 13), (1, 65, 33, 113)])
def test_relu_readout(n_seeds: int, n: int, m: int, c: int, direct: bool):
    """``pre`` and ``direct`` are columns of one wider tensor, as they are in a training step."""
    wide, unembedding = _random(n_seeds, n, m + c), _random(n_seeds, m, c, seed=1)
    pre, skip = wide[..., :m], wide[..., m:] if direct else None
    exact_wide, exact_u = _doubles(wide, unembedding)
    expected = readout_reference.relu_readout(exact_wide[..., :m], exact_u, exact_wide[..., m:] if direct else None)
    _close(readout_triton.relu_readout(pre, unembedding, skip), expected.detach())
    grad = _random(n_seeds, n, c, seed=2)
    expected.backward(grad.double())
    into = torch.empty_like(wide)
    dpre, dunembedding = readout_triton.relu_readout_backward(grad, pre, unembedding, dpre=into[..., :m])
    assert dpre.data_ptr() == into.data_ptr()
    _close(dpre, exact_wide.grad[..., :m])
    _close(dunembedding, exact_u.grad)
    for found, wanted in zip(
        readout_reference.relu_readout_backward(grad, pre, unembedding), (dpre, dunembedding), strict=True
    ):
        _close(found, wanted)


# ── products and sums in a fixed order ──


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((2, 5, 7), (2, 7, 9)),
        ((3, 1, 33), (3, 33, 40)),
        ((2, 1, 35, 20), (2, 3, 20, 33)),  # one left factor for all heads
        ((2, 3, 4, 40), (2, 1, 40, 5)),
    ],
)
def test_matmul_in_a_fixed_order(left: tuple[int, ...], right: tuple[int, ...]):
    """Also of transposed matrices and of slices."""
    a, b = _random(*left), _random(*right, seed=1)
    expected = fixed_reference.matmul(a.double(), b.double())
    _close(fixed_triton.matmul(a, b), expected)
    _close(fixed_triton.matmul(a.mT.contiguous().mT, b.mT.contiguous().mT), expected)
    sliced = torch.nn.functional.pad(a, (3, 0))[..., 3:]
    _close(fixed_triton.matmul(sliced, b), expected)


@pytest.mark.parametrize("shape", [(2, 1, 5), (1, 19, 70), (2, 257, 3), (2, 3, 130, 9)])
def test_sum_of_rows_in_a_fixed_order(shape: tuple[int, ...]):
    x = _random(*shape)
    _close(fixed_triton.add_rows(x), fixed_reference.add_rows(x.double()))
    wide = torch.nn.functional.pad(x, (0, 2, 1, 0))[..., 1:, : shape[-1]]
    _close(fixed_triton.add_rows(wide), fixed_reference.add_rows(x.double()))
    assert fixed_triton.add_rows(x[..., :0, :]).tolist() == fixed_reference.add_rows(x[..., :0, :]).tolist()


# ── AdamW ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kernel", [adamw_triton, adamw_reference], ids=["triton", "torch"])
def test_adamw_is_torchs(kernel):
    settings = {"lr": 1e-2, "betas": (0.9, 0.98), "eps": 1e-8, "weight_decay": 1.0}
    start = _random(3, 701)
    parameter = torch.nn.Parameter(start.double())
    torchs = torch.optim.AdamW([parameter], **settings)
    flat, m, v = start.clone(), torch.zeros_like(start), torch.zeros_like(start)
    table = adamw_reference.corrections(10, settings["betas"]).to(DEVICE)
    for t in range(1, 11):
        grad = _random(3, 701, seed=t) * 10.0 ** (-t)
        parameter.grad = grad.double()
        torchs.step()
        count = torch.tensor([t], dtype=torch.int32, device=DEVICE)
        kernel.adamw(flat, grad, m, v, count, table, **settings)
    _close(flat, parameter.detach(), 1e-6)
    _close(flat - start, parameter.detach() - start.double())
