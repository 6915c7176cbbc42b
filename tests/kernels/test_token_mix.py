"""The mix of table rows that a pair's tokens choose, forward and backward, in Triton against autograd in float64."""

import pytest
import torch

pytest.importorskip("triton", reason="Triton is for Linux on x86-64")

from comparing import (  # fixtures of every test here: interpreted_as_by_triton_3_6, poisoned
    DEVICE,
    STRICT,
    close,
    doubles,
    interpreted_as_by_triton_3_6,  # noqa: F401
    pairs,
    poisoned,  # noqa: F401
    random,
)

from grok.kernels.fixed_order.reference import multiply
from grok.kernels.token_mix import reference
from grok.kernels.token_mix import triton as kernel

pytestmark = STRICT


@pytest.fixture(params=[False, True], ids=["one block of pairs", "many"])
def tiles(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With small tiles, several programs make several blocks of pairs each, as in a training step."""
    if request.param:
        small = {"MANY": 8, "ROWS": 4, "COLS": 16, "num_warps": 1}
        monkeypatch.setattr(kernel, "_mix_tile", lambda _: small)


@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize(("n_seeds", "n", "p", "h", "d"), [(1, 19, 7, 4, 21), (2, 21, 13, 2, 130), (1, 25, 113, 1, 9)])
def test_token_mix(n_seeds: int, n: int, p: int, h: int, d: int):
    chosen = pairs(n_seeds, n, p)
    given = random(n_seeds, 2 * p + 1, h), random(n_seeds, h, 2 * p + 1, d), random(n_seeds, 1, d, seed=1)
    segments = kernel.Segments.of(chosen, p)
    mixed, weights, totals, pair_dscores = (
        torch.empty(n_seeds, *shape, device=DEVICE) for shape in ((n, d), (n, 3, h), (p, d), (n, 3, h))
    )
    kernel.token_mix(*given, segments, mixed=mixed, weights=weights)
    exact = tuple(doubles(*given))
    expected = reference.token_mix(*exact, chosen)
    close(mixed, expected.detach())
    grad = random(*mixed.shape, seed=2)
    expected.backward(grad.double())
    dscores, dvalues, dconstant = (torch.empty_like(x) for x in given)
    memory = {"dscores": dscores, "dvalues": dvalues, "totals": totals, "pair_dscores": pair_dscores}
    kernel.token_mix_backward(grad, given[1], weights, segments, **memory)
    multiply(kernel.equals_row(dscores, dvalues, totals, dconstant))
    for found, of in zip((dscores, dvalues, dconstant), exact, strict=True):
        close(found, of.grad)


@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize(("n_seeds", "n", "p", "d"), [(2, 19, 7, 150), (1, 25, 113, 9)])
def test_gather_pairs(n_seeds: int, n: int, p: int, d: int):
    table, chosen = random(n_seeds, p, d), pairs(n_seeds, n, p)
    segments = kernel.Segments.of(chosen, p)
    (exact,) = doubles(table)
    seeds = torch.arange(n_seeds, device=DEVICE)[:, None]
    expected = exact[seeds, chosen[..., 0]] + exact[seeds, chosen[..., 1]]
    mixed, dtable = torch.empty(n_seeds, n, d, device=DEVICE), torch.empty_like(table)
    kernel.gather_pairs(table, segments, mixed=mixed)
    close(mixed, expected.detach())
    grad = random(n_seeds, n, d, seed=2)
    expected.backward(grad.double())
    kernel.gather_pairs_backward(grad, segments, dtable=dtable)
    close(dtable, exact.grad)
