"""Chughtai's measures on logits made of characters, and on a network that looks every pair up."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from grok.errors import NotEvaluable
from grok.measure import logits as cosines
from grok.measure import losses, representations
from grok.models import names
from grok.models.architectures import network
from grok.models.concat import Concat
from grok.task import Task

TASKS = [Task(7), Task(5, "sub_mod"), Task(4, "dihedral"), Task(3, "symmetric"), Task(4, "alternating")]


def lookup(task: Task) -> Concat:
    """A neuron for each pair, 2 on it and 0 elsewhere, that writes its label. Its train pairs are the first half."""
    a, b = task.pairs().unbind(1)
    tokens = torch.arange(task.n)[:, None]
    reads = torch.cat([(tokens == a).double() * 2 - 1, (tokens == b).double() * 2 - 1])
    one = torch.eye(task.n, dtype=torch.float64)
    weights = {
        names.CONCAT_W_X: one,
        names.CONCAT_W_Y: one,
        names.CONCAT_W: reads,
        names.CONCAT_W_U: one[task.labels()],
    }
    found = network(weights, task, task.split(0, 0.5))
    assert isinstance(found, Concat)
    return found


@st.composite
def characters(draw: st.DrawFn) -> tuple[Task, torch.Tensor, torch.Tensor]:
    """A task, an amount of each character from block 1 on, and Σ_k amount_k P_k[s, c] plus a constant a pair."""
    task = draw(st.sampled_from(TASKS))
    blocks = task.blocks
    assert blocks is not None
    amounts = torch.tensor(
        [draw(st.sampled_from([-2.0, 0.0, 0.5, 3.0])) for _ in blocks.sizes[1:]], dtype=torch.float64
    )
    amounts[0] += 0.25  # never all zero
    parts = blocks.basis.split(blocks.sizes)[1:]
    table = sum(amount * part.T @ part for amount, part in zip(amounts, parts, strict=True))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 100)))
    constant = torch.randn(task.n**2, 1, generator=generator, dtype=torch.float64)
    return task, amounts, table[task.labels()] + constant


@settings(deadline=None)
@given(characters())
def test_logits_made_of_characters_are_explained_by_them(case):
    task, amounts, logits = case
    blocks, labels = task.blocks, task.labels()
    norms = amounts * torch.tensor(blocks.sizes[1:]).double().sqrt()
    found = representations.trace_similarities(logits, labels, blocks)
    torch.testing.assert_close(found, norms / norms.norm(), atol=1e-12, rtol=0)
    assert representations.percent_logits_explained(found) == pytest.approx(1, abs=1e-12)
    every = range(1, len(blocks.sizes))
    back = representations.character_logits(logits, labels, blocks, every)[labels]
    torch.testing.assert_close(back, representations.centred(logits), atol=1e-12, rtol=0)
    train = task.split(0, 0.4).train
    assert representations.logit_restricted_loss(logits, labels, blocks, every) == pytest.approx(
        losses.mean_loss(logits, labels)
    )
    excluded = representations.logit_excluded_loss(logits, labels, blocks, every, train)
    assert excluded == pytest.approx(math.log(task.n))
    one = representations.logit_excluded_loss(logits, labels, blocks, [1], train)
    without = logits - amounts[0] * (blocks.basis[blocks.rows([1])].T @ blocks.basis[blocks.rows([1])])[labels]
    assert one == pytest.approx(losses.mean_loss(without, labels, train))


@settings(deadline=None)
@given(st.integers(0, 100), st.sampled_from([Task(7), Task(11, "sub_mod")]))
def test_for_a_modulus_they_are_the_cosines(seed: int, task: Task):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(task.n**2, task.n, generator=generator, dtype=torch.float64)
    labels, keys = task.labels(), (1, 3)
    centred = representations.centred(logits)
    found = representations.trace_similarities(logits, labels, task.blocks)
    torch.testing.assert_close(found, cosines.cosine_similarities(centred, labels), atol=1e-12, rtol=0)
    fitted = cosines.formula(logits, labels, keys)
    torch.testing.assert_close(representations.character_logits(logits, labels, task.blocks, keys), fitted.table)
    assert fitted.fve == pytest.approx(representations.percent_logits_explained(cosines.at(found, keys)))


@pytest.mark.parametrize("task", TASKS, ids=str)
def test_a_network_that_looks_pairs_up(task: Task):
    """Its neurons have the same variance in every direction, and its logits the same amount of every character."""
    net, blocks = lookup(task), task.blocks
    assert losses.accuracy(net.logits, net.labels) == 1
    size = sum(blocks.sizes[k] for k in (1, 2))
    shares = representations.hidden_shares(net, (1, 2), blocks)
    assert shares == pytest.approx([size / (task.n**2 - 1)] * 3)
    similarities = representations.trace_similarities(net.logits, net.labels, blocks)
    torch.testing.assert_close(similarities.square(), torch.tensor(blocks.sizes[1:]).double() / (task.n - 1))
    every = range(1, len(blocks.sizes))
    assert representations.hidden_restricted_loss(net, every) == pytest.approx(
        math.log(1 + (task.n - 1) * math.exp(-2))
    )
    assert representations.hidden_excluded_loss(net, every, net.train) == pytest.approx(math.log(task.n))


def test_a_summary_needs_key_representations_and_the_split_for_some_of_it():
    task = Task(4, "dihedral")
    with pytest.raises(NotEvaluable, match="no key frequencies"):
        representations.Summary.of(lookup(task))
    blocks = task.blocks
    assert blocks is not None
    net = lookup(task)
    on_one = blocks.basis[blocks.rows([4])]
    on_block = replace(net, weights=net.weights | {names.CONCAT_W_U: net.U @ on_one.T @ on_one})
    found = representations.Summary.of(replace(on_block, split=None))
    assert found.keys == (4,)
    assert found.percent_unembed_explained == pytest.approx(1)
    assert found.percent_x_embed_explained == pytest.approx(4 * 4 * 8 / 8**3)  # the entries are ±1
    assert found.percent_logits_explained == pytest.approx(1)
    assert (found.total_logit_excluded_loss, found.total_hidden_excluded_loss) == (None, None)
    known = representations.Summary.of(on_block)
    assert known.total_logit_excluded_loss == pytest.approx(math.log(8))
    assert known.total_logit_restricted_loss < math.log(8)
    assert known.total_hidden_restricted_loss == pytest.approx(known.total_logit_restricted_loss)
