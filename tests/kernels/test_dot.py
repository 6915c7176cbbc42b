"""The product of two tiles: each way to round it against float64."""

import pytest
import torch

pytest.importorskip("triton", reason="Triton is for Linux on x86-64")

import triton
import triton.language as tl
from comparing import (  # fixtures of every test here: interpreted_as_by_triton_3_6, poisoned
    DEVICE,
    STRICT,
    interpreted_as_by_triton_3_6,  # noqa: F401 (pytest finds it by its name)
    poisoned,  # noqa: F401 (pytest finds it by its name)
    random,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from grok.kernels.dot import dot

pytestmark = STRICT
# Of |x| |y|: half a unit in the last place for each of 32 sums, and what the parts of a number leave out.
BOUNDS = {"ieee": 32 * 2**-24, "tf32x3": 32 * 2**-24 + 2**-19, "bf16x6": 32 * 2**-24 + 2**-21}


@triton.jit
def _product(x, y, out, PRECISION: tl.constexpr):
    i, k = tl.arange(0, 16), tl.arange(0, 32)
    acc = tl.zeros((16, 16), tl.float32)
    left = tl.load(x + i[:, None] * 32 + k[None, :])
    right = tl.load(y + k[:, None] * 16 + i[None, :])
    tl.store(out + i[:, None] * 16 + i[None, :], dot(left, right, acc, PRECISION))


def product(x: torch.Tensor, y: torch.Tensor, precision: str) -> torch.Tensor:
    out = torch.empty(16, 16, device=DEVICE)
    _product[(1,)](x.contiguous(), y.contiguous(), out, precision)
    return out


@pytest.mark.parametrize("precision", BOUNDS)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), spread=st.integers(0, 20))
def test_every_number_is_within_its_bound(precision: str, seed: int, spread: int):
    """Also where the numbers of a sum differ by many powers of two."""
    x, y = random(16, 32, seed=seed), random(32, 16, seed=seed + 1)
    x, y = (a * 2.0 ** torch.randint(-spread, spread + 1, a.shape).to(DEVICE) for a in (x, y))
    error = (product(x, y, precision).double() - x.double() @ y.double()).abs()
    assert (error <= BOUNDS[precision] * (x.double().abs() @ y.double().abs())).all()


@pytest.mark.parametrize("precision", ["ieee", "bf16x6"])
def test_the_parts_of_a_number_are_all_of_it(precision: str):
    """So a product with the identity is a copy. Rounding to fewer bits would be seen in one number of a thousand."""
    x = random(16, 32) * 1.7
    one = torch.eye(32, 16, device=DEVICE)
    assert torch.equal(product(x, one, precision), x[:, :16])


@pytest.mark.filterwarnings("ignore:invalid value encountered in subtract")  # of the interpreter: infinity less itself
@pytest.mark.parametrize("precision", BOUNDS)
@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_stays_so(precision: str, wrong: float):
    x, y = random(16, 32), random(32, 16, seed=1)
    x[3, 5] = wrong
    finite = product(x, y, precision).isfinite()
    assert not finite[3].any()
    assert finite[:3].all()
    assert finite[4:].all()
