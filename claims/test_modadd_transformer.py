"""Sources B and N: a one-layer transformer on modular addition. Figures marked P are from Nanda et al. 2023."""

import math

import torch

from grok import views
from grok.claim import claim, source
from grok.errors import NotEvaluable
from grok.measure import attention, embedding, logits, losses, neurons, spectrum, trajectory
from grok.models.transformer import Transformer

pytestmark = source(
    "balcells",
    "Grokking modular addition, a replication",
    ref="D. Balcells with R. Schiavi, notebook of 2 April 2024; it replicates Nanda et al. 2023",
    fixture="modadd-transformer",
)
nanda = source(
    "nanda",
    "Progress measures for grokking: the demo notebook and the paper (P)",
    ref="N. Nanda, Grokking demo of TransformerLens; Nanda et al. 2023, arXiv 2301.05217",
    fixture="modadd-transformer",
    url="https://colab.research.google.com/github/TransformerLensOrg/TransformerLens/blob/main/demos/Grokking_Demo.ipynb",
)

PER_FREQUENCY = ["frequency k", "norm"]
PAIR_OF_FREQUENCIES = ["frequency in b", "frequency in a"]


@claim(
    "B1",
    "Grokking: the test loss falls thousands of steps after the train loss",
    published="≈ 10,000 steps",
    section="Visualizing the grokking curve",
    about="behaviour",
    threshold="convention",
    because='"thousands of steps after" is ten times as many steps; the published run has about 30 times',
)
def test_test_loss_falls_long_after_train_loss(run, evidence):
    r"""The network first knows the pairs it is trained on by heart. Only thousands of steps later it also begins to
    answer the others, and then quickly.

    Measured: on the record of the training, the first step with a train loss of at most 0.01 and the first with a test
    loss of at most 0.01; the losses are mean cross-entropies. A run whose test loss never comes so low does not grok.

    $$ \mathrm{ratio} = \frac{\min \{t : \mathrm{test\ loss}(t) \leq 0.01\}}
    {\min \{t : \mathrm{train\ loss}(t) \leq 0.01\}} $$
    """
    train_loss, test_loss = run.columns["train_loss"], run.columns["test_loss"]
    evidence.plot(
        "loss_curves",
        "Train and test loss",
        steps=run.steps,
        train_loss=train_loss,
        test_loss=test_loss,
        line=0.01,
        see="The train loss passes the dashed line at once, the test loss long after it.",
        axes=["step", "loss"],
    )
    least = evidence("least test loss", min(test_loss))
    assert least <= 0.01
    train = evidence("steps to train loss 0.01", trajectory.first_below(run.steps, train_loss, 0.01))
    test = evidence("steps to test loss 0.01", trajectory.first_below(run.steps, test_loss, 0.01), published=10_000)
    ratio = evidence("steps to test loss 0.01 / steps to train loss 0.01", test / train)
    assert ratio >= 10


def that_has_equals(model):
    """The network itself. Raises NotEvaluable for the trained rival, which reads at b."""
    if not isinstance(model, Transformer):
        raise NotEvaluable("it has no = that could attend")
    return model


@claim(
    "B2",
    "= pays no attention to itself",
    published="≈ 0",
    section="Looking around: everything is periodic!",
    threshold="convention",
    because='"approximately 0" is at most a twentieth',
)
def test_equals_pays_no_attention_to_itself(model, evidence):
    r"""The answer is read at the sign "=". There the attention heads look at a and b, and not at "=" itself, which
    carries no information.

    Measured: the attention $A_h$ of each head h from the last position to itself, after the softmax, in the mean over
    all pairs. Even attention to the three tokens would be one third.

    $$ \bar A_h = \frac{1}{p^2} \sum_{a, b} A_h(\mathrm{=}; a, b) $$
    """
    model = that_has_equals(model)
    mean = model.pattern.mean(0)
    columns = dict(zip(("to a", "to b", "to ="), mean.T, strict=True))
    evidence.plot(
        "bars",
        "Mean attention of the last position, per head",
        heads=range(len(mean)),
        **columns,
        see="The bars of a and b are near one half, that of = is near nothing.",
        axes=["head", "mean attention"],
    )
    to_itself = evidence("mean attention to =, per head", mean[:, 2].tolist())
    assert all(x <= 0.05 for x in to_itself)


@claim(
    "B3",
    "= pays equal attention to a and b",
    published=(0.5, 0.5),
    section="Looking around: everything is periodic!",
    threshold="convention",
    because='"equal" is a difference of at most 0.02',
)
def test_equals_attends_equally_to_a_and_b(model, evidence):
    r"""In the mean over all pairs each attention head looks at a as much as at b. Addition does not tell the two apart.

    Measured: the mean attention of each head h from the last position to a and to b, after the softmax, over all pairs.

    $$ d_h = | \bar A_h(a) - \bar A_h(b) | $$
    """
    model = that_has_equals(model)
    mean = model.pattern.mean(0)
    columns = dict(zip(("to a", "to b", "to ="), mean.T, strict=True))
    evidence.plot(
        "bars",
        "Mean attention of the last position, per head",
        heads=range(len(mean)),
        **columns,
        see="In each head the bars of a and b are equally high.",
        axes=["head", "mean attention"],
    )
    to_a, to_b, _ = mean.unbind(1)
    evidence("mean attention to a, per head", to_a)
    differences = evidence("|mean attention to a - mean attention to b|, per head", (to_a - to_b).abs().tolist())
    assert all(x <= 0.02 for x in differences)


