"""Claims of Nanda et al. 2023, "Progress measures for grokking via mechanistic interpretability" (arXiv 2301.05217).

The thresholds come from the paper's figures and words. Where a claim of one of the notebooks says the same with another
threshold (N2, N5 and N12 of the transformer), both stand, each with its own.
"""

import math
import random
from pathlib import Path

import pytest
import torch

from grok import views
from grok.claim import claim, source
from grok.measure import (
    activations,
    attention,
    certificate,
    embedding,
    fractions,
    intervene,
    losses,
    neurons,
    readout,
    trajectory,
)
from grok.measure.intervene import Intervention

pytestmark = source(
    "nanda-2023",
    "Nanda et al. 2023, Progress measures for grokking via mechanistic interpretability",
    ref="arXiv 2301.05217",
    url="https://arxiv.org/abs/2301.05217",
)

MODADD = ("modadd-mlp", "modadd-transformer", "c113-mlp")  # of the last, users' checkpoints only
MODULAR = (*MODADD, "modsub-transformer")
SOLVED = 1e-3  # loss on all pairs
BINS = 30
SWEEP = Path(__file__).parents[1] / "fixtures" / "sweeps" / "modadd-mlp-p59-train-frac.parquet"
PER_FREQUENCY = ("frequency k", "norm")


def plot_losses(evidence, title, see, arrays):
    evidence.plot("points", title, arrays, see=see, axes=("", "log10 of the loss on all pairs"))


def on_log_scale(model, **found):
    """Losses as points, beside that of guessing, log p."""
    shown = {**found, "guessing": math.log(model.task.p)}
    return {"x": list(shown), "loss": [views.log10(loss) for loss in shown.values()]}


def plot_subspace(evidence, see, model):
    def arrays():
        whole, parts = activations.whole(model), activations.key_subspace(model)
        named = {"whole network": whole, "only K's directions": parts.kept, "all but K's directions": parts.removed}
        return on_log_scale(model, **{name: answer.loss for name, answer in named.items()})

    plot_losses(evidence, "Loss with the neurons along K's directions kept or removed", see, arrays)


def neuron_and_polynomial(model):
    """The single-frequency neuron of the greatest variance over (a, b), and its projection on the nine terms."""
    p, found = model.task.p, neurons.frequencies(model.spectrum.post_powers)
    strongest = int((model.post.var(0) * found.single).argmax())
    neuron, waves = model.post[:, strongest], neurons.nine_waves(p, int(found.best[strongest]))
    tables = {f"neuron {strongest}": neuron, "its polynomial": waves.T @ (waves @ neuron)}
    return {name: views.percent(views.over_pairs(values, p), neuron) for name, values in tables.items()}


@claim(
    "P1",
    "U is of rank 2|K|, on the cosines and sines of the key frequencies",
    published="the rest is under 0.55 % of the norm",
    section="Section 4.2, second-hand",
    threshold="source",
    because="the rest is below 0.55 %; the text says norm, but on other people's networks only the square is",
    on=MODADD,
)
def test_the_readout_has_rank_two_for_each_key_frequency(model, evidence):
    r"""U is the linear map from neurons to logits. As functions of the answer c its rows are made of the waves
    $\cos w_k c$ and $\sin w_k c$, $w_k = 2 \pi k / p$, of the few key frequencies K, which are two directions for each;
    hardly anything else is left.

    Measured: what is left of U, centred over the answers, without these waves: its norm over that of U, and the square
    of that, which is what is asserted. $F_k$ has the two waves of k as columns, of norm one.

    $$ \frac{\sum_{k \notin K} \| U F_k \|^2}{\sum_k \| U F_k \|^2} \le 0.0055 $$"""
    norms = embedding.fourier_norms(model.U, dim=1)
    evidence.plot(
        "bars",
        "Norm of U on each frequency",
        **views.by_frequency(norms, model.key_frequencies),
        see="K stands out; the claim is that the squares of the others add up to 0.55 % of the whole.",
        axes=PER_FREQUENCY,
    )
    rest = readout.rest_of_readout(model.U, model.key_frequencies)
    evidence("norm of the rest / norm of centred U", rest.norm)
    square = evidence("squared norm of the rest / squared norm of centred U", rest.square, published=0.0055)
    assert square <= 0.0055


