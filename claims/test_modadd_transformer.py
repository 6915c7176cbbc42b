"""Sources B and N: a one-layer transformer on modular addition. Figures marked P are from Nanda et al. 2023."""

import math

import torch

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
    train_loss, test_loss = run.columns["train_loss"], run.columns["test_loss"]
    evidence.plot("loss_curves", "Losses", steps=run.steps, train_loss=train_loss, test_loss=test_loss)
    least = evidence("least test loss", min(test_loss))
    assert least <= 0.01
    train = evidence("steps to train loss 0.01", trajectory.first_below(run.steps, train_loss, 0.01))
    test = evidence("steps to test loss 0.01", trajectory.first_below(run.steps, test_loss, 0.01), published=10_000)
    ratio = evidence("test over train", test / train)
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
    model = that_has_equals(model)
    mean = model.pattern.mean(0)
    columns = dict(zip(("to_a", "to_b", "to_equals"), mean.T, strict=True))
    evidence.plot("attention", "Mean attention per head", heads=range(len(mean)), **columns)
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
    model = that_has_equals(model)
    to_a, to_b, _ = model.pattern.mean(0).unbind(1)
    evidence("mean attention to a, per head", to_a)
    differences = evidence("|mean to a - mean to b|, per head", (to_a - to_b).abs().tolist())
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
    model = that_has_equals(model)
    correlations = attention.correlation_of_swapped(model.pattern, model.task.p)
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
    model = that_has_equals(model)
    shares = attention.periodic_share(model.pattern, model.task.p, model.key_frequencies)
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
    model = that_has_equals(model)
    circuit = attention.ov_circuit(model.W_E, model.W_V, model.W_O, model.W_in)
    powers = [embedding.power_on(head, model.key_frequencies) for head in circuit]
    found = evidence("power of W_E W_V W_O W_in on K, per head", powers)
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
    model = that_has_equals(model)
    scores = attention.qk_circuit(model.W_E, model.W_K, model.query)
    heads = {f"head {i}": column for i, column in enumerate(scores.T)}
    evidence.plot("progress", "Score of each token under the = query", tokens=range(len(scores)), **heads)
    centred = embedding.column_power_on(scores - scores.mean(0), model.key_frequencies)
    evidence("power of the scores on K without their mean, per head", centred)
    powers = embedding.column_power_on(scores, model.key_frequencies)
    found = evidence("power of the scores on K, per head", powers.tolist())
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
    norms = embedding.fourier_norms(model.W_E)
    evidence.plot("fourier_norms", "W_E per frequency", frequencies=range(1, len(norms) + 1), norm=norms)
    gini = evidence("Gini coefficient of the norms", embedding.gini(norms))
    power = evidence("power of W_E on K", embedding.power_on(model.W_E, model.key_frequencies))
    gap = evidence("largest ratio of neighbouring powers of U", model.spectrum.keys.gap)
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
    powers = embedding.column_power_on(model.W_E, model.key_frequencies)
    evidence("least power of a dimension on K", powers.min())
    median = evidence("median power of a dimension on K", powers.median())
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
    rank = 2 * len(model.key_frequencies)
    gaussian = embedding.gaussian_top_share(model.W_E, rank)
    share = evidence(f"share of the top {rank} squared singular values", embedding.top_share(model.W_E, rank))
    evidence("the same of a Gaussian matrix", gaussian)
    assert share >= 0.8
    assert gaussian <= 0.3


@nanda
@claim(
    "N2",
    "Neurons fall in single-frequency clusters",
    published=0.846,
    section="Neuron Clusters",
    threshold="source",
    because="the paper's share is 84.6 %; rounded down to 80 %",
)
def test_neurons_fall_in_clusters(model, evidence):
    evidence.plot(
        "spectrum_2d",
        "Norm of the neurons per pair of frequencies",
        norm=lambda: spectrum.norms(model.spectrum.post_powers),
    )
    found = neurons.frequencies(model.spectrum.post_powers)
    share = evidence("share of neurons with ≥ 0.85 of their variance on one frequency", found.single_share)
    assert share >= 0.8


@nanda
@claim(
    "N3",
    "W_logit is sparse in the Fourier basis",
    published="10 directions, the rest under 0.55 %",
    section="Read Off the Neuron-Logit Weights to Interpret",
    threshold="source",
    because="the paper's ten directions leave less than 0.55 %; rounded to 1 %",
)
def test_neuron_to_logit_map_is_sparse(model, evidence):
    norms = embedding.fourier_norms(model.U, dim=1)
    evidence.plot("fourier_norms", "W_out W_U per frequency", frequencies=range(1, len(norms) + 1), norm=norms)
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
    found = neurons.frequencies(model.spectrum.post_powers)
    evidence("neurons in each cluster", {k: len(found.cluster(k)) for k in model.key_frequencies})
    purities = neurons.cluster_purities(model.U, found, model.key_frequencies)
    evidence("power at k of the cluster's rows of U", purities)
    assert all(purity >= 0.9 for purity in purities.values())