@claim(
    "B4",
    "The patterns to a and to b are the same function",
    published="almost identical",
    section="Looking around: everything is periodic!",
    threshold="convention",
    because='"almost identical" is a correlation of at least 0.95',
)
def test_patterns_to_a_and_b_are_the_same_function(model, evidence):
    r"""How much a head looks at the first number depends on the two numbers in the same way as how much it looks at the
    second, with the numbers exchanged.

    Measured: for each head, the correlation over all pairs of its attention to the first number at (a, b) with its
    attention to the second at (b, a).

    $$ r_h = \mathrm{corr}_{a, b} \left( A_h^0(a, b), A_h^1(b, a) \right) $$
    """
    model = that_has_equals(model)
    correlations = attention.correlation_of_swapped(model.pattern, model.task.p)
    evidence.plot(
        "planes",
        "Attention to the first number at (a, b) against attention to the second at (b, a)",
        lambda: views.swapped_attention(model.pattern, model.task.p),
        see="Each point is a pair; about 200 of them. If both are the same function, all lie on the diagonal.",
        axes=["to the first, at (a, b)", "to the second, at (b, a)"],
    )
    found = evidence("correlation of A₀(a, b) with A₁(b, a), per head", correlations.tolist())
    assert all(r >= 0.95 for r in found)


@claim(
    "B5",
    "Attention is periodic in the inputs",
    published="very periodic",
    section="Looking around: everything is periodic!",
    threshold="convention",
    because='"very periodic" is nine tenths of the variance',
)
def test_attention_is_periodic(model, evidence):
    r"""The attention of each head goes up and down in regular waves when a and b are counted up, and the waves have the
    key frequencies.

    Measured: the attention of a head from the last position to all three tokens, as functions of (a, b) and without
    their means. Its share on K is the part of its squared norm on the nine terms of the frequencies in K.

    $$ \mathrm{share}_h = \frac{\sum_{k \in K} \sum_{f \in N_k} \langle A_h, f \rangle^2}{\lVert A_h \rVert^2}, \quad
    N_k = \{1, \cos w_k a, \sin w_k a\} \times \{1, \cos w_k b, \sin w_k b\} $$

    $A_h$ stands for the three functions together; the constant 1 · 1 is left out.
    """
    model = that_has_equals(model)
    shares = attention.periodic_share(model.pattern, model.task.p, model.key_frequencies)
    evidence.plot(
        "panels",
        "Attention to a over (a, b), per head",
        lambda: views.attention_to_a(model.pattern, model.task.p),
        see="Regular stripes, here for the first 45 numbers; in per cent of the attention.",
        axes=["b", "a"],
    )
    found = evidence("share of the centred pattern on the nine terms of K, per head", shares.tolist())
    assert all(share >= 0.9 for share in found)


