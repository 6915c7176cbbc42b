"""Every kernel of the GPU engine beside its reference, at a training step's sizes, and its share of the ceilings."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.timing import Times, summary, timed
from grok.kernels.adamw import reference as adamw_reference
from grok.kernels.cross_entropy import reference as cross_entropy_reference
from grok.kernels.fixed_order import reference as fixed_reference
from grok.kernels.relu_readout import reference as readout_reference
from grok.kernels.token_mix import reference as mix_reference
from grok.task import Task


@dataclass(frozen=True)
class Case:
    """One kernel at one size: the two implementations, and the least work it could do."""

    name: str
    kernel: Callable[[], object]
    reference: Callable[[], object]
    flops: float
    bytes: float


def cases(device: str, n_seeds: int, p: int = 113, h: int = 4, m: int = 512, precision: str = "bf16x6") -> list[Case]:
    """The kernels of a training step at 30 % of all pairs."""
    from grok.kernels.adamw import triton as adamw_triton
    from grok.kernels.cross_entropy import triton as cross_entropy_triton
    from grok.kernels.fixed_order import triton as fixed_triton
    from grok.kernels.relu_readout import triton as readout_triton
    from grok.kernels.token_mix import triton as mix_triton
    from grok.kernels.token_mix.segments import Segments
    from grok.train.engines.chains import padded

    n, c, s, k = int(0.3 * p * p), padded(p), n_seeds, 32
    d, size = m + c, 226_048

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, device=device)

    pairs = torch.stack([Task(p).pairs()[torch.randperm(p * p)[:n]] for _ in range(s)]).to(device)
    labels = torch.randint(p, (s, n), device=device)
    segments = Segments.of(pairs, p)
    scores, values, constants = random(s, 2 * p, h), random(s, h, 2 * p, d), random(s, h + 1, d)
    mixed, out, weights, pair_dscores = random(s, n, d), random(s, n, d), *(random(s, n, 2, h) for _ in range(2))
    pre, readout, logits, result = mixed[..., :m], random(s, m, c), random(s, n, c), random(s, n, c)
    partial, dreadout = random(s, readout_triton.SPLITS, m, c), random(s, m, c)
    dscores, dvalues, totals = torch.empty_like(scores), torch.empty_like(values), random(s, p, d)
    x, dkey_parts = random(s, 2 * p, h * k), random(s, mix_triton.groups(p), h, h * k)
    v, w_or = random(s, h, 2 * p, k), random(s, h, k, d)
    products = [fixed_reference.Product(values[:, i], ((v[:, i], w_or[:, i]),)) for i in range(h)]
    multiply = fixed_triton.Products(products, precision)
    leaves = scores.clone().requires_grad_(), random(*values.shape).requires_grad_()
    expected = mix_reference.token_mix(*leaves, constants, pairs)
    flat, grad, first, second = random(s, size), random(s, size), random(s, size), random(s, size).square()
    # updates of the same numbers again and again: of both, and the count outruns no table
    count, table = adamw_triton.counts(flat, 0), adamw_reference.corrections(100_000, (0.9, 0.98)).to(device)
    settings: Any = {"lr": 1e-3, "betas": (0.9, 0.98), "eps": 1e-8, "weight_decay": 1.0}
    state = (flat, grad, first, second, count, table)
    table_bytes = 4.0 * s * h * 2 * p * d

    def mix_backward() -> None:
        mix_triton.values_backward(mixed, weights, segments, dvalues=dvalues, totals=totals)
        into = {"pair_dscores": pair_dscores, "dscores": dscores, "dkey_parts": dkey_parts}
        mix_triton.scores_backward(mixed, values, weights, segments, x, **into)

    def readout_backward() -> None:
        readout_triton.backward_pre(logits, pre, readout, dpre=out[..., :m], precision=precision)
        readout_triton.backward_readout(logits, pre, dunembedding=dreadout, partial=partial, precision=precision)

    backward = functools.partial(torch.autograd.grad, expected, leaves, mixed, retain_graph=True)
    return [
        Case(
            "cross_entropy",
            lambda: cross_entropy_triton.mean_loss(logits, labels, grad=result),
            lambda: cross_entropy_reference.loss_and_grad(logits, labels),
            10.0 * s * n * c,
            8.0 * s * n * c,
        ),
        Case(
            "token_mix",
            lambda: mix_triton.token_mix(scores, values, constants, segments, mixed=out, weights=weights),
            lambda: mix_reference.token_mix(scores, values, constants, pairs),
            4.0 * s * n * h * d,
            4.0 * s * n * d + table_bytes,
        ),
        Case(
            "token_mix_backward",
            mix_backward,
            backward,
            8.0 * s * n * h * d,
            4.0 * s * n * d + 2 * table_bytes,
        ),
        Case(
            "relu_readout",
            lambda: readout_triton.relu_readout(pre, readout, mixed[..., m:], logits=result, precision=precision),
            lambda: readout_reference.relu_readout(pre, readout, mixed[..., m:]),
            2.0 * s * n * m * c,
            4.0 * s * (n * (d + c) + m * c),
        ),
        Case(
            "relu_readout_backward",
            readout_backward,
            lambda: readout_reference.relu_readout_backward(logits, pre, readout),
            4.0 * s * n * m * c,
            4.0 * s * (n * (2 * m + c) + 2 * m * c),
        ),
        Case(
            "products",
            multiply,
            lambda: fixed_reference.multiply(products),
            2.0 * s * h * 2 * p * k * d,
            4.0 * s * h * (2 * p * k + k * d) + table_bytes,
        ),
        Case(
            "adamw",
            lambda: adamw_triton.adamw(*state, **settings),
            lambda: adamw_reference.adamw(*state, **settings),
            15.0 * s * size,
            28.0 * s * size,
        ),
    ]


def beside_reference(case: Case, size: Times, peak: Times, device: str, repeats: int) -> Times:
    """A kernel beside its reference, and its share of the nearer ceiling. ``size`` is put into the row."""
    kernel, reference = (summary(timed(f, device, repeats)) for f in (case.kernel, case.reference))
    floor = max(case.flops / peak["float32_tflops"] / 1e12, case.bytes / peak["bytes_per_s"])
    share = floor / kernel["median_us"] * 1e6
    return {"kernel": case.name, **size, "triton": kernel, "reference": reference, "share_of_ceiling": share}
