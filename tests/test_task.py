"""A task is a Cayley table with blocks. Another group, the permutations of three things, needs only a law."""

import itertools
import json
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from grok import task as tasks
from grok.errors import GrokError, NotEvaluable
from grok.fourier.basis import Blocks, basis, cyclic, pair_powers, powers, rows
from grok.fourier.keys import gap
from grok.groups import tables
from grok.measure import embedding, losses, neurons
from grok.models.architectures import network
from grok.recipe import RECIPES, Recipe
from grok.task import Law, Task

ELEMENTS = list(itertools.permutations(range(3)))


def _matrices() -> torch.Tensor:
    """The two-dimensional representation of each permutation: [6, 2, 2]."""
    plane = torch.tensor([[1, -1, 0], [1, 1, -2]]).double() / torch.tensor([[2.0], [6.0]]).double().sqrt()
    moved = torch.stack([torch.eye(3, dtype=torch.float64)[:, list(element)] for element in ELEMENTS])
    return plane @ moved @ plane.T


def _blocks(p: int) -> Blocks:
    standard = _matrices()
    one, sign = torch.ones(6, dtype=torch.float64), torch.linalg.det(standard)
    entries = standard.flatten(1).T * math.sqrt(2)
    return Blocks(torch.cat([one[None], sign[None], entries]) / math.sqrt(6), (1, 1, 4))


def _compose(a: torch.Tensor, b: torch.Tensor, p: int) -> torch.Tensor:
    table = [[ELEMENTS.index(tuple(x[i] for i in y)) for y in ELEMENTS] for x in ELEMENTS]
    return torch.tensor(table)[a, b]


@pytest.fixture
def permutations(monkeypatch) -> Task:
    law = Law(_compose, n_classes=math.factorial, blocks=_blocks, size=math.factorial)
    monkeypatch.setitem(tasks.LAWS, "permute", law)
    return Task(3, "permute")


@pytest.mark.parametrize("operation", ["add_mod", "sub_mod", "add"])
@given(p=st.integers(2, 12))
def test_labels_are_the_table_of_the_operation(operation: str, p: int):
    task = Task(p, operation)
    law = {"add_mod": lambda a, b: (a + b) % p, "sub_mod": lambda a, b: (a - b) % p, "add": lambda a, b: a + b}
    assert task.labels().tolist() == [law[operation](a, b) for a, b in task.pairs().tolist()]
    assert (task.n, task.n_classes) == (p, 2 * p if operation == "add" else p)


def test_a_task_is_stored_as_its_p_and_operation():
    assert Task(113).to_json() == {"p": 113, "operation": "add_mod"}
    assert {Task(7), Task(7, "add_mod"), Task(7, "sub_mod")} == {Task(7, "sub_mod"), Task(7)}


def test_an_unknown_operation_is_refused():
    with pytest.raises(GrokError, match="unknown operation 'subtract'; known: add_mod, sub_mod, add"):
        Task(7, "subtract")  # type: ignore[arg-type]


def test_a_group_is_its_table():
    """It is another task than the family's of the same elements, and is stored with its table."""
    task = Task(6, "table", tables.text(tables.dihedral(3)))
    assert task.table().equal(Task(3, "dihedral").table())
    assert Task(**json.loads(json.dumps(task.to_json()))) == task != Task(3, "dihedral")
    assert task.blocks is not None
    for wrong in ((7, "table", task.cayley), (6, "table", ""), (6, "dihedral", task.cayley), (2, "table", "0,1\n1,1")):
        with pytest.raises(GrokError):
            Task(*wrong)


@given(st.lists(st.integers(-3, 30), max_size=30))
def test_a_split_of_given_train_pairs_is_a_partition_or_refused(train: list[int]):
    task = Task(5)
    if train and len(set(train)) == len(train) < 25 and all(0 <= pair < 25 for pair in train):
        split = task.split_of(train)
        assert split.train.tolist() == train
        assert sorted([*train, *split.test.tolist()]) == list(range(25))
    else:
        with pytest.raises(GrokError):
            task.split_of(train)


def test_cards_that_name_a_source_are_read():
    recipe = RECIPES["modadd-mlp"]
    assert Recipe.from_json(recipe.to_json() | {"source": "K"}) == recipe
    assert "source" not in recipe.to_json()


def test_blocks_of_a_modulus_are_cosine_and_sine():
    assert cyclic(7).rows([1, 3]) == rows([1, 3]) == [1, 2, 5, 6]
    assert cyclic(7).basis is basis(7)
    assert Task(7, "add").blocks is None


def test_a_task_without_blocks_has_no_spectrum():
    weights = {"W_E": torch.ones(4, 2), "W_in": torch.ones(2, 3), "W_U": torch.ones(3, 8)}
    with pytest.raises(NotEvaluable, match="add has no basis of blocks"):
        _ = network(weights, Task(4, "add")).spectrum.pre_powers


def test_the_powers_of_another_group_do_not_change_when_it_acts(permutations: Task):
    """Multiplication by an element maps every block into itself. The cyclic basis of as many rows is no such basis."""
    blocks, table = permutations.blocks, permutations.table()
    assert blocks is not None
    torch.testing.assert_close(blocks.basis @ blocks.basis.T, torch.eye(6, dtype=torch.float64))
    values = torch.randn(6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    before = powers(values, blocks=blocks)
    assert before.shape == (2,)
    for moved in (*table, *table.T):
        torch.testing.assert_close(powers(values[moved], blocks=blocks), before)
    pairs = values[permutations.labels()]
    on_pairs = pair_powers(pairs, 6, blocks)
    assert on_pairs.shape == (3, 3, 4)
    torch.testing.assert_close(on_pairs.sum((0, 1)), pairs.square().sum(0))
    # a function of a ∘ b has the same block in a as in b
    torch.testing.assert_close(on_pairs, on_pairs * torch.eye(3, dtype=torch.float64)[:, :, None], atol=1e-12, rtol=0)


def test_a_network_of_another_group_has_a_spectrum_and_keys(permutations: Task):
    """Every stage that reads frequencies reads blocks: here U lives on the two-dimensional representation."""
    blocks = permutations.blocks
    assert blocks is not None
    U = torch.randn(5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64) @ blocks.basis[2:]
    generator = torch.Generator().manual_seed(1)
    weights = {"W_E": torch.randn(6, 3, generator=generator), "W_in": torch.randn(3, 5, generator=generator), "W_U": U}
    net = network(weights, permutations)
    assert embedding.power_on(U.T, (2,), blocks) == pytest.approx(1, rel=1e-12)
    assert neurons.key_norm_ratio(U, (2,), blocks) == pytest.approx(1, rel=1e-12)
    assert gap(net.U, blocks)[0] == net.key_frequencies == (2,)
    assert net.spectrum.post_powers.shape == (3, 3, 5)
    total = net.post.square().sum(0)
    torch.testing.assert_close(net.spectrum.post_powers.sum((0, 1)), total)
    # what is projected on all blocks but the constant are the centred logits of each class
    cut = losses.Ablation.of(net)
    by_label = torch.stack([net.logits[net.labels == s].mean(0) for s in range(6)])
    torch.testing.assert_close(cut.projection((1, 2)), by_label - by_label.mean(0))
    # before the ReLU there are terms in a alone and in b alone only
    assert float(net.spectrum.pre_powers[1:, 1:].abs().max()) < 1e-20