@claim(
    "B6",
    "The OV circuit is periodic",
    published="very periodic",
    section="Looking around: everything is periodic!",
    threshold="convention",
    because='"very periodic" is nine tenths of the power',
)
def test_ov_circuit_is_periodic(model, evidence):
    r"""What a head carries from a number to the neurons (its OV circuit), attention aside, is a set of waves of the key
    frequencies in that number.

    Measured: for each head the matrix from numbers to neurons, and the share of its squared norm on the cosines and
    sines of the frequencies in K over the numbers. $P_k$ is the power on k, the squared norm of that part.

    $$ M_h = W_E W_V^h W_O^h W_{in}, \quad
    \mathrm{share}_h = \frac{\sum_{k \in K} P_k(M_h)}{\lVert M_h \rVert^2} $$
    """
    model = that_has_equals(model)
    circuit = attention.ov_circuit(model.W_E, model.W_V, model.W_O, model.W_in)
    evidence.plot(
        "bars",
        "OV circuit of each head, per frequency",
        lambda: {f"head {h}": embedding.fourier_norms(head) for h, head in enumerate(circuit)},
        frequencies=range(1, (model.task.p + 1) // 2),
        see="The same few frequencies stand out in every head.",
        axes=PER_FREQUENCY,
    )
    powers = [embedding.power_on(head, model.key_frequencies) for head in circuit]
    found = evidence("share of the power of W_E W_V W_O W_in on K, per head", powers)
    assert all(power >= 0.9 for power in found)


@claim(
    "B7",
    "The QK circuit is periodic",
    published="periodic",
    section="Looking around: everything is periodic!",
    threshold="convention",
    because='"periodic" is nine tenths of the power',
)
def test_qk_circuit_is_periodic(model, evidence):
    r"""How strongly "=" is drawn to a number before the softmax (the QK circuit) goes up and down in waves of the key
    frequencies when the number is counted up.

    Measured: for each head the score of each number t under the query of "=", without the positions. $P_k$ is the
    squared norm of its part on the cosine and sine of k over the numbers.

    $$ s_h(t) = \frac{q_h \cdot W_K^h E_t}{\sqrt{d_{head}}}, \quad
    \mathrm{share}_h = \frac{\sum_{k \in K} P_k(s_h)}{\lVert s_h \rVert^2} $$
    """
    model = that_has_equals(model)
    scores = attention.qk_circuit(model.W_E, model.W_K, model.query)
    heads = {f"head {i}": column for i, column in enumerate(scores.T)}
    evidence.plot(
        "lines",
        "Score of each number under the query of =",
        tokens=range(len(scores)),
        **heads,
        see="Each head is a regular wave of few frequencies.",
        axes=["number", "score before the softmax"],
    )
    centred = embedding.column_power_on(scores - scores.mean(0), model.key_frequencies)
    evidence("power of the scores on K without their mean, per head", centred)
    powers = embedding.column_power_on(scores, model.key_frequencies)
    found = evidence("share of the power of the scores on K, per head", powers.tolist())
    assert all(power >= 0.9 for power in found)


@claim(
    "B8",
    "W_E is sparse in the Fourier basis",
    published="a handful",
    section="Analyzing in the Fourier basis",
    threshold="convention",
    because='"a handful" of frequencies holds four fifths of the power; a Gini coefficient of 0.5 is sparse',
)
def test_embedding_is_sparse_in_the_fourier_basis(model, evidence):
    r"""The embedding places the numbers on a few circles: of the 56 possible frequencies it uses a handful.

    Measured: $n_k$ is the norm of the part of W_E on the cosine and sine of k over the numbers. Three things are asked:
    a gap in U that sets key frequencies apart (the ratio of neighbours in its sorted powers), the share of K in the
    squared norm of W_E, and how unequal the 56 norms are. The Gini coefficient is 0 if all are equal and nearly 1 if
    only one is not zero.

    $$ \mathrm{share} = \frac{\sum_{k \in K} n_k^2}{\lVert W_E \rVert^2}, \quad
    \mathrm{Gini} = \frac{\sum_{i=1}^{m} (2i - m - 1) n_{(i)}}{m \sum_i n_{(i)}}, \quad
    n_{(1)} \leq \cdots \leq n_{(m)} $$
    """
    norms = embedding.fourier_norms(model.W_E)
    evidence.plot(
        "bars",
        "W_E per frequency",
        **views.by_frequency(norms, model.key_frequencies),
        see="A few frequencies are far above the others.",
        axes=PER_FREQUENCY,
    )
    evidence.plot(
        "planes",
        "The numbers on the circles of three key frequencies",
        lambda: views.circles(model.W_E, views.strongest_first(model)[:3]),
        see="Each point is a number t, at the angle 2πkt/p of a circle: each step from 0 to 9 turns by the same angle.",
        axes=["along the cosine of k", "along the sine of k"],
    )
    gini = evidence("Gini coefficient of the norms of W_E", embedding.gini(norms))
    power = evidence("share of the power of W_E on K", embedding.power_on(model.W_E, model.key_frequencies))
    gap = evidence("gap: largest ratio of neighbouring powers of U", model.spectrum.keys.gap)
    assert gap >= 3
    assert power >= 0.8
    assert gini >= 0.5


@claim(
    "B9",
    "Every embedding dimension is periodic",
    published="all",
    section="Looking around: everything is periodic!",
    threshold="convention",
    because='"all" dimensions: the median has four fifths of its power on K',
)
def test_embedding_dimensions_are_periodic(model, evidence):
    r"""Each of the 128 dimensions of the embedding goes up and down in waves of the key frequencies when the number is
    counted up.

    Measured: for each dimension d, a function of the number, the share of its squared norm on the cosines and sines of
    the frequencies in K. The median over the dimensions is compared.

    $$ \mathrm{share}_d = \frac{\sum_{k \in K} P_k(W_E[\cdot, d])}{\lVert W_E[\cdot, d] \rVert^2} $$
    """
    powers = embedding.column_power_on(model.W_E, model.key_frequencies)
    evidence.plot(
        "lines",
        "Two dimensions of the embedding",
        tokens=range(len(model.W_E)),
        **{"dimension 0": model.W_E[:, 0], "dimension 1": model.W_E[:, 1]},
        see="Regular waves, not noise.",
        axes=["number", "value"],
    )
    evidence.plot(
        "lines",
        "Share of each dimension on K",
        x=range(1, len(powers) + 1),
        share=powers.sort(descending=True).values,
        line=0.8,
        see="The dimensions are sorted; the one in the middle is compared with the dashed line.",
        axes=["dimensions, sorted", "share of the power on K"],
    )
    evidence("least share of a dimension on K", powers.min())
    median = evidence("median share of a dimension on K", powers.median())
    assert median >= 0.8


@nanda
@claim(
    "N1",
    "W_E is low rank beside a Gaussian matrix",
    section="Singular Value Decomposition",
    threshold="convention",
    because='"low rank": 2|K| singular values hold 0.8 of the squares, of a Gaussian matrix less than 0.3',
)
def test_embedding_is_low_rank(model, evidence):
    r"""The embedding uses few of its 128 dimensions: as many directions as the key frequencies have cosines and sines
    hold nearly all of it. A random matrix needs many more.

    Measured: the share of the 2|K| greatest squared singular values of W_E, and the same of a Gaussian matrix of the
    same shape.

    $$ \mathrm{share} = \frac{\sum_{i \leq 2|K|} \sigma_i^2}{\sum_i \sigma_i^2}, \quad
    \sigma_1 \geq \sigma_2 \geq \cdots $$
    """
    rank = evidence("2|K|", 2 * len(model.key_frequencies))
    evidence.plot(
        "lines",
        "Squared singular values, as shares of their sum",
        lambda: views.singular_values(model.W_E),
        see="The line of W_E drops after 2|K| values; that of the Gaussian matrix goes down slowly.",
        axes=["singular values, sorted", "share of the squares"],
    )
    gaussian = evidence(
        "the same share of a Gaussian matrix",
        embedding.gaussian_top_share(model.W_E, rank),
    )
    share = evidence("share of the 2|K| greatest squared singular values", embedding.top_share(model.W_E, rank))
    assert share >= 0.8
    assert gaussian <= 0.3


@nanda
@claim(
    "N2",
    "Neurons fall in single-frequency clusters",
    published=0.846,
    section="Neuron Clusters; the figure is P's",
    threshold="source",
    because="the paper's share is 84.6 %; rounded down to 80 %",
)
def test_neurons_fall_in_clusters(model, evidence):
    r"""The neurons form groups, one for each key frequency: the activation of a neuron, as a function of a and b, is a
    wave of the frequency of its group.

    Measured: the activation of each neuron after the ReLU, on all pairs and without its mean, is written in the Fourier
    basis of a and b. Its share on k is the part of its squared norm on the nine terms of k. Counted are the neurons
    whose best k has a share of at least 0.85.

    $$ \mathrm{share}_i = \max_k \frac{\sum_{f \in N_k} \langle x_i, f \rangle^2}{\lVert x_i \rVert^2}, \quad
    N_k = \{1, \cos w_k a, \sin w_k a\} \times \{1, \cos w_k b, \sin w_k b\}, \quad w_k = \frac{2 \pi k}{p} $$
    """
    found = neurons.frequencies(model.spectrum.post_powers)
    evidence.plot(
        "matrix",
        "Neurons sorted by their best frequency",
        share=lambda: views.by_cluster(views.shares_by_frequency(model.spectrum.post_powers), found),
        x=range(1, (model.task.p + 1) // 2),
        see="Each row is a neuron, 128 of them, each column a frequency; in per cent of the neuron's variance. "
        "Clusters are vertical bars: one frequency each.",
        axes=["frequency k", "neurons, sorted"],
    )
    evidence.plot(
        "lines",
        "Share of each neuron's variance on its best frequency",
        lambda: views.sorted_shares(found),
        see="The neurons are sorted by their share. Those above the dashed line count.",
        axes=["neurons, sorted", "share on the best frequency"],
    )
    evidence.plot(
        "panels",
        "Two neurons over (a, b), and their Fourier spectra",
        lambda: views.neurons_and_spectra(model, found),
        see="Left: a regular wave, here for the first 57 numbers. Right: three spots, at (0, k), (k, 0) and (k, k). "
        "Values in per cent of the greatest.",
        axes=["b, or frequency in b", "a, or frequency in a"],
    )
    share = evidence("share of neurons with ≥ 0.85 of their variance on one frequency", found.single_share)
    assert share >= 0.8


@nanda
@claim(
    "N3",
    "W_logit is sparse in the Fourier basis",
    published="10 directions, the rest under 0.55 %",
    section="Read Off the Neuron-Logit Weights to Interpret; the figure is P's",
    threshold="source",
    because="the paper's ten directions leave less than 0.55 %; rounded to 1 %",
)
def test_neuron_to_logit_map_is_sparse(model, evidence):
    r"""The map from neurons to logits consists of waves over the classes, of the key frequencies and nearly no others.

    Measured: $U = W_{out} W_U$, which the source calls W_logit. $P_k$ is the squared norm of its part on
    $\cos w_k c$ and $\sin w_k c$ over the classes c.

    $$ \mathrm{ratio} = \frac{\sqrt{\sum_{k \in K} P_k}}{\lVert U \rVert} $$
    """
    evidence.plot(
        "bars",
        "W_out W_U per frequency",
        **views.by_frequency(embedding.fourier_norms(model.U, dim=1), model.key_frequencies),
        see="A few frequencies are far above the others.",
        axes=PER_FREQUENCY,
    )
    ratio = evidence("‖U on K‖ / ‖U‖", neurons.key_norm_ratio(model.U, model.key_frequencies))
    assert ratio >= 0.99


@nanda
@claim(
    "N4",
    "The cluster of k writes only to frequency k",
    section="Read Off the Neuron-Logit Weights to Interpret",
    threshold="convention",
    because='"only" is nine tenths of the power',
)
def test_clusters_write_only_to_their_frequency(model, evidence):
    r"""The neurons that follow one key frequency also write only that frequency to the logits. So each frequency is
    worked on by neurons of its own.

    Measured: the cluster of k are the neurons with at least 0.85 of their variance on k (see N2). $U_k$ are the rows
    of $U = W_{out} W_U$ of these neurons, and $P_k$ is their squared norm on the cosine and sine of k over the classes.
    It must be so for each k in K; an empty cluster counts as 0.

    $$ \mathrm{share}_k = \frac{P_k(U_k)}{\lVert U_k \rVert^2} $$
    """
    found = neurons.frequencies(model.spectrum.post_powers)
    evidence.plot(
        "matrix",
        "What each neuron writes to the logits",
        share=lambda: views.by_cluster(views.row_shares(model.U), found),
        x=range(1, (model.task.p + 1) // 2),
        see="Each row is one of 128 neurons, sorted by the frequency that it follows, each column a frequency "
        "of the classes; in per cent of the row of U.",
        axes=["frequency k", "neurons, sorted"],
    )
    evidence("neurons in each cluster", {k: len(found.cluster(k)) for k in model.key_frequencies})
    purities = evidence(
        "share at k of the rows of U of each cluster", neurons.cluster_purities(model.U, found, model.key_frequencies)
    )
    assert all(purity >= 0.9 for purity in purities.values())


@nanda
@claim(
    "N5",
    "Reading the neurons along U's sin k gives sin w_k(a+b)",
    published=(0.932, 0.982),
    section="Read Off the Neuron-Logit Weights to Interpret; the figures are P's",
    threshold="source",
    because="the lowest published share is 0.932; the source on the MLP says 0.84 of the same measure",
)
def test_each_projection_is_a_wave_of_the_sum(model, evidence):
    r"""If the neurons are read along the direction that U uses for the sine of a key frequency, the result is the sine
    of the sum, $\sin w_k(a + b)$; the same with the cosine. So the neurons have multiplied the waves of a and b.

    Measured: for each k in K, the function $g = x \cdot u_k$ of (a, b), where x are the activations and
    $u_k = U \hat s_k$ (for the cosine $U \hat c_k$). Its FVE, the fraction of variance explained, is the share of its
    squared norm in the two products that make up a sine, or a cosine, of a + b. Nothing is centred. The least over all
    directions is compared.

    $$ \mathrm{FVE}_{\sin k} = \frac{\langle g, \cos_a \sin_b \rangle^2 + \langle g, \sin_a \cos_b \rangle^2}
    {\lVert g \rVert^2}, \quad \mathrm{FVE}_{\cos k} = \frac{\langle g, \cos_a \cos_b \rangle^2 +
    \langle g, \sin_a \sin_b \rangle^2}{\lVert g \rVert^2} $$

    Here $\cos_a$ is $\cos w_k a$, and so on; each product has norm one over all pairs.
    """
    table = evidence("FVE of each projection", neurons.projection_fves(model.post, model.U, model.key_frequencies))
    evidence.plot(
        "points",
        "FVE of each projection",
        x=list(table),
        FVE=list(table.values()),
        line=0.84,
        see="Each point is a direction of U; the lowest is compared with the dashed line.",
        axes=["direction of U", "FVE"],
    )
    evidence.plot(
        "panels",
        "The neurons read along the sine of the strongest frequency",
        lambda: views.reading(model),
        see="Both have the same stripes along the lines of equal a + b. The first 57 numbers, in per cent of the "
        "greatest.",
        axes=["b", "a"],
    )
    least = evidence("least FVE", min(table.values()), published=0.932)
    assert least >= 0.84


@nanda
@claim(
    "N6",
    "Logits are quadratic-only",
    section="not in N: the sentence of source K, Stare at logits in fourier basis",
    threshold="convention",
    because='"quadratic-only": 0.95 of the variance, and at most 0.02 of it linear',
)
def test_logits_are_quadratic_only(model, evidence):
    r"""The logits depend on products of a wave in a and a wave in b of the same frequency. Waves in a alone or in b
    alone are not among them.

    Measured: the logits of all classes, each without its mean over the pairs, in the Fourier basis of a and b.
    $P_{jk}$ is the squared norm on frequency j of a and frequency k of b, where 0 is the constant.

    $$ \mathrm{quadratic} = \frac{\sum_{k \geq 1} P_{kk}}{\sum_{(j, k) \neq (0, 0)} P_{jk}}, \quad
    \mathrm{linear} = \frac{\sum_{k \geq 1} (P_{k0} + P_{0k})}{\sum_{(j, k) \neq (0, 0)} P_{jk}} $$
    """
    evidence.plot(
        "spectrum_2d",
        "The logits in the two-dimensional Fourier basis",
        norm=lambda: views.percent(spectrum.norms(model.spectrum.logit_powers)),
        see="Spots on the diagonal, where the frequencies of a and b are equal, and hardly any on the edges. "
        "In per cent of the greatest norm.",
        axes=PAIR_OF_FREQUENCIES,
    )
    quadratic = evidence("quadratic share of the centred logits", spectrum.quadratic_share(model.spectrum.logit_powers))
    linear = evidence("linear share of the centred logits", spectrum.linear_share(model.spectrum.logit_powers))
    assert quadratic >= 0.95
    assert linear <= 0.02


@nanda
@claim(
    "N7",
    "Logits are Σ_K α_k cos w_k(a+b-c)",
    published=0.95,
    section="Logit Periodicity; the figures are P's",
    threshold="source",
    because="the paper's share is 0.95, and its formula has a fifth of the model's loss",
)
def test_logits_are_the_cosine_formula(model, evidence):
    r"""The logit of a class c is a sum of waves of the distance between c and the right answer, one for each key
    frequency. All these waves have their maximum at the right answer.

    Measured: the formula is fitted to the logits of all pairs and classes, which gives one $\alpha_k$ for each k in K.
    The FVE, the fraction of variance explained, is the share of the squared norm of the logits that the formula
    explains; the mean over the classes of each pair is subtracted, since it does not change the answer. Then the
    cross-entropy of the formula on all pairs is compared with that of the network.

    $$ \hat L_c(a, b) = \sum_{k \in K} \alpha_k \cos w_k(a + b - c), \quad
    \mathrm{FVE} = \frac{\lVert \hat L \rVert^2}{\lVert L \rVert^2}, \quad
    \mathrm{ratio} = \frac{\mathrm{loss}(\hat L)}{\mathrm{loss}(L)} $$
    """
    fit = logits.formula(model.logits, model.labels, model.key_frequencies)
    evidence.plot(
        "panels",
        "Mean logits by the right answer a + b: the network and the formula",
        lambda: views.network_and_formula(model, fit.table),
        see="Stripes along the diagonal: the logits depend on the distance of the class from the answer. The first 57 "
        "answers and classes, in per cent of the network's greatest.",
        axes=["class c", "a + b mod p"],
    )
    fve = evidence("FVE of the formula, logits centred over c", fit.fve, published=0.95)
    evidence("FVE of the formula, not centred", fit.fve_uncentred)
    loss = evidence("loss on all pairs", losses.mean_loss(model.logits, model.labels), published=2.4e-7)
    of_formula = losses.mean_loss(fit.table, torch.arange(model.task.p))
    evidence("loss of the formula on all pairs", of_formula, published=4.7e-8)
    ratio = evidence("loss of the formula / loss of the network", of_formula / loss)
    assert fve >= 0.9
    assert ratio <= 2


@nanda
@claim(
    "N8",
    "The restricted loss is near the test loss",
    published="near",
    section="Restricted Loss",
    threshold="convention",
    because='"near" is within a factor of 2',
)
def test_restricted_loss_is_near_the_test_loss(model, evidence):
    r"""If everything is taken from the neurons but the waves of a + b of the key frequencies, the network answers as
    well as before.

    Measured: the activations x are replaced by their mean plus their projection on $\cos w_k(a + b)$ and
    $\sin w_k(a + b)$ of the k in K; the residual path around the neurons stays. The cross-entropy on the test pairs is
    then the restricted loss. It is compared with the test loss of the whole network, and with the restricted losses of
    20 sets of as many random frequencies outside K.

    $$ x \to \bar x + \sum_{k \in K} \left( \langle x, \hat c_k \rangle \hat c_k + \langle x, \hat s_k \rangle
    \hat s_k \right), \quad \mathrm{ratio} = \frac{\mathrm{restricted\ loss}}{\mathrm{test\ loss}} $$

    Here $\hat c_k$ and $\hat s_k$ are $\cos w_k(a + b)$ and $\sin w_k(a + b)$ over all pairs, with norm one.
    """
    evidence.plot(
        "lines",
        "Restricted loss with the strongest 1, 2, … key frequencies",
        lambda: views.restricted_by_number(model),
        see="The loss falls with each key frequency that is kept, until it passes the loss of the whole network.",
        axes=["key frequencies kept, strongest first", "loss on the test pairs"],
    )
    cut = losses.restricted(model)
    restricted = evidence("restricted loss", cut.loss, control_draws=cut.draws)
    without_skip = losses.Ablation.of(model).restricted_loss(model.key_frequencies, model.test, skip=False)
    evidence("restricted loss without the residual path", without_skip)
    test = evidence("test loss", losses.mean_loss(model.logits, model.labels, model.test))
    ratio = evidence("restricted loss / test loss", restricted / test)
    least = evidence("least restricted loss of 20 random sets", min(cut.draws))
    assert ratio <= 2
    assert restricted < least


@nanda
@claim(
    "N9",
    "The excluded loss is high",
    section="Excluded Loss",
    threshold="convention",
    because="high: above 1, and above every random draw",
)
def test_excluded_loss_is_high(model, evidence):
    r"""Without the waves of a + b of the key frequencies the network cannot even answer the pairs it was trained on.

    Measured: from the activations x their projection on $\cos w_k(a + b)$ and $\sin w_k(a + b)$ of the k in K is
    removed; the residual path around the neurons stays. The cross-entropy on the train pairs is then the excluded loss.
    It is compared with the same after the removal of 20 sets of as many random frequencies outside K.

    $$ x \to x - \sum_{k \in K} \left( \langle x, \hat c_k \rangle \hat c_k + \langle x, \hat s_k \rangle
    \hat s_k \right) $$

    Here $\hat c_k$ and $\hat s_k$ are $\cos w_k(a + b)$ and $\sin w_k(a + b)$ over all pairs, with norm one.
    """
    evidence.plot(
        "points",
        "Train loss without one frequency",
        lambda: views.excluded_by_frequency(model),
        see="Each key frequency and four others, removed alone; the dashed line is all of K removed.",
        axes=["frequency removed", "log₁₀ of the loss"],
    )
    cut = losses.excluded(model)
    excluded = evidence("excluded loss", cut.loss, control_draws=cut.draws)
    greatest = evidence("greatest excluded loss of 20 random sets", max(cut.draws))
    assert excluded >= 1
    assert excluded > greatest


@nanda
@claim(
    "N10",
    "Progress measures move before the test loss",
    section="Logit Periodicity and Restricted Loss: Look During Training",
    about="behaviour",
    threshold="source",
    because="the source's figure shows the order",
)
def test_progress_measures_move_first(run, evidence):
    r"""The algorithm grows inside the network before its answers become right: measures that look for the algorithm
    move while the test loss still stands.

    Measured: on the record of the training, three steps: where the alignment of the logits with the formula reaches
    half of its last value, and where the restricted loss and the test loss have done half of their fall from their
    maximum to the end, on the log scale. The alignment is the share of the logits' squared norm on the waves
    $\cos w_k(a + b - c)$ of the key frequencies, each scaled to norm one.

    $$ \mathrm{alignment} = \sum_{k \in K} \cos^2 \angle \left( L, \cos w_k(a + b - c) \right) $$
    """
    columns = {name: run.columns[name] for name in ("test_loss", "restricted_loss", "excluded_loss", "key_cos2")}
    evidence.plot(
        "progress",
        "Losses, and alignment of the logits with the formula",
        steps=run.steps,
        test_loss=columns["test_loss"],
        restricted_loss=columns["restricted_loss"],
        excluded_loss=columns["excluded_loss"],
        alignment=columns["key_cos2"],
        see="The alignment rises and the excluded loss rises before the test loss falls.",
        axes=["step", "loss, or alignment"],
    )
    aligned = evidence("step of half the final alignment", trajectory.risen(run.steps, columns["key_cos2"]))
    fall = {name: trajectory.fallen(run.steps, columns[name]) for name in ("restricted_loss", "test_loss")}
    restricted = evidence("step of half the fall of the restricted loss, log scale", fall["restricted_loss"])
    test = evidence("step of half the fall of the test loss, log scale", fall["test_loss"])
    assert aligned < test
    assert restricted < test


@nanda
@claim(
    "N11",
    "Three phases: memorise, form the circuit, clean up",
    published=(1_500, 13_300, 16_600),
    section="Loss Curves",
    about="behaviour",
    threshold="source",
    because="the source's figure shows the order",
)
def test_three_phases(run, evidence):
    r"""Training has three phases. First the network memorises. Then the circuit that adds is formed beside what is
    memorised, which the test loss does not show. At last weight decay removes what was memorised, and the test loss
    falls.

    Measured: on the record of the training. Memorising ends when the train loss reaches 0.01; circuit formation when a
    tenth of the fall of the test loss is done, on the log scale; clean-up when nine tenths are done. While the circuit
    is formed, the alignment of the logits with the formula must rise; in clean-up the norm of all weights must fall.

    $$ t_1 < t_2 < t_3, \quad \mathrm{alignment}(t_1) < \mathrm{alignment}(t_2), \quad
    \lVert \theta(t_3) \rVert < \lVert \theta(t_2) \rVert $$

    The alignment is that of N10.
    """
    train_loss, test_loss = run.columns["train_loss"], run.columns["test_loss"]
    found = trajectory.phases(run.steps, train_loss, test_loss)
    ends = {"memorised": found.memorised, "circuit formed": found.circuit, "cleaned up": found.cleanup}
    evidence.plot(
        "loss_curves",
        "Train and test loss, and the ends of the phases",
        steps=run.steps,
        train_loss=train_loss,
        test_loss=test_loss,
        phases=ends,
        see="The test loss falls between the second and the third line.",
        axes=["step", "loss"],
    )
    evidence.plot(
        "progress",
        "Alignment of the logits with the formula, and norm of the weights",
        steps=run.steps,
        alignment=run.columns["key_cos2"],
        weight_norm=run.columns["weight_norm"],
        phases=ends,
        see="Up to the second line the alignment rises; between the second and the third the norm falls.",
        axes=["step", "alignment, or norm"],
    )
    memorised = evidence("last step of memorising", found.memorised, published=1_500)
    formed = evidence("last step of circuit formation", found.circuit, published=13_300)
    cleaned = evidence("last step of clean-up", found.cleanup, published=16_600)
    aligned = [trajectory.at_step(run.steps, run.columns["key_cos2"], step) for step in ends.values()]
    norms = [trajectory.at_step(run.steps, run.columns["weight_norm"], step) for step in ends.values()]
    aligned_before = evidence("alignment after memorising", aligned[0])
    aligned_formed = evidence("alignment after circuit formation", aligned[1])
    evidence("alignment after clean-up", aligned[2])
    evidence("weight norm after memorising", norms[0])
    norm_before = evidence("weight norm after circuit formation", norms[1])
    norm_after = evidence("weight norm after clean-up", norms[2])
    assert memorised < formed < cleaned
    assert aligned_before < aligned_formed
    assert norm_after < norm_before


@nanda
@claim(
    "N12",
    "The skip around the MLP does not matter",
    published=9.1e-7,
    section="P, appendix, second-hand",
    threshold="convention",
    because="does not matter: every answer stays right and the loss stays below 1e-3; the paper's is 9.1e-7",
)
def test_the_skip_around_the_mlp_does_not_matter(model, evidence):
    r"""The answer comes from the neurons. What reaches the logits around them, through the residual stream, can be
    left out.

    Measured: the part of the logits from the residual stream r before the MLP is set to zero. Then the cross-entropy
    and the accuracy on all pairs are computed.

    $$ L \to L - r W_U $$
    """
    without = model.logits - model.resid_mid @ model.W_U
    evidence.plot(
        "lines",
        "Mean logit by distance from the right answer",
        lambda: views.by_offset(
            model.labels, **{"whole network": model.logits, "without the skip": without, "skip": model.logits - without}
        ),
        see="Without the skip the maximum at 0, the right answer, stays; the skip alone has none.",
        axes=["a + b - c, modulo p", "mean logit"],
    )
    loss = evidence("loss on all pairs with the skip zero-ablated", losses.mean_loss(without, model.labels))
    accuracy = evidence("accuracy with the skip zero-ablated", losses.accuracy(without, model.labels))
    assert loss < 1e-3
    assert accuracy == 1


@nanda
@claim(
    "N13",
    "Before the ReLU the neurons are nearly linear in the 2-D spectrum",
    section="not in N: the sentence of source K, Stare at pre-relu neuron activations",
    threshold="convention",
    because='"nearly" is nine tenths of the variance; the source gives no number',
)
def test_neurons_are_nearly_linear_before_the_relu(model, evidence):
    r"""What goes into a neuron is nearly a function of a plus a function of b. Products of the two can come only
    from attention, which depends on both.

    Measured: the share of the variance of all neurons' inputs, over all pairs, in functions of a alone and of b alone.
    These are the means over the other number.

    $$ \mathrm{share} = \frac{p \sum_i \left( \sum_a \bar x_i(a, \cdot)^2 + \sum_b \bar x_i(\cdot, b)^2 \right)}
    {\sum_i \sum_{a, b} x_i(a, b)^2}, \quad x_i \ \mathrm{centred} $$
    """
    evidence.plot(
        "spectrum_2d",
        "Inputs of the neurons in the two-dimensional Fourier basis",
        norm=lambda: views.percent(spectrum.norms(model.spectrum.pre_powers)),
        see="The strong spots are on the two edges, where one of the frequencies is zero. In per cent of the greatest.",
        axes=PAIR_OF_FREQUENCIES,
    )
    share = evidence("linear share of the neurons' centred inputs", spectrum.linear_share_of(model.pre, model.task.p))
    # Untrained weights give 1.0 and trained ones less, so no threshold makes it a finding.
    assert share >= 0.9


# The claims below restate sentences above in a form that fails on a network without the claimed algorithm.


@nanda
@claim(
    "N7b",
    "The cosine formula is most of the logits, and solves the task by itself",
    section="restates N7: Logit Periodicity",
    threshold="convention",
    because="most is 0.9 of the variance, below the paper's 0.95; solved is a loss of at most 1e-3 on all pairs",
)
def test_the_formula_solves_the_task(model, evidence):
    r"""A sum of cosines of the key frequencies is not only most of the logits (N7): put in their place, it gives the
    right answers with near certainty.

    Measured: the formula of N7 is fitted to the logits. Its cross-entropy on all pairs is computed as if it were the
    network.

    $$ \hat L_c(a, b) = \sum_{k \in K} \alpha_k \cos w_k(a + b - c), \quad
    \mathrm{FVE} = \frac{\lVert \hat L \rVert^2}{\lVert L \rVert^2} $$
    """
    fit = logits.formula(model.logits, model.labels, model.key_frequencies)
    evidence.plot(
        "lines",
        "Mean logit by distance from the right answer",
        lambda: views.by_offset(model.labels, network=model.logits, formula=fit.table[model.labels]),
        see="Both have one sharp maximum at 0, the right answer, and agree elsewhere.",
        axes=["a + b - c, modulo p", "mean logit"],
    )
    fve = evidence("FVE of the formula, logits centred over c", fit.fve)
    loss = evidence("loss of the formula on all pairs", losses.mean_loss(fit.table, torch.arange(model.task.p)))
    assert fve >= 0.9
    assert loss <= 1e-3


@nanda
@claim(
    "N8b",
    "The key frequencies alone solve the task, and no other frequencies do",
    section="restates N8: Restricted Loss",
    threshold="convention",
    because="solved is a loss below 1e-3; not solved is half the loss of guessing, log p / 2",
)
def test_the_key_frequencies_alone_solve_the_task(model, evidence):
    r"""With the waves of a + b of the key frequencies alone the network solves the task. With as many other frequencies
    it does not.

    Measured: the restricted loss of N8 for K, and for 20 sets of as many random frequencies outside K. The median of
    the random sets must stay above half the loss of guessing, $\frac{1}{2} \ln p$.

    $$ x \to \bar x + \sum_{k \in K} \left( \langle x, \hat c_k \rangle \hat c_k + \langle x, \hat s_k \rangle
    \hat s_k \right) $$
    """
    cut = losses.restricted(model)
    evidence.plot(
        "points",
        "Restricted loss of 20 random sets of frequencies",
        lambda: views.against_draws(cut),
        see="The dashed line is the loss with K. It is far below every random set.",
        axes=["random sets, sorted", "log₁₀ of the loss"],
    )
    restricted = evidence("restricted loss", cut.loss, control_draws=cut.draws)
    typical = evidence("median restricted loss of 20 random sets", cut.median)
    least = evidence("least restricted loss of 20 random sets", min(cut.draws))
    guessing = evidence("half the loss of guessing, log p / 2", math.log(model.task.p) / 2)
    assert restricted < 1e-3
    assert restricted < least
    assert typical > guessing


@nanda
@claim(
    "N9b",
    "Without the key frequencies what was learned is undone, and without others it is not",
    section="restates N9: Excluded Loss",
    threshold="convention",
    because="undone: 1,000 times the train loss, and ten times the loss without as many other, random frequencies",
)
def test_without_the_key_frequencies_the_answers_are_undone(model, evidence):
    r"""If the waves of a + b of the key frequencies are removed, the network loses what it has learned; if as many
    others are removed, nearly nothing happens.

    Measured: the excluded loss of N9 over the train loss of the whole network, and beside ten times the greatest
    excluded loss of 20 random sets of as many frequencies outside K.

    $$ \mathrm{ratio} = \frac{\mathrm{excluded\ loss}}{\mathrm{train\ loss}} $$
    """
    cut = losses.excluded(model)
    evidence.plot(
        "points",
        "Train loss without 20 random sets of frequencies",
        lambda: views.against_draws(cut),
        see="The dashed line is the loss without K. It is far above every random set.",
        axes=["random sets, sorted", "log₁₀ of the loss"],
    )
    train = evidence("train loss", losses.mean_loss(model.logits, model.labels, model.train))
    excluded = evidence("excluded loss", cut.loss, control_draws=cut.draws)
    ratio = evidence("excluded loss / train loss", excluded / train)
    tenfold = evidence("ten times the greatest excluded loss of 20 random sets", 10 * max(cut.draws))
    assert ratio >= 1e3
    assert excluded >= tenfold


@nanda
@claim(
    "N8c",
    "Once the circuit is formed, the restricted loss follows the test loss",
    section="restates N8: Restricted Loss, Look During Training",
    about="behaviour",
    threshold="convention",
    because="to follow is a rank correlation of at least 0.9",
)
def test_the_restricted_loss_follows_the_test_loss(run, evidence):
    r"""From the step at which the test loss begins to fall, the restricted loss (the loss with only the key
    frequencies, see N8) goes up and down with it.

    Measured: on the record of the training, Spearman's rank correlation of the two losses over the recorded steps. It
    starts where a tenth of the fall of the test loss is done, on the log scale. $R_i$ and $T_i$ are the ranks of the
    two losses at step i. The correlation is 0 if fewer than three steps are left or if a loss does not vary.

    $$ \rho = \frac{\sum_i (R_i - \bar R)(T_i - \bar T)}
    {\sqrt{\sum_i (R_i - \bar R)^2 \sum_i (T_i - \bar T)^2}} $$
    """
    restricted, test_loss = run.columns["restricted_loss"], run.columns["test_loss"]
    evidence.plot(
        "progress",
        "Restricted and test loss",
        steps=run.steps,
        restricted_loss=restricted,
        test_loss=test_loss,
        see="From the fall of the test loss on, the two lines should rise and fall together.",
        axes=["step", "loss"],
    )
    formed = trajectory.phases(run.steps, run.columns["train_loss"], test_loss).circuit
    evidence("step at which the test loss has begun to fall", formed)
    rank = evidence(
        "rank correlation of restricted and test loss from there on",
        trajectory.rank_correlation(run.steps, restricted, test_loss, formed),
    )
    assert rank >= 0.9