@claim(
    "P2",
    "Each projection of the neurons on U's cos k and sin k is a wave of a + b",
    published=(0.932, 0.982),
    section="Section 4.2, second-hand",
    threshold="source",
    because="the lowest published share is 0.932, rounded down to 0.93",
    on=("modadd-transformer",),
)
def test_each_projection_is_a_wave_of_the_sum(model, evidence):
    r"""The map U reads the neurons along a few directions, one for $\cos w_k c$ and one for $\sin w_k c$ of each key
    frequency k. Along each, the neurons' activations are a wave of a + b: the sum has been computed before the readout.

    Measured: each such projection g = h U f, of the activations h by way of the wave f over c, is a function of (a, b).
    Its FVE (fraction of variance explained) is the share of its squared norm on the two products of waves that make up
    $\cos w_k(a + b)$, or $\sin w_k(a + b)$; here for the cosine, with all products scaled to norm one.

    $$ \frac{\langle g, \cos w_k a \cos w_k b \rangle^2 + \langle g, \sin w_k a \sin w_k b \rangle^2}{\| g \|^2}
       \ge 0.93, \quad g = h U \cos w_k c $$"""
    table = neurons.projection_fves(model.post, model.U, model.key_frequencies)
    evidence.plot(
        "fve",
        "Share of each projection that is a wave of a + b",
        x=list(table),
        fve=list(table.values()),
        line=0.93,
        see="The claim is that every point is above the line.",
        axes=("direction of U", "FVE, 0 to 1"),
    )
    least = evidence("least FVE of a projection", min(table.values()), published=0.932)
    assert least >= 0.93


@claim(
    "P3",
    "Each head's attention follows one frequency",
    published=(0.979, 0.991),
    section="Section 4.2 and appendix, second-hand",
    threshold="source",
    because="the lowest published share is 0.979, rounded down to 0.97",
    on=("modadd-transformer",),
)
def test_each_head_attends_by_one_frequency(model, evidence):
    r"""How much an attention head looks at a rather than at b varies with the pair (a, b). For each head it does so as
    waves of one frequency k.

    Measured: each head's attention from the last position to a, over all pairs, less its mean; the share of its
    variance on the products f of $1, \cos w_k a, \sin w_k a$ with $1, \cos w_k b, \sin w_k b$, without the constant and
    scaled to norm one, at the k where it is greatest.

    $$ \max_k \frac{\sum_{f \in \text{terms of } k} \langle A_{\to a}, f \rangle^2}
       {\| A_{\to a} - \bar A_{\to a} \|^2} \ge 0.97 $$"""
    found = attention.single_frequency(model.pattern, model.task.p)
    evidence.plot(
        "panels",
        "Attention to a over (a, b), per head",
        lambda: views.attention_to_a(model.pattern, model.task.p),
        see="The claim is that each head has stripes of one wavelength. The first 45 numbers; in per cent.",
        axes=("b", "a"),
    )
    evidence("best frequency of each head", found.best.tolist())
    shares = evidence("share of each head's variance on its best", found.share.tolist(), published=(0.979, 0.991))
    assert all(share >= 0.97 for share in shares)


@claim(
    "P4",
    "Most neurons are of one frequency",
    published=0.846,
    section="Section 4.2, second-hand",
    threshold="source",
    because="the published share of the neurons is 0.846, rounded down to 0.84",
    on=("modadd-transformer",),
)
def test_most_neurons_are_of_one_frequency(model, evidence):
    r"""The activation of most neurons, as a function of the pair (a, b), is made of waves of one frequency k: of
    products of $1, \cos w_k a, \sin w_k a$ with $1, \cos w_k b, \sin w_k b$.

    Measured: for each neuron after the ReLU the share of its variance over all pairs on these nine terms, at the k
    where it is greatest; then the share of the neurons for which it is 0.85 or more. $f$ runs over the terms without
    the constant, scaled to norm one, and $\bar h$ is the neuron's mean.

    $$ \max_k \frac{\sum_{f \in \text{terms of } k} \langle h, f \rangle^2}{\| h - \bar h \|^2} \ge 0.85 $$"""
    found = neurons.frequencies(model.spectrum.post_powers)
    evidence.plot(
        "lines",
        "Share of each neuron's variance on its best frequency",
        lambda: views.sorted_shares(found),
        see="The neurons are sorted; those above the line are of one frequency.",
        axes=("neuron, by share", "share of variance, 0 to 1"),
    )
    share = evidence("share of neurons with ≥ 0.85 of their variance on one frequency", found.single_share)
    assert share >= 0.84


