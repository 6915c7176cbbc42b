"""Without a GPU the kernels still compile for one: what the interpreter forgives, types and layouts, fails here."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="Triton is for Linux on x86-64")

COMPILE = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from grok.kernels.adamw import triton as adamw
from grok.kernels.cross_entropy import triton as cross_entropy
from grok.kernels.fixed_order import triton as fixed_order
from grok.kernels.relu_readout import triton as readout
from grok.kernels.residual import triton as residual
from grok.kernels.token_mix import triton as mix

INT32, INT64 = ("pairs", "order", "offsets", "count"), ("labels", "tiles", "terms", "blocks")
TYPES = {**dict.fromkeys(INT32, "*i32"), **dict.fromkeys(INT64, "*i64")}
INTEGERS = "N M C W D P SECOND n_constants size n_blocks splits".split()
STRIDES = ("_row", "_column", "_head", "_seed")

def compile(kernel, **constants):
    def kind(name):
        whole = name in INTEGERS or name.endswith(STRIDES)
        return "constexpr" if name in constants else "i32" if whole else TYPES.get(name, "*fp32")
    options = {n: constants.pop(n) for n in ("num_warps", "num_stages") if n in constants}
    source = ASTSource(kernel, signature={n: kind(n) for n in kernel.arg_names}, constexprs=constants)
    assert triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options).asm["cubin"]

compile(cross_entropy._cross_entropy, GRAD=True, ROWS=8, COLS=128)
compile(cross_entropy._mean, BLOCKS=479, ROWS=128)
compile(residual._residual, ROWS=8, COLS=128)
compile(residual._residual_backward, P=113, R=133, **residual.BACKWARD)
for precision in ("ieee", "tf32x3", "bf16x6"):
    compile(readout._forward, DIRECT=True, M=512, PRECISION=precision, **readout.FORWARD)
    compile(readout._backward_pre, W=128, PRECISION=precision, **readout.BACKWARD)
    compile(readout._backward_readout, rows_per_split=240, PRECISION=precision, **readout.BACKWARD)
    compile(fixed_order._multiply, PRECISION=precision, **fixed_order.TILE)
compile(fixed_order._add_parts, PARTS=3, BLOCK=1024)
compile(readout._add_partial, SPLITS=readout.SPLITS, ROWS=readout.ADDED, COLS=128)
compile(mix._mix, SCORED=True, H=4, HEADS=4, CONSTANTS=8, **mix.MIX)
compile(mix._score_grads, D=640, H=4, HEADS=4, **mix.SCORES)
compile(mix._row_sums, LONGEST=48, SCORED=True, H=4, HEADS=4, ROWS=8, **mix.SUMS)
compile(mix._score_sums, LONGEST=48, H=4, HEADS=4, COLS=128, **mix.SCORE_SUMS)
compile(adamw._adamw, lr=1e-3, beta1=0.9, beta2=0.98, eps=1e-8, decay=1.0, BLOCK=1024)
"""


def test_every_kernel_compiles_for_hopper(tmp_path: Path):
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"} | {"TRITON_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", COMPILE], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
