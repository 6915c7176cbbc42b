"""The product of two tiles of float32 numbers, for the kernels; three ways to round it.

``ieee``: in float32 units. The two others are made in tensor units, whose sums are float32, of parts with few bits:

``bf16x6``: a number of 24 bits is exactly the sum of three of 8 bits, x = h + m + l, so xy is nine products, which have
no rounding error. The three smallest, mₓ l_y, lₓ m_y and lₓ l_y, are left out: together at most 2⁻²² |xy|, of either
sign.

``tf32x3``: x = h + l, of 11 bits each, where l is cut off, so that at most 2⁻²¹ |x| is lost, and lₓ l_y is left out.

Tensor units cut sums off where float32 units round them, which adds up over a long sum. So each call begins a sum of
its own, and that is added to ``acc`` in float32 units.

Triton has ways of these names, too. They do more to each number, and so took longer than the products themselves.
"""

from __future__ import annotations

import os

import triton
import triton.language as tl

# The interpreter multiplies bfloat16 numbers as if they were integers. There the parts stay float32 numbers.
INTERPRETED = tl.constexpr(os.environ.get("TRITON_INTERPRET") == "1")


@triton.jit
def dot(x, y, acc, PRECISION: tl.constexpr):
    """acc + x y. Of the products of parts the small ones come first."""
    if PRECISION == "bf16x6":
        x_high, x_middle, x_low = _three(x)
        y_high, y_middle, y_low = _three(y)
        part = tl.dot(x_low, y_high)
        part = tl.dot(x_high, y_low, part)
        part = tl.dot(x_middle, y_middle, part)
        part = tl.dot(x_middle, y_high, part)
        part = tl.dot(x_high, y_middle, part)
        acc += tl.dot(x_high, y_high, part)
    elif PRECISION == "tf32x3":
        x_high, y_high = _rounded(x, 13), _rounded(y, 13)
        part = tl.dot(x - x_high, y_high, input_precision="tf32")
        part = tl.dot(x_high, y - y_high, part, input_precision="tf32")
        acc += tl.dot(x_high, y_high, part, input_precision="tf32")
    else:
        acc = tl.dot(x, y, acc, input_precision=PRECISION)
    return acc


@triton.jit
def _three(x):
    """Three bfloat16 numbers whose sum is x; NaN stays NaN in one of them."""
    high = _rounded(x, 16)
    rest = x - high
    middle = _rounded(rest, 16)
    return _narrow(high), _narrow(middle), _narrow(rest - middle)


@triton.jit
def _rounded(x, BITS: tl.constexpr):
    """x without its last bits, rounded."""
    half: tl.constexpr = 1 << (BITS - 1)
    return ((x.to(tl.int32, bitcast=True) + half) & -(2 * half)).to(tl.float32, bitcast=True)


@triton.jit
def _narrow(x):
    """The upper half of a float32 number as bfloat16, where the lower half is zero."""
    return x if INTERPRETED else (x.to(tl.int32, bitcast=True) >> 16).to(tl.int16).to(tl.bfloat16, bitcast=True)
