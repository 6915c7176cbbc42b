"""Every kernel beside its reference at the sizes of a training step. Triton's on a GPU; on a CPU the CPU's forms.

Triton's interpreter is for correctness, its times mean nothing. The last group is what the machine reaches.
"""

import pytest
import torch

from benchmarks.gpu import kernels as gpu_kernels
from grok.kernels import cross_entropy
from grok.kernels.token_mix import reference as mix_reference
from grok.kernels.token_mix.bag import PairIndex, token_mix, token_mix_backward
from grok.recipe import RECIPES

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
RECIPE = RECIPES["modadd-transformer"]
N, P, H, D, C = 3830, 113, 4, 512 + 113, 113
CPU = pytest.mark.skipif(DEVICE == "cuda", reason="the CPU's form")
GPU = pytest.mark.skipif(DEVICE == "cpu", reason="needs a GPU: the interpreter's times mean nothing")
NAMES = (
    "cross_entropy",
    "token_mix",
    "token_mix_backward",
    "relu_readout",
    "relu_readout_backward",
    "products",
    "adamw",
)


@pytest.fixture(scope="module")
def step() -> tuple[PairIndex, torch.Tensor, torch.Tensor]:
    pairs = RECIPE.task.pairs()[RECIPE.split().train.sort().values]
    return PairIndex(pairs, P, H), torch.randn(2 * P + 1, H), torch.randn(H, 2 * P, D)


@CPU
@pytest.mark.benchmark(group="token_mix, forward and backward, CPU")
def test_token_mix_bag(measure, step):
    index, scores, _ = step
    table, grad = torch.randn(2 * P * H + 1, D), torch.randn(N, D)

    def call() -> None:
        _, weights = token_mix(scores, table, index)
        token_mix_backward(grad, table, weights, index)

    measure(call, 30)


@CPU
@pytest.mark.benchmark(group="token_mix, forward and backward, CPU")
def test_token_mix_reference(measure, step):
    index, scores, values = step
    grad, constants = torch.randn(1, N, D), torch.randn(1, 1, D)

    def call() -> None:
        leaves = scores[None, :-1].requires_grad_(), values[None].requires_grad_()
        torch.autograd.grad(mix_reference.token_mix(*leaves, constants, index.pairs[None]), leaves, grad)

    measure(call, 10)


@CPU
@pytest.mark.benchmark(group="cross-entropy and gradient, CPU")
def test_cross_entropy_log1p(measure):
    logits, labels = torch.randn(N, C), torch.randint(C, (N,))
    measure(lambda: cross_entropy.loss_and_grad(logits, labels), 50)


@CPU
@pytest.mark.benchmark(group="cross-entropy and gradient, CPU")
def test_cross_entropy_float64_log_softmax(measure):
    """As the sources write it."""
    logits, labels = torch.randn(N, C, requires_grad=True), torch.randint(C, (N, 1))

    def call() -> None:
        loss = -logits.double().log_softmax(-1).gather(1, labels).mean()
        torch.autograd.grad(loss, logits)

    measure(call, 50)


@GPU
@pytest.mark.parametrize("form", ["triton", "reference"])
@pytest.mark.parametrize("seeds", [1, 16])
@pytest.mark.parametrize("name", NAMES)
def test_gpu_kernel(benchmark, measure, name: str, seeds: int, form: str):
    benchmark.group = f"{name}, {seeds} seeds"
    case = next(c for c in gpu_kernels.cases(DEVICE, seeds) if c.name == name)
    call = case.kernel if form == "triton" else case.reference

    def synchronised() -> None:
        call()
        torch.cuda.synchronize()

    measure(synchronised, 100)


@pytest.mark.benchmark(group="ceiling: float32 product [3830, 512] [512, 113], forward and both gradients")
def test_ceiling(measure):
    post, readout, grad = (torch.randn(*s, device=DEVICE) for s in ((N, 512), (512, C), (N, C)))

    def call() -> None:
        post @ readout, grad @ readout.T, (grad.T @ post).T
        if DEVICE == "cuda":
            torch.cuda.synchronize()

    measure(call, 50)
