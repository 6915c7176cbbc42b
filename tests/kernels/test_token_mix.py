"""The mix of table rows that a pair's tokens choose, forward and backward, in Triton against autograd in float64."""

import pytest
import torch

pytest.importorskip("triton", reason="Triton is for Linux on x86-64")

from comparing import (  # fixtures of every test here: interpreted_as_by_triton_3_6, poisoned
    DEVICE,
    STRICT,
    close,
    doubles,
    interpreted_as_by_triton_3_6,  # noqa: F401 (pytest finds it by its name)
    pairs,
    poisoned,  # noqa: F401 (pytest finds it by its name)
    random,
)

from grok.kernels.residual import reference as residual_reference
from grok.kernels.residual import triton as residual_kernel
from grok.kernels.token_mix import reference
from grok.kernels.token_mix import triton as kernel
from grok.kernels.token_mix.segments import Segments

pytestmark = STRICT


@pytest.fixture(params=[False, True], ids=["its own tiles", "small tiles"])
def tiles(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With small tiles there are many programs, and pairs and columns are left over in both directions."""
    if request.param:
        monkeypatch.setattr(kernel, "MIX", {"ROWS": 4, "COLS": 16, "num_warps": 1})
        monkeypatch.setattr(kernel, "SCORE_SUMS", {"GROUP": 4, "ROWS": 2, "num_warps": 1})
        monkeypatch.setattr(residual_kernel, "BACKWARD", {"ROWS": 4, "COLS": 8, "num_warps": 1})


@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize(("n_seeds", "n", "p", "h", "d"), [(1, 19, 7, 4, 21), (2, 21, 13, 3, 130), (1, 25, 113, 1, 9)])
def test_token_mix(n_seeds: int, n: int, p: int, h: int, d: int):
    chosen = pairs(n_seeds, n, p)
    scores, values, constants = random(n_seeds, 2 * p, h), random(n_seeds, h, 2 * p, d), random(n_seeds, 3, d, seed=1)
    segments = Segments.of(chosen, p)
    mixed, weights, totals, pair_dscores = (
        torch.empty(n_seeds, *shape, device=DEVICE) for shape in ((n, d), (n, 2, h), (p, d), (n, 2, h))
    )
    kernel.token_mix(scores, values, constants, segments, mixed=mixed, weights=weights)
    exact = tuple(doubles(scores, values, constants))
    expected = reference.token_mix(*exact, chosen)
    close(mixed, expected.detach())
    grad = random(*mixed.shape, seed=2)
    expected.backward(grad.double())
    dscores, dvalues = torch.empty_like(scores), torch.empty_like(values)
    wide = random(n_seeds, 2 * p + 1, 11, seed=3)
    x, dkey_parts = wide[:, :-1], torch.empty(n_seeds, kernel.groups(p), h, 11, device=DEVICE)
    into = {"pair_dscores": pair_dscores, "dscores": dscores, "dkey_parts": dkey_parts}
    kernel.scores_backward(grad, values, weights, segments, x, **into)
    close(dkey_parts.sum(1), exact[0].grad.mT @ x.double())
    kernel.values_backward(grad, weights, segments, dvalues=dvalues, totals=totals)
    for found, of in zip((dscores, dvalues, totals.sum(1, keepdim=True).expand(-1, 3, -1)), exact, strict=True):
        close(found, of.grad)


def test_scores_and_values_relative_to_the_last_token_are_attention_over_three():
    """Softmax over a, b and ``=``, with scores and values of all three."""
    p, h, d = 5, 2, 3
    scores, values = random(1, 2 * p + 1, h).double(), random(1, h, 2 * p + 1, d, seed=1).double()
    chosen = pairs(1, 20, p)
    rows = torch.stack([chosen[..., 0], p + chosen[..., 1], torch.full_like(chosen[..., 0], 2 * p)], dim=-1)[0]
    expected = torch.einsum("njh,hnjd->nd", scores[0, rows].softmax(dim=1), values[0][:, rows])
    relative = scores[:, :-1] - scores[:, -1:], values[:, :, :-1] - values[:, :, -1:]
    found = reference.token_mix(*relative, values[:, :, -1:].sum(1), chosen)
    torch.testing.assert_close(found[0], expected)


@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize(("n_seeds", "p", "d"), [(1, 7, 12), (2, 5, 33)])
def test_residual(n_seeds: int, p: int, d: int):
    flat = random(n_seeds, (p + 4) * d + 3)
    embed, pos = flat[:, : (p + 1) * d].view(n_seeds, p + 1, d), flat[:, (p + 1) * d : -3].view(n_seeds, 3, d)
    places = (slice((p + 1) * d), embed), (slice((p + 1) * d, -3), pos)
    x = torch.empty(n_seeds, 2 * p + 1, d, device=DEVICE)
    residual_kernel.residual(embed, pos, x=x)
    exact = tuple(doubles(embed, pos))
    expected = residual_reference.residual(*exact)
    close(x, expected.detach())
    dx, dequals = random(n_seeds, 2 * p, d, seed=1), random(n_seeds, 9, d, seed=2)
    expected.backward(torch.cat([dx, dequals.sum(1, keepdim=True)], dim=1).double())
    for backward in (residual_kernel.residual_backward, residual_reference.residual_backward):
        row = torch.zeros_like(flat)
        dembed, dpos = (row[:, at].view(like.shape).fill_(float("nan")) for at, like in places)
        backward(dx, dequals, dembed=dembed, dpos=dpos)
        close(dembed, exact[0].grad)
        close(dpos, exact[1].grad)
        assert not row[:, -3:].any()


@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize(("n_seeds", "n", "p", "d"), [(2, 19, 7, 150), (1, 25, 113, 9)])
def test_gather_pairs(n_seeds: int, n: int, p: int, d: int):
    table, chosen = random(n_seeds, p, d), pairs(n_seeds, n, p)
    segments = Segments.of(chosen, p)
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