@nanda
@claim(
    "N5",
    "Reading the neurons along U's sin k gives sin w_k(a+b)",
    published=(0.932, 0.982),
    section="Read Off the Neuron-Logit Weights to Interpret",
    threshold="source",
    because="the lowest published share is 0.932; the source on the MLP says 0.84 of the same measure",
)
def test_each_projection_is_a_wave_of_the_sum(model, evidence):
    table = neurons.projection_fves(model.post, model.U, model.key_frequencies)
    evidence.plot("fve", "FVE of each projection", x=list(table), fve=list(table.values()), line=0.84)
    evidence("FVE of each projection", table)
    least = evidence("least FVE", min(table.values()), published=0.932)
    assert least >= 0.84


@nanda
@claim(
    "N6",
    "Logits are quadratic-only",
    threshold="convention",
    because='"quadratic-only": 0.95 of the variance, and at most 0.02 of it linear',
)
def test_logits_are_quadratic_only(model, evidence):
    evidence.plot(
        "spectrum_2d",
        "Norm of the logits per pair of frequencies",
        norm=lambda: spectrum.norms(model.spectrum.logit_powers),
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
    section="Logit Periodicity",
    threshold="source",
    because="the paper's share is 0.95, and its formula has a fifth of the model's loss",
)
def test_logits_are_the_cosine_formula(model, evidence):
    fit = logits.formula(model.logits, model.labels, model.key_frequencies)
    fve = evidence("FVE of the formula, logits centred over c", fit.fve, published=0.95)
    evidence("FVE of the formula, not centred", fit.fve_uncentred)
    loss = evidence("loss on all pairs", losses.mean_loss(model.logits, model.labels), published=2.4e-7)
    of_formula = losses.mean_loss(fit.table, torch.arange(model.task.p))
    ratio = evidence("loss of the formula / loss", evidence("loss of the formula", of_formula, published=4.7e-8) / loss)
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
    cut = losses.restricted(model)
    restricted = evidence("restricted loss", cut.loss, control_draws=cut.draws)
    without_skip = losses.Ablation.of(model).restricted_loss(model.key_frequencies, model.test, skip=False)
    evidence("restricted loss without the residual path", without_skip)
    test = evidence("test loss", losses.mean_loss(model.logits, model.labels, model.test))
    ratio = evidence("restricted / test", restricted / test)
    assert ratio <= 2
    assert restricted < min(cut.draws)


@nanda
@claim("N9", "The excluded loss is high", threshold="convention", because="high: above 1, and above every random draw")
def test_excluded_loss_is_high(model, evidence):
    cut = losses.excluded(model)
    excluded = evidence("excluded loss", cut.loss, control_draws=cut.draws)
    assert excluded >= 1
    assert excluded > max(cut.draws)


@nanda
@claim(
    "N10",
    "Progress measures move before the test loss",
    about="behaviour",
    threshold="source",
    because="the source's figure shows the order",
)
def test_progress_measures_move_first(run, evidence):
    columns = {name: run.columns[name] for name in ("test_loss", "restricted_loss", "excluded_loss", "key_cos2")}
    evidence.plot("progress", "Losses and Σ_K cos²", steps=run.steps, **columns)
    aligned = evidence("step of half the final Σ_K cos²", trajectory.risen(run.steps, columns["key_cos2"]))
    fall = {name: trajectory.fallen(run.steps, columns[name]) for name in ("restricted_loss", "test_loss")}
    restricted = evidence("step of half the fall (log) of the restricted loss", fall["restricted_loss"])
    test = evidence("… of the test loss", fall["test_loss"])
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
    train_loss, test_loss = run.columns["train_loss"], run.columns["test_loss"]
    found = trajectory.phases(run.steps, train_loss, test_loss)
    ends = {"memorised": found.memorised, "circuit formed": found.circuit, "cleaned up": found.cleanup}
    evidence.plot("loss_curves", "Phases", steps=run.steps, train_loss=train_loss, test_loss=test_loss, phases=ends)
    published = {"memorised": 1_500, "circuit formed": 13_300, "cleaned up": 16_600}
    evidence("last step of each phase", ends, published=published)
    aligned = [trajectory.at_step(run.steps, run.columns["key_cos2"], step) for step in ends.values()]
    norms = [trajectory.at_step(run.steps, run.columns["weight_norm"], step) for step in ends.values()]
    evidence("Σ_K cos² at these steps", aligned)
    evidence("weight norm at these steps", norms)
    assert found.memorised < found.circuit < found.cleanup
    assert aligned[0] < aligned[1]
    assert norms[2] < norms[1]


