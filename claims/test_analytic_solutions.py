"""Claims of the papers that write the solution down: Gromov 2023 and Doshi et al. 2024 (G), Morwani et al. 2023 (M)."""

from dataclasses import replace

import pytest
import torch

from grok.claim import claim, source
from grok.measure import activations, losses, neurons, phases, readout
from grok.models import names, quadratic
from grok.task import Task

pytestmark = source(
    "gromov-2023",
    "Gromov 2023, Grokking modular arithmetic; Doshi et al. 2024",
    ref="arXiv 2301.02679",
    url="https://arxiv.org/abs/2301.02679",
)
morwani = source(
    "morwani-2023",
    "Morwani et al. 2023, Feature emergence via margin maximization",
    ref="arXiv 2311.07568",
    url="https://arxiv.org/abs/2311.07568",
)

MODADD = ("modadd-mlp", "modadd-transformer", "c113-mlp")  # of the last, users' checkpoints only
WIDTH, P = 512, 113  # of the trained networks


@claim(
    "G1",
    "The phases at which a neuron reads and writes agree: φ_a + φ_b = φ_out",
    published=0.9993,
    section="Section 3 of Doshi et al.: a two-hot MLP",
    threshold="convention",
    because="to agree is a resultant length of 0.95; neurons whose outputs are permuted have at most 0.2 in the median",
    on=(*MODADD, "quad-mlp"),
)
def test_phases_in_and_out_agree(model, evidence):
    found = phases.agreement(model)
    length = evidence("resultant length of φ_a + φ_b - φ_out", found.length, control_draws=found.permuted)
    permuted = evidence("median of it with permuted outputs", found.median)
    assert length >= 0.95
    assert permuted <= 0.2


@claim(
    "G2",
    "The phases of the neurons of one frequency are spread evenly",
    published="uniform",
    section="Section 3, second-hand",
    threshold="convention",
    because="evenly spread phases balance each other: a resultant length of at most 0.3 in each cluster of 10 or more",
    on=MODADD,  # a quadratic neuron has 4/5 of its variance on its frequency, so that no cluster would be found
)
def test_phases_are_spread_evenly(model, evidence):
    found = phases.spread(model)
    evidence("neurons in each cluster of at least ten", {k: spread.n for k, spread in found.items()})
    lengths = evidence("resultant length of each cluster's phases", {k: spread.first for k, spread in found.items()})
    clusters = evidence("number of such clusters", len(found))
    assert clusters >= 1
    assert all(length <= 0.3 for length in lengths.values())


@claim(
    "G3",
    "The answers survive another even activation in place of the ReLU, and no odd one",
    published="|x| 1, x² 1, x⁴ 1; x 0.042, x³ 0.036",
    section="Section 3 of Doshi et al.",
    threshold="source",
    because="the source finds 1 for even and 0.04 for odd functions; 0.9 for x² and 0.3 for x leave room",
    on=MODADD,
)
def test_answers_survive_an_even_activation(model, evidence):
    absolute = evidence("accuracy with |x|", activations.accuracy_with(model, "|x|"), published=1.0)
    assert absolute == 1
    squared = evidence("accuracy with x²", activations.accuracy_with(model, "x²"), published=1.0)
    linear = evidence("accuracy with x", activations.accuracy_with(model, "x"), published=0.042)
    evidence("accuracy with x⁴", activations.accuracy_with(model, "x⁴"), published=1.0)
    evidence("accuracy with x³", activations.accuracy_with(model, "x³"), published=0.036)
    assert squared >= 0.9
    assert linear <= 0.3


@pytest.fixture(params=["formula", pytest.param("permuted", marks=pytest.mark.control)])
def written(request):
    """The network of the formula at the width of the trained ones, and one whose neurons write with others' phases."""
    network = quadratic.gromov(Task(P), WIDTH)
    if request.param == "formula":
        return network
    order = torch.randperm(WIDTH, generator=torch.Generator().manual_seed(0))
    return replace(network, weights={**network.weights, names.TWO_HOT_OUT: network.U[order]})


@claim(
    "G4",
    "A network that is written down by the formula is right on every pair",
    published=1.0,
    section="Section 3, second-hand",
    about="behaviour",
    threshold="source",
    because="the source's figure is 100 %; the width is that of the trained networks, 512 for p = 113",
)
def test_the_formula_is_right(written, evidence):
    accuracy = evidence("accuracy on all pairs", losses.accuracy(written.logits, written.labels), published=1.0)
    assert accuracy == 1


@morwani
@claim(
    "M1",
    "Every frequency is used, with nearly equal power",
    published="all, nearly uniformly",
    section="Section 5, second-hand",
    threshold="convention",
    because='"nearly uniformly" is that the weakest frequency has half the power of the strongest',
    on=(*MODADD, "quad-mlp"),
)
def test_every_frequency_is_used(model, evidence):
    evenness = evidence("least over greatest power of U among all frequencies", readout.evenness(model.U))
    assert evenness >= 0.5


@morwani
@claim(
    "M2",
    "Each neuron's input weights are of one frequency",
    published={"modadd-mlp": "≈ 0.9 with a ReLU", "quad-mlp": "≈ 1 with quadratic neurons"},
    section="Section 5, second-hand",
    threshold="source",
    because="the source finds 1 with quadratic neurons and about 0.9 with a ReLU",
    on=("modadd-mlp", "quad-mlp"),
)
def test_input_weights_are_of_one_frequency(model, evidence):
    share = evidence("mean share of one frequency in a neuron's weights", neurons.token_frequency_share(model.W_neur))
    assert share >= 0.9
