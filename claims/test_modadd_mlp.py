"""Source K: a one-hidden-layer MLP on modular addition, E[a] + E[b] → ReLU → logits."""

import math
from statistics import fmean

import torch

from grok import views
from grok.claim import claim, source
from grok.measure import embedding, logits, losses, neurons, spectrum, trajectory

pytestmark = source(
    "kissane",
    "One-hidden-layer MLP on modular addition",
    ref="C. Kissane, notebook in the repository mech-interp-practice",
    fixture="modadd-mlp",
    url="https://github.com/ckkissane/mech-interp-practice",
)

PER_FREQUENCY = ["frequency k", "norm"]
PAIR_OF_FREQUENCIES = ["frequency in b", "frequency in a"]


@claim(
    "K1",
    "The model generalises",
    published=1.0,
    section="Sanity check",
    about="behaviour",
    threshold="source",
    because="the published accuracy is 1",
)
def test_the_model_generalises(model, evidence):
    r"""The network answers every pair of numbers rightly, the pairs on which it was never trained as well.

    Measured: on the final network, the share of all 113² pairs (a, b) whose largest logit $L_c$ is that of the right
    class $s = (a + b) \bmod 113$.

    $$ \mathrm{accuracy} = \frac{\#\{(a, b) : \operatorname{argmax}_c L_c(a, b) = s\}}{p^2} $$

    No plot: it is one number; K13 shows the logits.
    """
    accuracy = evidence("accuracy on all pairs", losses.accuracy(model.logits, model.labels))
    assert accuracy == 1


@claim(
    "K2",
    "Train and test loss end near zero",
    published=(1.04e-6, 1.85e-5),
    section="the weights in the source's repository; the notebook prints no loss",
    about="behaviour",
    threshold="source",
    because="the published losses, 1.04e-6 and 1.85e-5, with room for another seed",
)
def test_losses_end_near_zero(model, evidence):
    r"""At the end of training the network is almost certain of its answers: on the pairs it was trained on, and nearly
    as much on the others.

    Measured: on the final network, the mean cross-entropy of the right class $s$ over the 30 % of the pairs that it was
    trained on, and over the other 70 %, in float64. A network that guesses has $\ln 113 = 4.73$.

    $$ \mathrm{loss} = -\frac{1}{n} \sum_{(a, b)} \ln \frac{e^{L_s(a, b)}}{\sum_c e^{L_c(a, b)}} $$

    No plot: these are two numbers; K14c shows the losses over the training.
    """
    train = evidence("train loss", losses.mean_loss(model.logits, model.labels, model.train), published=1.04e-6)
    test = evidence("test loss", losses.mean_loss(model.logits, model.labels, model.test), published=1.85e-5)
    assert train < 1e-5
    assert test < 1e-3


@claim(
    "K3",
    "Most neurons are a combination of nine terms of one frequency",
    published="most",
    section="Stare at neurons in fourier basis",
    threshold="convention",
    because='"most" is more than half of the neurons; a neuron follows a frequency if that explains 0.85 of it',
)
def test_most_neurons_are_nine_terms_of_one_frequency(model, evidence):
    r"""As a function of a and b, the activation of most neurons is a wave of a single frequency k: a sum of the nine
    products of a constant, a cosine and a sine in a with the same three in b.

    Measured: the activation of each neuron after the ReLU, on all pairs and without its mean, is written in the Fourier
    basis of a and b. Its share on k is the part of its squared norm on the nine terms of k. Counted are the neurons
    whose best k has a share of at least 0.85.

    $$ \mathrm{share}_i = \max_k \frac{\sum_{f \in N_k} \langle x_i, f \rangle^2}{\lVert x_i \rVert^2}, \quad
    N_k = \{1, \cos w_k a, \sin w_k a\} \times \{1, \cos w_k b, \sin w_k b\}, \quad w_k = \frac{2 \pi k}{p} $$
    """
    found = neurons.frequencies(model.spectrum.post_powers)
    evidence.plot(
        "panels",
        "Two neurons over (a, b), and their Fourier spectra",
        lambda: views.neurons_and_spectra(model, found),
        see="Left: a regular wave, here for the first 57 numbers. Right: three spots, at (0, k), (k, 0) and (k, k). "
        "Values in per cent of the greatest.",
        axes=["b, or frequency in b", "a, or frequency in a"],
    )
    evidence.plot(
        "lines",
        "Share of each neuron's variance on its best frequency",
        lambda: views.sorted_shares(found),
        see="The neurons are sorted by their share. Those above the dashed line count.",
        axes=["neurons, sorted", "share on the best frequency"],
    )
    evidence.plot(
        "spectrum_2d",
        "All neurons in the two-dimensional Fourier basis",
        norm=lambda: views.percent(spectrum.norms(model.spectrum.post_powers)),
        see="Spots on the edges are waves in a alone or b alone, those on the diagonal products of one frequency. "
        "In per cent of the greatest norm.",
        axes=PAIR_OF_FREQUENCIES,
    )
    share = evidence("share of neurons with ≥ 0.85 of their variance on one frequency", found.single_share)
    assert share > 0.5