@nanda
@claim(
    "N12",
    "The skip around the MLP does not matter",
    published=9.1e-7,
    threshold="convention",
    because="does not matter: every answer stays right and the loss stays below 1e-3; the paper's is 9.1e-7",
)
def test_the_skip_around_the_mlp_does_not_matter(model, evidence):
    without = model.logits - model.resid_mid @ model.W_U
    loss = evidence("loss on all pairs with the skip zero-ablated", losses.mean_loss(without, model.labels))
    accuracy = evidence("accuracy with the skip zero-ablated", losses.accuracy(without, model.labels))
    assert loss < 1e-3
    assert accuracy == 1


@nanda
@claim(
    "N13",
    "Before the ReLU the neurons are nearly linear in the 2-D spectrum",
    threshold="convention",
    because='"nearly" is nine tenths of the variance; the source gives no number',
)
def test_neurons_are_nearly_linear_before_the_relu(model, evidence):
    evidence.plot(
        "spectrum_2d",
        "Norm before the ReLU per pair of frequencies",
        norm=lambda: spectrum.norms(model.spectrum.pre_powers),
    )
    share = evidence("linear share of centred pre", spectrum.linear_share_of(model.pre, model.task.p))
    # Untrained weights give 1.0 and trained ones less, so no threshold makes it a finding.
    assert share >= 0.9


# The claims below restate sentences above in a form that fails on a network without the claimed algorithm.


@nanda
@claim(
    "N7b",
    "The cosine formula is most of the logits, and solves the task by itself",
    threshold="convention",
    because="most is 0.9 of the variance, below the paper's 0.95; solved is a loss of at most 1e-3 on all pairs",
)
def test_the_formula_solves_the_task(model, evidence):
    fit = logits.formula(model.logits, model.labels, model.key_frequencies)
    fve = evidence("FVE of the formula, logits centred over c", fit.fve)
    loss = evidence("loss of the formula", losses.mean_loss(fit.table, torch.arange(model.task.p)))
    assert fve >= 0.9
    assert loss <= 1e-3


@nanda
@claim(
    "N8b",
    "The key frequencies alone solve the task, and no other frequencies do",
    threshold="convention",
    because="solved is a loss below 1e-3; not solved is half the loss of guessing, log p / 2",
)
def test_the_key_frequencies_alone_solve_the_task(model, evidence):
    cut = losses.restricted(model)
    restricted = evidence("restricted loss", cut.loss, control_draws=cut.draws)
    typical = evidence("median over random frequencies", cut.median)
    assert restricted < 1e-3
    assert restricted < min(cut.draws)
    assert typical > math.log(model.task.p) / 2


@nanda
@claim(
    "N9b",
    "Without the key frequencies what was learned is undone, and without others it is not",
    threshold="convention",
    because="undone: 1,000 times the train loss, and ten times the loss without as many other, random frequencies",
)
def test_without_the_key_frequencies_the_answers_are_undone(model, evidence):
    cut = losses.excluded(model)
    train = evidence("train loss", losses.mean_loss(model.logits, model.labels, model.train))
    excluded = evidence("excluded loss", cut.loss, control_draws=cut.draws)
    ratio = evidence("excluded loss / train loss", excluded / train)
    assert ratio >= 1e3
    assert excluded >= 10 * max(cut.draws)


@nanda
@claim(
    "N8c",
    "Once the circuit is formed, the restricted loss follows the test loss",
    about="behaviour",
    threshold="convention",
    because="to follow is a rank correlation of at least 0.9",
)
def test_the_restricted_loss_follows_the_test_loss(run, evidence):
    restricted, test_loss = run.columns["restricted_loss"], run.columns["test_loss"]
    evidence.plot(
        "progress", "Restricted and test loss", steps=run.steps, restricted_loss=restricted, test_loss=test_loss
    )
    formed = trajectory.phases(run.steps, run.columns["train_loss"], test_loss).circuit
    evidence("step at which the test loss has begun to fall", formed)
    rank = evidence(
        "rank correlation from there on", trajectory.rank_correlation(run.steps, restricted, test_loss, formed)
    )
    assert rank >= 0.9
