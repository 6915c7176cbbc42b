"""Readout, products and AdamW in Triton against their references; loops have constant bounds."""

import pytest
import torch

pytest.importorskip("triton", reason="Triton is for Linux on x86-64")

import triton
import triton.language as tl
from comparing import (  # fixtures of every test here: interpreted_as_by_triton_3_6, poisoned
    DEVICE,
    STRICT,
    close,
    doubles,
    interpreted_as_by_triton_3_6,  # noqa: F401 (pytest finds it by its name)
    poisoned,  # noqa: F401 (pytest finds it by its name)
    random,
)

from grok.kernels.adamw import reference as adamw_reference
from grok.kernels.adamw import triton as adamw_triton
from grok.kernels.cross_entropy import reference as cross_entropy_reference
from grok.kernels.cross_entropy import triton as cross_entropy_triton
from grok.kernels.fixed_order import reference as fixed_reference
from grok.kernels.fixed_order import triton as fixed_triton
from grok.kernels.relu_readout import reference as readout_reference
from grok.kernels.relu_readout import triton as readout_triton

pytestmark = STRICT
PRECISIONS = ("ieee", "bf16x6")


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


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize(("n_seeds", "n", "m", "c"), [(1, 5, 70, 7), (2, 70, 40, 13), (1, 65, 33, 113)])
def test_relu_readout(n_seeds: int, n: int, m: int, c: int, direct: bool, precision: str):
    """``pre`` and ``direct`` are columns of one wider tensor, and U a part of a longer row, as in a training step."""
    wide, row = random(n_seeds, n, m + c), random(n_seeds, m * c + 5, seed=1)
    unembedding = row[:, 3:-2].unflatten(1, (m, c))
    pre, skip = wide[..., :m], wide[..., m:] if direct else None
    exact_wide, exact_u = doubles(wide, unembedding)
    expected = readout_reference.relu_readout(exact_wide[..., :m], exact_u, exact_wide[..., m:] if direct else None)
    logits = torch.empty(n_seeds, n, c, device=DEVICE)
    readout_triton.relu_readout(pre, unembedding, skip, logits=logits, precision=precision)
    close(logits, expected.detach())
    into, drow = torch.empty_like(wide), torch.zeros_like(row)
    grad = into[..., m:].copy_(random(n_seeds, n, c, seed=2))
    expected.backward(grad.double())
    dunembedding = drow[:, 3:-2].unflatten(1, (m, c)).fill_(float("nan"))
    memory = {"dunembedding": dunembedding, "partial": torch.empty(n_seeds, readout_triton.SPLITS, m, c, device=DEVICE)}
    readout_triton.backward_pre(grad, pre, unembedding, dpre=into[..., :m], precision=precision)
    readout_triton.backward_readout(grad, pre, **memory, precision=precision)
    close(into[..., :m], exact_wide.grad[..., :m])
    close(dunembedding, exact_u.grad)
    assert not drow[:, :3].any()
    assert not drow[:, -2:].any()
    for found, wanted in zip(
        readout_reference.relu_readout_backward(grad, pre, unembedding), (into[..., :m], dunembedding), strict=True
    ):
        close(found, wanted)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_products_of_all_sizes_and_strides_in_one_launch(precision: str):
    """Deep ones, transposed ones, one vector for all rows, sums of several, a scale, outputs that are parts."""
    a, b, c = random(2, 35, 300), random(2, 33, 300, seed=1), random(2, 7, 5, seed=2)
    row, out = random(2, 1, 33, seed=3), torch.zeros(2, 50, 40, device=DEVICE)
    parts = out[:, :35, :33], out[:, 35:36, :5], out[:, 36:41, 33:]
    small, wide = random(2, 1, 7, seed=4), random(2, 5, 10, seed=5)[..., 3:]
    terms = (
        ((a, b.mT), (torch.ones_like(row[..., :1]).expand(2, 35, 1), row)),
        ((small, c),),
        ((c.mT, torch.eye(7, device=DEVICE).expand(2, 7, 7)), (torch.eye(5, device=DEVICE).expand(2, 5, 5).mT, wide)),
    )
    products = [
        fixed_reference.Product(part.fill_(float("nan")), term, scale)
        for part, term, scale in zip(parts, terms, (1.0, 0.5, -2.0), strict=True)
    ]
    fixed_triton.Products(products, precision)()
    found = out.clone()
    assert not out[:, 41:].any()
    for product in products:
        exact = sum(x.double() @ y.double() for x, y in product.terms) * product.scale
        close(product.out, exact)
    fixed_reference.multiply(products)
    close(out, found)


