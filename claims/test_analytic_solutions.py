"""Claims of the papers that write the solution down: Gromov 2023 and Doshi et al. 2024 (G), Morwani et al. 2023 (M)."""

import math
from dataclasses import replace

import pytest
import torch

from grok import views
from grok.claim import claim, source
from grok.measure import activations, embedding, losses, neurons, phases, readout
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
SHOWN = 150  # neurons of a scatter plot


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
    r"""A neuron of frequency k reads a as $\cos(w_k a + \varphi_a)$ and b as $\cos(w_k b + \varphi_b)$, and adds
    $\cos(w_k c + \varphi_{\text{out}})$ to the logits. What is linear in the product of the two inputs is a wave of
    a + b with the phase $\varphi_a + \varphi_b$. If each neuron writes with just this phase, all neurons together vote
    for c = a + b.

    Measured: of each neuron i the three phases and amplitudes A at its best frequency, and the resultant length, with
    weights, of $\varphi_a + \varphi_b - \varphi_{\text{out}}$ over the neurons: 1 if all are equal, near 0 if they are
    random. And the same with the neurons' outputs permuted, the median of 20 draws.

    $$ R = \frac{\left| \sum_i m_i \, e^{i (\varphi_a + \varphi_b - \varphi_{\text{out}})} \right|}{\sum_i m_i}, \quad
       m = \sqrt{A_a A_b} \, A_{\text{out}} $$"""
    found = phases.agreement(model)
    strongest = found.weights.topk(min(SHOWN, len(found.weights))).indices
    evidence.plot(
        "planes",
        f"Phase written against phase read, of the {SHOWN} strongest neurons",
        neurons=torch.stack([found.read, found.written], dim=1)[strongest] / (2 * math.pi),
        see="The neurons lie on the diagonal if the phases agree.",
        axes=("φ_a + φ_b, turns", "φ_out, turns"),
    )
    length = evidence("resultant length of φ_a + φ_b - φ_out, 0 … 1", found.length, control_draws=found.permuted)
    permuted = evidence("median resultant length with permuted outputs", found.median)
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
    r"""The neurons that follow one frequency k do so at phases all around the circle. Each of them also writes waves
    that are of no use to the answer; over evenly spread phases these cancel, and only the wave of a + b is left.

    Measured: for each frequency with at least ten live neurons that have 0.85 of their variance on it, the resultant
    length of the n phases $\varphi$ at which they read a: 0 if the phases balance, 1 if they are all equal. There must
    be such a frequency.

    $$ R_k = \frac{1}{n} \left| \sum_{i=1}^{n} e^{i \varphi_i} \right| \le 0.3 $$"""
    found = phases.spread(model)
    if found:
        evidence.plot(
            "points",
            "Phases of the neurons of each frequency",
            x=torch.cat([spread.phases for spread in found.values()]) / (2 * math.pi),
            neurons=[k for k, spread in found.items() for _ in range(spread.n)],
            see="A row for each frequency; the neurons lie all along it if the phases are spread.",
            axes=("phase at which a is read, turns", "frequency k"),
        )
    else:
        evidence("no plot", "no frequency has ten live neurons with 0.85 of their variance on it")
    evidence("neurons in each cluster of at least ten", {k: spread.n for k, spread in found.items()})
    lengths = evidence("resultant length of each cluster's phases", {k: spread.first for k, spread in found.items()})
    clusters = evidence("number of clusters of at least ten neurons", len(found))
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
    r"""The ReLU is the sum of an even function, $\lvert x \rvert / 2$, and an odd one, x / 2, which is linear. Only the
    even part can multiply a and b, as a square does. So the network should work with another even function in place of
    the ReLU, with the weights as they are, and with no odd one.

    Measured: the accuracy on all pairs when the activation is replaced, without training, by $\lvert x \rvert$ and
    $x^2$; and by x, with which it must fail. Beside these, $x^4$ and $x^3$.

    $$ \operatorname{ReLU}(x) = \frac{\lvert x \rvert + x}{2}, \quad
       (\cos u + \cos v)^2 = 1 + \cos(u + v) + \cos(u - v) + \frac{\cos 2u + \cos 2v}{2} $$"""
    absolute = evidence("accuracy with |x|", activations.accuracy_with(model, "|x|"), published=1.0)
    assert absolute == 1
    squared = evidence("accuracy with x²", activations.accuracy_with(model, "x²"), published=1.0)
    linear = evidence("accuracy with x", activations.accuracy_with(model, "x"), published=0.042)
    fourth = evidence("accuracy with x⁴", activations.accuracy_with(model, "x⁴"), published=1.0)
    third = evidence("accuracy with x³", activations.accuracy_with(model, "x³"), published=0.036)
    evidence.plot(
        "bars",
        "Accuracy with each function in place of the ReLU",
        see="The claim is that |x| and x² keep it, and x does not.",
        x=["|x|", "x²", "x⁴", "x", "x³"],
        accuracy=[absolute, squared, fourth, linear, third],
        axes=("activation", "accuracy, 0 to 1"),
    )
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
    r"""The solution can be written down without training: each neuron j has one frequency $k_j$ and two random phases,
    adds a wave of a and a wave of b, and squares the sum. It writes a wave of the answer with the sum of the phases.
    What the square has beside the wave of a + b cancels over many neurons. 512 neurons are said to be enough for p =
    113.

    Measured: the accuracy on all pairs of this network with 512 neurons and the frequencies 1 to 56 in turn, phases
    from a fixed seed, $w_j = 2 \pi k_j / p$. The control is the same network whose neurons write with each other's
    phases.

        $$ L_c = \frac{1}{N} \sum_{j=1}^{N} \cos(w_j c + \varphi_j + \psi_j)
       \left( \cos(w_j a + \varphi_j) + \cos(w_j b + \psi_j) \right)^2 $$"""
    evidence.plot(
        "lines",
        "Mean logit by the distance of the answer from the right one",
        lambda: views.by_offset(written.labels, network=written.logits),
        see="A peak at 0, the right answer.",
        axes=("s - c, modulo p", "mean logit, centred"),
    )
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
    r"""The paper proves, for neurons that square their input, that the margin of the answers is greatest where all
    frequencies are used, and finds them used about equally. Of the networks here `quad-mlp` has such neurons, and the
    others have ReLUs. All are trained with weight decay, and the claim asks whether they do the same.

    Measured: the power of U, the map from neurons to logits, on each of the $(p - 1) / 2$ frequencies over the answers;
    the least over the greatest. $F_k$ has $\cos w_k c$ and $\sin w_k c$ as columns, of norm one.

    $$ \frac{\min_k \| U F_k \|^2}{\max_k \| U F_k \|^2} \ge 0.5 $$"""
    norms = embedding.fourier_norms(model.U, dim=1)
    evidence.plot(
        "bars",
        "Norm of U on each frequency",
        **views.by_frequency(norms, model.key_frequencies),
        see="The bars are of one height if all are used alike.",
        axes=("frequency k", "norm"),
    )
    evenness = evidence("least over greatest power of U among all frequencies, 0 … 1", readout.evenness(model.U))
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
    r"""What each number t tells a neuron, as a function of t, is a single wave $\cos(w_k t + \varphi)$.

    Measured: W_E W_in maps numbers to neurons; for each of its columns w, centred over the numbers, the share of the
    squared norm on the waves $F_k$ of one frequency k, where that is greatest; the mean over the live neurons, which
    are those with more than a millionth of the greatest norm squared.

    $$ \max_k \frac{\| F_k w \|^2}{\| w - \bar w \|^2}, \quad \text{mean} \ge 0.9 $$"""
    shares = neurons.token_frequency_shares(model.W_neur)
    if len(shares):
        evidence.plot(
            "lines",
            "Greatest share of one frequency in each neuron's input weights",
            x=range(1, len(shares) + 1),
            share=shares.sort(descending=True).values,
            see="The neurons are sorted; the mean is to be above the line.",
            line=0.9,
            axes=("live neuron, by share", "share of the squared norm, 0 to 1"),
        )
    else:
        evidence("no plot", "no neuron is live")
    share = evidence("mean share of one frequency in a neuron's weights", neurons.token_frequency_share(model.W_neur))
    assert share >= 0.9
