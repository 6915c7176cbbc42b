"""Gromov's formula gives the right answer on all pairs, if the network is wide enough."""

import pytest

from grok.measure import neurons, readout
from grok.measure.losses import accuracy
from grok.models.quadratic import gromov
from grok.task import Task


@pytest.mark.parametrize(("p", "operation"), [(11, "add_mod"), (23, "sub_mod"), (59, "add_mod")])
def test_right_on_all_pairs_when_wide_and_not_when_narrow(p, operation):
    task = Task(p, operation)
    wide, narrow = gromov(task, 20 * p), gromov(task, (p - 1) // 2)
    assert accuracy(wide.logits, wide.labels) == 1
    assert accuracy(narrow.logits, narrow.labels) < 0.9


def test_every_frequency_is_used_equally_and_each_neuron_has_one():
    model = gromov(Task(13), 60)
    assert readout.evenness(model.U) == pytest.approx(1)
    assert neurons.token_frequency_share(model.W_neur) == pytest.approx(1)


def test_it_needs_a_modulus():
    with pytest.raises(ValueError, match="odd p"):
        gromov(Task(10, "add"), 50)