@pytest.mark.parametrize("n_seeds", [1, 2])
def test_columns_behind_the_classes_are_direct_alone_and_give_no_gradient(n_seeds: int):
    """As in a training step: rows of 13 classes are 16 wide, so that each begins where a block of memory does."""
    n, m, c, w = 21, 40, 13, 16
    pre, u, direct = random(n_seeds, n, m), random(n_seeds, m, c, seed=1), random(n_seeds, n, w, seed=2)
    logits = torch.empty(n_seeds, n, w, device=DEVICE)
    readout_triton.relu_readout(pre, u, direct, logits=logits)
    close(logits[..., :c], readout_reference.relu_readout(pre, u, direct[..., :c]))
    assert torch.equal(logits[..., c:], direct[..., c:])
    labels, grad = torch.arange(n, device=DEVICE).expand(n_seeds, n) % c, torch.empty_like(logits)
    logits[..., c:] = 100.0
    loss = cross_entropy_triton.mean_loss(logits, labels, c, grad=grad)
    expected_loss, expected = cross_entropy_reference.loss_and_grad(logits[..., :c].contiguous(), labels)
    close(loss, expected_loss)
    close(grad[..., :c], expected)
    assert not grad[..., c:].any()
    into, du = torch.empty_like(pre), torch.empty_like(u)
    partial = torch.empty(n_seeds, readout_triton.SPLITS, m, w, device=DEVICE)
    readout_triton.backward_pre(grad, pre, u, dpre=into)
    readout_triton.backward_readout(grad, pre, dunembedding=du, partial=partial)
    for found, wanted in zip((into, du), readout_reference.relu_readout_backward(expected, pre, u), strict=True):
        close(found, wanted)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("out_across", [False, True])
@pytest.mark.parametrize("way", [(False, False), (False, True), (True, False), (True, True)])
def test_products_are_read_and_written_in_every_way(
    way: tuple[bool, bool], out_across: bool, aligned: bool, precision: str
):
    """Deeper than a program adds up, so in parts; of odd sizes, and so that several numbers are read at once."""
    n, k, m = (68, 300, 36) if aligned else (67, 299, 35)
    a, b, out = random(2, n, k), random(2, k, m, seed=1), torch.empty(2, n, m, device=DEVICE)
    a, b = (x.mT.contiguous().mT if across else x for x, across in zip((a, b), way, strict=True))
    out = torch.empty(2, m, n, device=DEVICE).mT if out_across else out
    products = fixed_triton.Products([fixed_reference.Product(out, ((a, b),), 0.5)], precision)
    products()
    assert products.adding[2] == 2
    close(out, a.double() @ b.double() / 2)


def test_products_that_do_not_fit_are_refused():
    a, b, out = random(1, 2, 3), random(1, 3, 4), random(1, 2, 5)
    with pytest.raises(ValueError, match=r"\[1, 2, 3\] times \[1, 3, 4\] is not \[1, 2, 5\]"):
        fixed_triton.Products([fixed_reference.Product(out, ((a, b),))])
    with pytest.raises(ValueError, match="neither the rows nor the columns"):
        fixed_triton.Products([fixed_reference.Product(out[..., :4], ((a, b), (random(1, 3, 2, seed=2).mT, b)))])
    with pytest.raises(ValueError, match="float32 expected"):
        fixed_triton.Products([fixed_reference.Product(out[..., :4].double(), ((a.double(), b.double()),))])


@pytest.mark.parametrize("kernel", [adamw_triton, adamw_reference], ids=["triton", "torch"])
def test_adamw_is_torchs(kernel):
    settings = {"lr": 1e-2, "betas": (0.9, 0.98), "eps": 1e-8, "weight_decay": 1.0}
    start = random(3, 701)
    parameter = torch.nn.Parameter(start.double())
    torchs = torch.optim.AdamW([parameter], **settings)
    flat, m, v = start.clone(), torch.zeros_like(start), torch.zeros_like(start)
    table = adamw_reference.corrections(10, settings["betas"]).to(DEVICE)
    count = adamw_triton.counts(flat, 0)
    assert len(count) > 1
    for t in range(1, 11):
        grad = random(3, 701, seed=t) * 10.0 ** (-t)
        parameter.grad = grad.double()
        torchs.step()
        kernel.adamw(flat, grad, m, v, count, table, **settings)
        assert count.unique().tolist() == [t]
    close(flat, parameter.detach(), 1e-6)
    close(flat - start, parameter.detach() - start.double())