@claim(
    "P5",
    "Replacing those neurons by polynomials of degree 2 in cos and sin of their frequency costs next to nothing",
    published="loss + 3 %",
    section="Section 4.2, second-hand",
    threshold="convention",
    because='"next to nothing" is at most twice the loss and every answer right; there must be such neurons',
    on=MODULAR,
)
def test_neurons_are_polynomials_of_degree_two(model, evidence):
    r"""A neuron of one frequency k is nearly a polynomial of degree 2 in $\cos w_k a, \sin w_k a, \cos w_k b$ and
    $\sin w_k b$. If all such neurons are replaced by these polynomials, the network answers as before.

    Measured: the activation $h_i$ of every live neuron with at least 0.85 of its variance on its k is replaced by its
    projection on the nine products f of $1, \cos, \sin$ of $w_k a$ and of $w_k b$, scaled to norm one. The other
    neurons stay. The number of neurons replaced; the mean cross-entropy on all pairs over that of the network; and the
    accuracy.

    $$ h_i \to \sum_{f \in \text{terms of } k_i} \langle h_i, f \rangle f $$"""
    polynomials = activations.as_polynomials(model)
    if polynomials.replaced:
        evidence.plot(
            "panels",
            "The strongest neuron of one frequency and its polynomial, over (a, b)",
            lambda: neuron_and_polynomial(model),
            see="They look the same, here for the first 57 numbers; in per cent of the greatest activation.",
            axes=("b", "a"),
        )
    replaced = evidence("neurons replaced", polynomials.replaced)
    evidence("loss with these neurons replaced", polynomials.answer.loss)
    whole, answer = polynomials.whole, polynomials.answer
    ratio = evidence("loss with these neurons replaced / loss", answer.loss / whole.loss, published=1.03)
    accuracy = evidence("accuracy with these neurons replaced", answer.accuracy)
    assert replaced >= 1
    assert accuracy == 1
    assert ratio <= 2