@claim(
    "K4",
    "The neurons' frequencies are the key frequencies",
    section="Stare at neurons in fourier basis",
    threshold="convention",
    because='"the" key frequencies: nine tenths of the live neurons',
)
def test_neuron_frequencies_are_the_key_frequencies(model, evidence):
    r"""The frequencies that the neurons follow are the same few that the output weights read, the key frequencies K.

    Measured: the best frequency of each neuron (the k whose nine terms hold most of its variance, see K3), for the live
    neurons, which have more than $10^{-6}$ of the greatest variance. K is found without the neurons, from the output
    weights W_U alone (see K5).

    $$ \mathrm{share} = \frac{\#\{i \ \mathrm{live} : k_i \in K\}}{\#\{i \ \mathrm{live}\}} $$
    """
    found = neurons.frequencies(model.spectrum.post_powers)
    counts = found.best[found.live].bincount(minlength=(model.task.p + 1) // 2)[1:]
    evidence.plot(
        "bars",
        "Live neurons by their best frequency",
        lambda: views.by_frequency(counts, model.key_frequencies),
        see="Nearly all neurons stand on key frequencies.",
        axes=["frequency k", "neurons"],
    )
    evidence("live neurons", int(found.live.sum()))
    share = evidence("share of live neurons whose best frequency is key", found.share_in(model.key_frequencies))
    assert share >= 0.9


@claim(
    "K5",
    "Only a handful of key frequencies is used",
    published=13,
    section="Understanding W_U",
    threshold="source",
    because="four published runs of such MLPs have 10 to 15 key frequencies; a gap must set them apart",
)
def test_a_handful_of_key_frequencies(model, evidence):
    r"""Of the 56 possible frequencies the output weights use about a dozen, which stand clearly apart from the rest.

    Measured: the power of k in W_U is the squared norm of its part on the cosine and the sine of k over the classes.
    The 56 powers are sorted, and K ends where the ratio of neighbours, among the first 28, is greatest. This ratio is
    the gap. If it is under 3, no frequency stands out.

    $$ P_k = \lVert W_U \hat c_k \rVert^2 + \lVert W_U \hat s_k \rVert^2, \quad
    \mathrm{gap} = \max_{n \leq 28} \frac{P_{(n)}}{P_{(n + 1)}}, \quad P_{(1)} \geq P_{(2)} \geq \cdots $$

    Here $\hat c_k$ and $\hat s_k$ are $\cos w_k c$ and $\sin w_k c$ over the classes c, with norm one.
    """
    norms = embedding.fourier_norms(model.U, dim=1)
    evidence.plot(
        "bars",
        "W_U per frequency",
        **views.by_frequency(norms, model.key_frequencies),
        see="A few frequencies are far above the others.",
        axes=PER_FREQUENCY,
    )
    evidence.plot(
        "lines",
        "Powers of W_U, sorted",
        x=range(1, len(norms) + 1),
        power=norms.square().sort(descending=True).values,
        see="The greatest step is the gap; K is what stands left of it.",
        axes=["rank of the frequency", "power"],
    )
    key_frequencies = evidence("key frequencies", model.key_frequencies)
    n = evidence("number of key frequencies", len(key_frequencies))
    gap = evidence("gap: largest ratio of neighbouring powers of U", model.spectrum.keys.gap)
    assert gap >= 3
    assert 8 <= n <= 16


@claim(
    "K6",
    "Logits are quadratic-only",
    published="quadratic but not linear",
    section="Stare at logits in fourier basis",
    threshold="convention",
    because='"quadratic but not linear": nine tenths against a twentieth of the variance',
)
def test_logits_are_quadratic_only(model, evidence):
    r"""The logits depend on products of a wave in a and a wave in b of the same frequency. Waves in a alone or in b
    alone are not among them, although the neurons have those too.

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
    assert quadratic >= 0.9
    assert linear <= 0.05


@claim(
    "K7",
    "Logits use only the key frequencies",
    published="same subset",
    section="Stare at logits in fourier basis",
    threshold="convention",
    because='"the same subset": nine tenths of the variance',
)
def test_logits_use_only_the_key_frequencies(model, evidence):
    r"""What the logits do with a and b happens on the key frequencies K; the other frequencies carry next to nothing.

    Measured: the share of the centred logits in the products of one frequency of a with the same frequency of b, of
    the frequencies in K only. $P_{jk}$ is as in K6.

    $$ \mathrm{share} = \frac{\sum_{k \in K} P_{kk}}{\sum_{(j, k) \neq (0, 0)} P_{jk}} $$
    """
    evidence.plot(
        "bars",
        "Quadratic share of the centred logits, per frequency",
        lambda: views.by_frequency(
            spectrum.quadratic_shares(model.spectrum.logit_powers),
            model.key_frequencies,
        ),
        see="The bars of the key frequencies add up to the measured share; the others are near zero.",
        axes=["frequency k", "share of the variance"],
    )
    on_keys = spectrum.quadratic_share(model.spectrum.logit_powers, model.key_frequencies)
    share = evidence("quadratic share of the centred logits on K", on_keys)
    assert share >= 0.9


@claim(
    "K8",
    "W_U lives on the key frequencies",
    published=0.98241,
    section="Understanding W_U",
    threshold="source",
    because="the published ratio 0.98241, rounded down",
)
def test_unembedding_lives_on_key_frequencies(model, evidence):
    r"""The output weights W_U, as functions of the class c, are waves of the key frequencies and nearly nothing else.

    Measured: the norm of the part of W_U on $\cos w_k c$ and $\sin w_k c$ of the frequencies in K, over the norm of the
    whole. $P_k$ is the power of k as in K5.

    $$ \mathrm{ratio} = \frac{\sqrt{\sum_{k \in K} P_k}}{\lVert W_U \rVert} $$
    """
    evidence.plot(
        "bars",
        "W_U per frequency",
        **views.by_frequency(embedding.fourier_norms(model.U, dim=1), model.key_frequencies),
        see="A few frequencies are far above the others.",
        axes=PER_FREQUENCY,
    )
    ratio = evidence("‖W_U on K‖ / ‖W_U‖", neurons.key_norm_ratio(model.U, model.key_frequencies))
    assert ratio >= 0.98


@claim(
    "K9",
    "Each projection on W_U's key directions is sin, cos of w_k(a+b): FVE above 0.84",
    published="> 0.84",
    section="Summary; its table is in Understanding W_U",
    threshold="source",
    because="the source's words: above 84 % for each",
)
def test_each_projection_is_a_wave_of_the_sum(model, evidence):
    r"""If the neurons are read along the direction that W_U uses for the cosine of a key frequency, the result is the
    cosine of the sum, $\cos w_k(a + b)$; the same with the sine. So the neurons have multiplied the waves of a and b.

    Measured: for each k in K, the function $g = x \cdot u_k$ of (a, b), where x are the activations and
    $u_k = W_U \hat c_k$ (for the sine $W_U \hat s_k$). Its FVE, the fraction of variance explained, is the share of its
    squared norm in the two products that make up a cosine, or a sine, of a + b. Nothing is centred.

    $$ \mathrm{FVE}_{\cos k} = \frac{\langle g, \cos_a \cos_b \rangle^2 + \langle g, \sin_a \sin_b \rangle^2}
    {\lVert g \rVert^2}, \quad \mathrm{FVE}_{\sin k} = \frac{\langle g, \cos_a \sin_b \rangle^2 +
    \langle g, \sin_a \cos_b \rangle^2}{\lVert g \rVert^2} $$

    Here $\cos_a$ is $\cos w_k a$, and so on; each product has norm one over all pairs.
    """
    table = evidence("FVE of each projection", neurons.projection_fves(model.post, model.U, model.key_frequencies))
    evidence.plot(
        "points",
        "FVE of each projection",
        x=list(table),
        FVE=list(table.values()),
        line=0.84,
        see="Each point is a direction of W_U; all are above the dashed line if the sentence is true.",
        axes=["direction of W_U", "FVE"],
    )
    evidence("least FVE", min(table.values()), published=0.83532)
    assert all(fve > 0.84 for fve in table.values())


@claim(
    "K9b",
    "Projections on W_U's key directions are sin, cos of w_k(a+b) on average",
    published=0.917,
    section="Understanding W_U",
    threshold="source",
    because="the mean of the published table is 0.917; rounded down",
)
def test_projections_are_waves_of_the_sum_on_average(model, evidence):
    r"""In the mean over the key directions of W_U, what is read from the neurons is the cosine or the sine of a + b.

    Measured: the mean of the 2|K| fractions of variance explained of K9.

    $$ \mathrm{mean} = \frac{1}{2 |K|} \sum_{k \in K} (\mathrm{FVE}_{\cos k} + \mathrm{FVE}_{\sin k}) $$
    """
    table = neurons.projection_fves(model.post, model.U, model.key_frequencies)
    evidence.plot(
        "points",
        "FVE of each projection",
        x=list(table),
        FVE=list(table.values()),
        line=0.9,
        see="The mean of the points is compared with the dashed line.",
        axes=["direction of W_U", "FVE"],
    )
    mean = evidence("mean FVE", fmean(table.values()))
    assert mean >= 0.9


@claim(
    "K10",
    "Before the ReLU there are only linear terms",
    published="only linear",
    section="Stare at pre-relu neuron activations",
    threshold="convention",
    because='"only linear": all but a thousandth of the variance',
)
def test_only_linear_terms_before_the_relu(model, evidence):
    r"""What goes into a neuron is a function of a plus a function of b. There are no products of the two yet.

    Measured: the share of the variance of all neurons' inputs, over all pairs, in functions of a alone and of b alone.
    These are the means over the other number.

    $$ \mathrm{share} = \frac{p \sum_i \left( \sum_a \bar x_i(a, \cdot)^2 + \sum_b \bar x_i(\cdot, b)^2 \right)}
    {\sum_i \sum_{a, b} x_i(a, b)^2}, \quad x_i \ \mathrm{centred} $$
    """
    evidence.plot(
        "spectrum_2d",
        "Inputs of the neurons in the two-dimensional Fourier basis",
        norm=lambda: views.percent(spectrum.norms(model.spectrum.pre_powers)),
        see="All spots are on the two edges, where one of the frequencies is zero. In per cent of the greatest norm.",
        axes=PAIR_OF_FREQUENCIES,
    )
    share = evidence("linear share of the neurons' centred inputs", spectrum.linear_share_of(model.pre, model.task.p))
    assert share >= 0.999


@claim(
    "K11",
    "The ReLU makes the quadratic terms",
    published="linear and quadratic",
    section="Stare at pre-relu neuron activations",
    threshold="convention",
    because="quadratic terms are there: a tenth of the variance",
)
def test_the_relu_makes_quadratic_terms(model, evidence):
    r"""After the ReLU the neurons contain products of a wave in a with a wave in b of the same frequency. Before it
    they have none (K10), so it is the ReLU that multiplies.

    Measured: the quadratic share of the neurons' activations after the ReLU, over all pairs and without their means.
    $P_{jk}$ is the squared norm of all neurons on frequency j of a and k of b, where 0 is the constant.

    $$ \mathrm{share} = \frac{\sum_{k \geq 1} P_{kk}}{\sum_{(j, k) \neq (0, 0)} P_{jk}} $$
    """
    evidence.plot(
        "bars",
        "Terms before and after the ReLU",
        x=["linear", "quadratic, one frequency", "products of two frequencies"],
        before=lambda: spectrum.kinds(model.spectrum.pre_powers),
        after=lambda: spectrum.kinds(model.spectrum.post_powers),
        see="Before the ReLU all terms are linear; after it a part is quadratic.",
        axes=["terms", "share of the variance"],
    )
    post_powers = model.spectrum.post_powers
    share = evidence("quadratic share of the neurons' centred activations", spectrum.quadratic_share(post_powers))
    assert share >= 0.1


@claim(
    "K12",
    "W_E W_in is Fourier-sparse with exactly the same K",
    published="exact same",
    section="Understanding W_E W_in",
    threshold="convention",
    because='"the exact same" frequencies: equal sets, which hold 0.95 of the power',
)
def test_input_weights_have_the_same_key_frequencies(model, evidence):
    r"""The input weights turn each number into waves of a few frequencies, and these are exactly the frequencies that
    the output weights read.

    Measured: $W = W_E W_{in}$ maps numbers to neurons. $P_k$ is its power on k: the squared norm of its part on the
    cosine and sine of k over the numbers. Two things are asked: the share of K in the squared norm of W, and whether
    the |K| strongest frequencies of W are K, which was found from W_U.

    $$ \mathrm{share} = \frac{\sum_{k \in K} P_k(W)}{\lVert W \rVert^2} $$
    """
    evidence.plot(
        "bars",
        "W_E W_in per frequency",
        **views.by_frequency(embedding.fourier_norms(model.W_neur), model.key_frequencies),
        see="The strong frequencies of the input weights are the key frequencies of the output weights.",
        axes=PER_FREQUENCY,
    )
    evidence.plot(
        "planes",
        "The numbers on the circles of three key frequencies",
        lambda: views.circles(model.W_neur, views.strongest_first(model)[:3]),
        see="Each point is a number t, at the angle 2πkt/p of a circle: each step from 0 to 9 turns by the same angle.",
        axes=["along the cosine of k", "along the sine of k"],
    )
    key_frequencies = evidence("key frequencies", model.key_frequencies)
    power = evidence("share of the power of W_E W_in on K", embedding.power_on(model.W_neur, key_frequencies))
    strongest = evidence("strongest frequencies of W_E W_in", embedding.strongest(model.W_neur, len(key_frequencies)))
    assert power >= 0.95
    assert strongest == key_frequencies


@claim(
    "K13",
    "Logits are Σ_K α_k cos w_k(a+b-c)",
    section="Understanding W_U",
    threshold="convention",
    because="the formula explains most of the logits, and answers every pair rightly by itself",
)
def test_logits_are_the_cosine_formula(model, evidence):
    r"""The logit of a class c is a sum of waves of the distance between c and the right answer, one for each key
    frequency. All these waves have their maximum at the right answer.

    Measured: the formula is fitted to the logits of all pairs and classes, which gives one $\alpha_k$ for each k in K.
    The FVE, the fraction of variance explained, is the share of the squared norm of the logits that the formula
    explains; the mean over the classes of each pair is subtracted, since it does not change the answer. Then the
    formula answers all pairs by itself.

    $$ \hat L_c(a, b) = \sum_{k \in K} \alpha_k \cos w_k(a + b - c), \quad
    \mathrm{FVE} = \frac{\lVert \hat L \rVert^2}{\lVert L \rVert^2} $$
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
    fve = evidence("FVE of the formula, logits centred over c", fit.fve)
    evidence("FVE of the formula, not centred", fit.fve_uncentred)
    accuracy = evidence("accuracy of the formula alone", losses.accuracy(fit.table, torch.arange(model.task.p)))
    assert fve >= 0.85
    assert accuracy == 1


@claim(
    "K14",
    "The restricted loss is near the test loss",
    section="not in K: the measure of source N, Restricted Loss",
    threshold="convention",
    because='"near" is within a factor of 2',
)
def test_restricted_loss_is_near_the_test_loss(model, evidence):
    r"""If everything is taken from the neurons but the waves of a + b of the key frequencies, the network answers as
    well as before.

    Measured: the activations x are replaced by their mean plus their projection on $\cos w_k(a + b)$ and
    $\sin w_k(a + b)$ of the k in K. The cross-entropy on the test pairs is then the restricted loss. It is compared
    with the test loss of the whole network, and with the restricted losses of 20 sets of as many random frequencies
    outside K.

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
    test = evidence("test loss", losses.mean_loss(model.logits, model.labels, model.test))
    ratio = evidence("restricted loss / test loss", restricted / test)
    least = evidence("least restricted loss of 20 random sets", min(cut.draws))
    assert ratio <= 2
    assert restricted < least


@claim(
    "K15",
    "The key frequencies are necessary: the excluded loss is high",
    section="not in K: the measure of source N, Excluded Loss",
    threshold="convention",
    because="necessary: without K the loss on pairs it was trained on is above 1 and above every random draw",
)
def test_key_frequencies_are_necessary(model, evidence):
    r"""Without the waves of a + b of the key frequencies the network cannot even answer the pairs it was trained on.

    Measured: from the activations x their projection on $\cos w_k(a + b)$ and $\sin w_k(a + b)$ of the k in K is
    removed. The cross-entropy on the train pairs is then the excluded loss. It is compared with the same after the
    removal of 20 sets of as many random frequencies outside K.

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


# The claims below restate sentences above in a form that fails on a network without the claimed algorithm.


@claim(
    "K13b",
    "The cosine formula is most of the logits, and solves the task by itself",
    section="restates K13: Understanding W_U",
    threshold="convention",
    because="most is 0.85 of the variance, as K13 has it; solved is a loss of at most 1e-3 on all pairs",
)
def test_the_formula_solves_the_task(model, evidence):
    r"""A sum of cosines of the key frequencies is not only most of the logits (K13): put in their place, it gives the
    right answers with near certainty.

    Measured: the formula of K13 is fitted to the logits. Its cross-entropy on all pairs is computed as if it were the
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
    assert fve >= 0.85
    assert loss <= 1e-3


@claim(
    "K14b",
    "The key frequencies alone solve the task, and no other frequencies do",
    section="restates K14, which is not in K: source N, Restricted Loss",
    threshold="convention",
    because="solved is a loss below 1e-3; not solved is half the loss of guessing, log p / 2",
)
def test_the_key_frequencies_alone_solve_the_task(model, evidence):
    r"""With the waves of a + b of the key frequencies alone the network solves the task. With as many other frequencies
    it does not.

    Measured: the restricted loss of K14 for K, and for 20 sets of as many random frequencies outside K. The median of
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


@claim(
    "K15b",
    "Without the key frequencies what was learned is undone, and without others it is not",
    section="restates K15, which is not in K: source N, Excluded Loss",
    threshold="convention",
    because="undone: 1,000 times the train loss, and ten times the loss without as many other, random frequencies",
)
def test_without_the_key_frequencies_the_answers_are_undone(model, evidence):
    r"""If the waves of a + b of the key frequencies are removed, the network loses what it has learned; if as many
    others are removed, nearly nothing happens.

    Measured: the excluded loss of K15 over the train loss of the whole network, and beside ten times the greatest
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


@claim(
    "K14c",
    "Once the circuit is formed, the restricted loss follows the test loss",
    section="restates K14, which is not in K: source N, Restricted Loss: Look During Training",
    about="behaviour",
    threshold="convention",
    because="to follow is a rank correlation of at least 0.9",
)
def test_the_restricted_loss_follows_the_test_loss(run, evidence):
    r"""From the step at which the test loss begins to fall, the restricted loss (the loss with only the key
    frequencies, see K14) goes up and down with it.

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