@claim(
    "P6",
    "Each key frequency matters by itself",
    published="excluded loss 2.0e-4 … 2.4e-2, from 2.4e-7",
    section="Section 4.3, second-hand",
    threshold="convention",
    because="to matter is ten times the loss, and ten times what the worst of eight other frequencies does",
    on=MODULAR,
)
def test_each_key_frequency_matters(model, evidence):
    r"""Take any one of the key frequencies away from the neurons, and the network becomes worse; take away any other
    frequency, and nothing happens.

    Measured: for each single k of K the mean cross-entropy on all pairs when what the activations h have along
    $\cos w_k s$ and $\sin w_k s$, s the answer, is removed; the least of these over the loss of the network, and over
    the greatest loss without one of eight other frequencies, which are evenly spaced. $P_k$ projects on the two waves
    over all pairs.

    $$ h \to h - P_k h, \quad \min_{k \in K} L_k \ge 10 \, L,
       \quad \min_{k \in K} L_k \ge 10 \max_{j \notin K} L_j $$"""
    each = losses.excluded_each(model, torch.arange(len(model.labels)))
    orders = {k: math.log10(loss / each.loss) for k, loss in (each.keys | each.others).items()}
    evidence.plot(
        "bars",
        "How much the loss grows without each single frequency",
        **views.by_frequency([orders.get(k) for k in range(1, (model.task.p + 1) // 2)], model.key_frequencies),
        line=1,
        see="At the line the loss is ten times that of the network. Of the other frequencies eight are tried.",
        axes=("frequency removed", "log10 of the loss over that of the network"),
    )
    evidence("loss on all pairs", each.loss, published=2.4e-7)
    evidence("loss without each key frequency", each.keys)
    evidence("loss without each of eight other frequencies", each.others)
    least = evidence("least loss without a key frequency", min(each.keys.values()), published=2.0e-4)
    over = evidence("least loss without a key frequency / loss", least / each.loss)
    above = evidence("least loss without a key frequency / greatest without another", least / each.greatest_other)
    assert over >= 10
    assert above >= 10


@claim(
    "P7",
    "The 2|K| directions that U reads K along are enough: the loss stays near",
    published=1.19e-7,
    section="Section 4.3, second-hand",
    threshold="convention",
    because='"enough" is a loss of at most ten times that of the whole network',
    on=MODULAR,
)
def test_the_key_directions_of_the_neurons_are_enough(model, evidence):
    r"""U, the map from neurons to logits, reads the waves of the key frequencies K along a few directions in the space
    of the neurons, two for each k. The neurons' activations along all other directions can be thrown away.

    Measured: the mean cross-entropy on all pairs with the activations h projected on these directions, over that of the
    network. The columns of Q are an orthonormal basis of the directions U f, f the waves $\cos w_k c$ and
    $\sin w_k c$ over the answers.

    $$ h \to h \, Q Q^T, \quad \frac{L_{\text{kept}}}{L} \le 10 $$"""
    model.require_active_neurons()  # without them the loss does not change
    plot_subspace(evidence, "The claim is that with K's directions only it is near that of the whole network.", model)
    kept = evidence("loss with only the neurons' part along K's directions", activations.key_subspace(model).kept.loss)
    ratio = evidence("loss along K's directions only / loss of the network", kept / activations.whole(model).loss)
    assert ratio <= 10


@claim(
    "P7b",
    "The 2|K| directions that U reads K along solve the task by themselves",
    published=1.19e-7,
    section="Section 4.3, second-hand",
    threshold="convention",
    because="solved is a loss below 1e-3 on all pairs, as in K14b and N8b",
    on=MODULAR,
)
def test_the_key_directions_of_the_neurons_solve_the_task(model, evidence):
    r"""P7 as a statement about the task, so that a network that has not learned it fails: with nothing kept of the
    neurons but the $2 \lvert K \rvert$ directions along which U reads the key frequencies, every pair is answered with
    near certainty.

    Measured: the mean cross-entropy on all pairs with the activations h projected on these directions. The columns of Q
    are an orthonormal basis of the directions U f, f the waves $\cos w_k c$ and $\sin w_k c$ over the answers.

    $$ h \to h \, Q Q^T, \quad L_{\text{kept}} < 10^{-3} $$"""
    plot_subspace(evidence, "The claim is that with K's directions only it is near that of the whole network.", model)
    kept = evidence("loss with only the neurons' part along K's directions", activations.key_subspace(model).kept.loss)
    assert kept < SOLVED


@claim(
    "P8",
    "Without those directions nothing is left",
    published=5.27,
    section="Section 4.3, second-hand",
    threshold="convention",
    because='"nothing" is at least half the loss of guessing, log p / 2',
    on=MODULAR,
)
def test_nothing_is_left_without_the_key_directions(model, evidence):
    r"""The other side of P7: without the $2 \lvert K \rvert$ directions along which U reads the key frequencies the
    neurons say nothing of the answer, although nearly all directions of their space are left.

    Measured: the mean cross-entropy on all pairs with the activations' part h along these directions removed. The
    columns of Q are an orthonormal basis of the directions U f, f the waves $\cos w_k c$ and $\sin w_k c$.

    $$ h \to h - h \, Q Q^T, \quad L_{\text{removed}} \ge \frac{\log p}{2} $$"""
    model.require_active_neurons()  # without them nothing is left whatever is removed
    plot_subspace(evidence, "The claim is that without K's directions it is near that of guessing.", model)
    removed = evidence(
        "loss with the neurons' part along K's directions removed", activations.key_subspace(model).removed.loss
    )
    half_guessing = evidence("half the loss of guessing, log p / 2", math.log(model.task.p) / 2)
    assert removed >= half_guessing


@claim(
    "P8b",
    "The network solves the task, and does not without those directions",
    published=5.27,
    section="Section 4.3, second-hand",
    threshold="convention",
    because="solved is a loss below 1e-3 on all pairs, and not solved half the loss of guessing, log p / 2",
    on=MODULAR,
)
def test_the_task_is_not_solved_without_the_key_directions(model, evidence):
    r"""P8 for a network that solves the task: only then does it mean something that without the $2 \lvert K \rvert$
    directions along which U reads the key frequencies nothing is left.

    Measured: the mean cross-entropy on all pairs of the whole network, and with the activations' part h along these
    directions removed. The columns of Q are an orthonormal basis of the directions U f, f the waves $\cos w_k c$ and
    $\sin w_k c$.

    $$ L < 10^{-3}, \quad h \to h - h \, Q Q^T, \quad L_{\text{removed}} \ge \frac{\log p}{2} $$"""
    plot_subspace(evidence, "The claim is that without K's directions it is near that of guessing.", model)
    whole = evidence("loss on all pairs", activations.whole(model).loss)
    removed = evidence(
        "loss with the neurons' part along K's directions removed", activations.key_subspace(model).removed.loss
    )
    half_guessing = evidence("half the loss of guessing, log p / 2", math.log(model.task.p) / 2)
    assert whole < SOLVED
    assert removed >= half_guessing


@claim(
    "P9",
    "Attention is needed, the skip around the MLP is not",
    published=(24.3, 9.12e-7),
    section="Appendix, second-hand",
    threshold="convention",
    because='"needed" is the loss of guessing, log p; "not needed" is at most ten times the loss',
    on=("modadd-transformer",),
)
def test_attention_is_needed_and_the_skip_is_not(model, evidence):
    r"""The heads bring a and b to the position where the answer is read, and without them it knows neither. The way
    around the MLP, by which the residual stream reaches the logits directly, can be cut.

    Measured: the mean cross-entropy on all pairs with the outputs of all heads set to zero; and with the logits reading
    the output of the MLP alone, over that of the network. r is the residual stream before the MLP, $b_U$ the bias.

    $$ L = (r + \text{MLP}(r)) W_U + b_U \to \text{MLP}(r) W_U + b_U $$"""

    def loss(change):
        return losses.mean_loss(intervene.by_hand(model, change).logits, model.labels)

    headless = evidence("loss with the heads' outputs at zero", loss(Intervention(heads=False)), published=24.3)
    without_skip = evidence("loss without the skip", loss(Intervention(skip=False)), published=9.12e-7)
    whole = loss(Intervention())
    named = {"whole network": whole, "without the skip": without_skip, "without heads": headless}
    see = "Without heads the loss is that of guessing or more, without the skip that of the network."
    plot_losses(evidence, "Loss without heads and without the skip", see, lambda: on_log_scale(model, **named))
    ratio = evidence("loss without the skip / loss", without_skip / whole)
    guessing = evidence("loss of guessing, log p", math.log(model.task.p))
    assert headless >= guessing
    assert ratio <= 10


@claim(
    "P10",
    "Weights get sparser in the Fourier basis during clean-up",
    published="rises",
    section="Section 5, second-hand",
    about="behaviour",
    threshold="convention",
    because="to rise is by at least 0.05, from the end of circuit formation to the end of the run",
    on=MODULAR,
)
def test_weights_get_sparser_during_cleanup(run, evidence):
    r"""When the test loss falls, the network does not begin to learn the rule, it throws away what it had memorised:
    its weights come to sit on ever fewer frequencies. This last phase of training is called clean-up.

    Measured: the Gini coefficient of the norms $x_1 \le \dots \le x_n$ of W_E on the $n = (p - 1) / 2$ frequencies, and
    the same of U: 0 if all are equal, near 1 if one has everything. By how much it rises from the step at which a tenth
    of the fall of the test loss (on the log scale) is done to the end of the run.

    $$ G = \frac{\sum_i (2 i - n - 1) \, x_i}{n \sum_i x_i} $$"""
    phases = trajectory.phases(run.steps, run.columns["train_loss"], run.columns["test_loss"])
    since = evidence("step at which clean-up begins", phases.circuit)
    columns = {"W_E": run.columns["gini_W_E"], "U": run.columns["gini_U"]}
    evidence.plot(
        "progress",
        "Gini coefficient of the Fourier norms over training",
        steps=run.steps,
        embedding=columns["W_E"],
        readout=columns["U"],
        see="It rises after clean-up begins.",
        axes=("step", "Gini coefficient, 0 to 1"),
        phases={"clean-up begins": since},
    )
    rises = evidence(
        "rise of the Gini coefficient of the Fourier norms",
        {name: column[-1] - trajectory.at_step(run.steps, column, since) for name, column in columns.items()},
    )
    assert all(rise >= 0.05 for rise in rises.values())


@claim(
    "P11",
    "Every pair is answered with room",
    published=9.605,
    section="M. Flean, on the paper's own checkpoint",
    about="behaviour",
    threshold="convention",
    because='"room" is a margin of 1, and more than twice what float32 can be off, whatever the order of additions',
    on=(*MODULAR, "add-transformer"),
)
def test_every_answer_is_certified(model, evidence):
    r"""The network is right on every pair, and not by a hair: the right logit stands above all others by so much that
    no rounding of a computer can change an answer.

    Measured: the margin of each pair in float64; the least must be 1 or more. And for each pair a bound E on how far
    float32 can be from the exact logits, whatever the order of additions; the number of pairs whose margin is over 2 E
    must be that of all pairs.

    $$ m(a, b) = L_s(a, b) - \max_{c \ne s} L_c(a, b), \quad m(a, b) > 2 E(a, b) $$"""
    margins = certificate.margins_of(model.logits, model.labels)
    low, high = float(margins.min()), float(margins.max())
    width = (high - low) / BINS
    evidence.plot(
        "bars",
        "Margins of all pairs",
        see="All are to the right of 1.",
        x=[low + (i + 0.5) * width for i in range(BINS)],
        pairs=margins.histc(BINS, low, high),
        axes=("margin, right logit less the greatest other", "number of pairs"),
    )
    margin = evidence("least margin over all pairs", low, published=9.605)
    assert margin >= 1  # before the bounds, which take seconds
    found = certificate.certify(model)
    evidence("greatest bound on the float32 error", found.bound)
    pairs = evidence("number of pairs", len(margins))
    certain = evidence("pairs whose margin is more than twice their bound", found.right)
    assert certain == pairs


@pytest.fixture(params=["sweep", pytest.param("shuffled", marks=pytest.mark.control)])
def runs_by_fraction(request):
    """The runs of the shipped sweep; as the control, with their train fractions exchanged at random."""
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow: pip install 'grok-claims[cluster]'")
    rows = parquet.read_table(SWEEP).to_pylist()
    given = [row["train_frac"] for row in rows]
    if request.param == "shuffled":
        random.Random(0).shuffle(given)
    losses = ("train_loss_by_step", "test_loss_by_step")
    return [
        fractions.Run(fraction, *(fractions.reached(row["steps_recorded"], row[name]) for name in losses))
        for fraction, row in zip(given, rows, strict=True)
    ]


@claim(
    "P12",
    "The less data, the later the grok; with enough data there is none",
    published="1.1 … 84",
    section="Section 5.3, Figure 8, and the authors' saved runs",
    about="behaviour",
    threshold="convention",
    because="a clear trend is a rank correlation of -0.9; late is ten times the steps, at once is up to three times",
)
def test_less_data_means_a_later_grok(runs_by_fraction, evidence):
    r"""A network that is trained on most of the pairs generalises almost while it memorises. With a smaller share of
    the pairs it memorises as fast, and the test loss falls much later: it groks.

    Measured: on 30 runs of the MLP's recipe with p = 59, ten train fractions and three seeds each, for 10,000 steps
    (3,000 from one half on). The delay is the step at which the test loss reaches 0.01 over the step at which the train
    loss does, as the geometric mean over the seeds. Fractions with which a run does not reach them are left out. The
    control is the same table with its train fractions exchanged at random.

    $$ d(f) = \exp \frac{1}{n} \sum_{i=1}^{n} \log \frac{t^\text{test}_i(f)}{t^\text{train}_i(f)} $$
    """
    delays = fractions.delays(runs_by_fraction)
    solved = fractions.generalised(delays)
    evidence("delay of the grok by train fraction", solved)
    evidence("train fractions with which a run did not generalise", sorted(delays.keys() - solved.keys()))
    evidence.plot(
        "points",
        "Delay of the grok by the share of the pairs that is trained on",
        x=list(solved),
        log10_of_delay=[math.log10(delay) for delay in solved.values()],
        see="It falls to near 0 (no delay) as the share rises.",
        axes=("train fraction", "log10 of the delay"),
    )
    trend = evidence("rank correlation of train fraction and delay", fractions.trend(solved))
    least_data = evidence("delay at the smallest fraction that generalises", solved[min(solved)], published=84)
    enough = evidence(
        "greatest delay with at least 0.6 of the pairs", max(d for f, d in solved.items() if f >= 0.6), published=2.75
    )
    assert trend <= -0.9
    assert least_data >= 10
    assert enough <= 3
