"""Source K: a one-hidden-layer MLP on modular addition, E[a] + E[b] → ReLU → logits."""

import math
from statistics import fmean

import torch

from grok.claim import claim, source
from grok.measure import embedding, logits, losses, neurons, spectrum, trajectory

pytestmark = source(
    "kissane",
    "One-hidden-layer MLP on modular addition",
    ref="C. Kissane, notebook in the repository mech-interp-practice",
    fixture="modadd-mlp",
    url="https://github.com/ckkissane/mech-interp-practice",
)


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
    accuracy = evidence("accuracy on all pairs", losses.accuracy(model.logits, model.labels))
    assert accuracy == 1


@claim(
    "K2",
    "Train and test loss end near zero",
    published=(1.04e-6, 1.85e-5),
    about="behaviour",
    threshold="source",
    because="the published losses, 1.04e-6 and 1.85e-5, with room for another seed",
)
def test_losses_end_near_zero(model, evidence):
    train = evidence("train loss", losses.mean_loss(model.logits, model.labels, model.train), published=1.04e-6)
    test = evidence("test loss", losses.mean_loss(model.logits, model.labels, model.test), published=1.85e-5)
    assert train < 1e-5
    assert test < 1e-3


@claim(
    "K3",
    "Most neurons are a combination of nine terms of one frequency",
    published="most",
    section="Fourier basis",
    threshold="convention",
    because='"most" is more than half of the neurons; a neuron follows a frequency if that explains 0.85 of it',
)
def test_most_neurons_are_nine_terms_of_one_frequency(model, evidence):
    evidence.plot(
        "spectrum_2d",
        "Norm of the neurons per pair of frequencies",
        norm=lambda: spectrum.norms(model.spectrum.post_powers),
    )
    found = neurons.frequencies(model.spectrum.post_powers)
    share = evidence("share of neurons with ≥ 0.85 of their variance on one frequency", found.single_share)
    assert share > 0.5


@claim(
    "K4",
    "The neurons' frequencies are the key frequencies",
    section="Fourier basis",
    threshold="convention",
    because='"the" key frequencies: nine tenths of the live neurons',
)
def test_neuron_frequencies_are_the_key_frequencies(model, evidence):
    found = neurons.frequencies(model.spectrum.post_powers)
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
    norms = embedding.fourier_norms(model.U, dim=1)
    evidence.plot("fourier_norms", "W_U per frequency", frequencies=range(1, len(norms) + 1), norm=norms)
    key_frequencies = evidence("key frequencies", model.key_frequencies)
    gap = evidence("largest ratio of neighbouring powers of U", model.spectrum.keys.gap)
    assert gap >= 3
    assert 8 <= len(key_frequencies) <= 16


@claim(
    "K6",
    "Logits are quadratic-only",
    published="quadratic but not linear",
    section="Stare at logits in fourier basis",
    threshold="convention",
    because='"quadratic but not linear": nine tenths against a twentieth of the variance',
)
def test_logits_are_quadratic_only(model, evidence):
    evidence.plot(
        "spectrum_2d",
        "Norm of the logits per pair of frequencies",
        norm=lambda: spectrum.norms(model.spectrum.logit_powers),
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
    table = neurons.projection_fves(model.post, model.U, model.key_frequencies)
    evidence.plot("fve", "FVE of each projection", x=list(table), fve=list(table.values()), line=0.84)
    evidence("FVE of each projection", table)
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
    table = neurons.projection_fves(model.post, model.U, model.key_frequencies)
    mean = evidence("mean FVE", fmean(table.values()))
    assert mean >= 0.9


@claim(
    "K10",
    "Before the ReLU there are only linear terms",
    published="only linear",
    section="pre-relu activations",
    threshold="convention",
    because='"only linear": all but a thousandth of the variance',
)
def test_only_linear_terms_before_the_relu(model, evidence):
    evidence.plot(
        "spectrum_2d",
        "Norm before the ReLU per pair of frequencies",
        norm=lambda: spectrum.norms(model.spectrum.pre_powers),
    )
    share = evidence("linear share of centred pre", spectrum.linear_share_of(model.pre, model.task.p))
    assert share >= 0.999


@claim(
    "K11",
    "The ReLU makes the quadratic terms",
    published="linear and quadratic",
    section="pre-relu activations",
    threshold="convention",
    because="quadratic terms are there: a tenth of the variance",
)
def test_the_relu_makes_quadratic_terms(model, evidence):
    share = evidence("quadratic share of centred post", spectrum.quadratic_share(model.spectrum.post_powers))
    assert share >= 0.1


@claim(
    "K12",
    "W_E W_in is Fourier-sparse with exactly the same K",
    published="exact same",
    section="W_E W_in",
    threshold="convention",
    because='"the exact same" frequencies: equal sets, which hold 0.95 of the power',
)
def test_input_weights_have_the_same_key_frequencies(model, evidence):
    norms = embedding.fourier_norms(model.W_neur)
    evidence.plot("fourier_norms", "W_E W_in per frequency", frequencies=range(1, len(norms) + 1), norm=norms)
    key_frequencies = evidence("key frequencies", model.key_frequencies)
    power = evidence("power of W_E W_in on K", embedding.power_on(model.W_neur, key_frequencies))
    strongest = evidence("its strongest frequencies", embedding.strongest(model.W_neur, len(key_frequencies)))
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
    fit = logits.formula(model.logits, model.labels, model.key_frequencies)
    fve = evidence("FVE of the formula, logits centred over c", fit.fve)
    evidence("FVE of the formula, not centred", fit.fve_uncentred)
    accuracy = evidence("accuracy of the formula alone", losses.accuracy(fit.table, torch.arange(model.task.p)))
    assert fve >= 0.85
    assert accuracy == 1


@claim(
    "K14", "The restricted loss is near the test loss", threshold="convention", because='"near" is within a factor of 2'
)
def test_restricted_loss_is_near_the_test_loss(model, evidence):
    cut = losses.restricted(model)
    restricted = evidence("restricted loss", cut.loss, control_draws=cut.draws)
    test = evidence("test loss", losses.mean_loss(model.logits, model.labels, model.test))
    ratio = evidence("restricted / test", restricted / test)
    assert ratio <= 2
    assert restricted < min(cut.draws)


@claim(
    "K15",
    "The key frequencies are necessary: the excluded loss is high",
    threshold="convention",
    because="necessary: without K the loss on pairs it was trained on is above 1 and above every random draw",
)
def test_key_frequencies_are_necessary(model, evidence):
    cut = losses.excluded(model)
    excluded = evidence("excluded loss", cut.loss, control_draws=cut.draws)
    assert excluded >= 1
    assert excluded > max(cut.draws)


# The claims below restate sentences above in a form that fails on a network without the claimed algorithm.


@claim(
    "K13b",
    "The cosine formula is most of the logits, and solves the task by itself",
    threshold="convention",
    because="most is 0.85 of the variance, as K13 has it; solved is a loss of at most 1e-3 on all pairs",
)
def test_the_formula_solves_the_task(model, evidence):
    fit = logits.formula(model.logits, model.labels, model.key_frequencies)
    fve = evidence("FVE of the formula, logits centred over c", fit.fve)
    loss = evidence("loss of the formula", losses.mean_loss(fit.table, torch.arange(model.task.p)))
    assert fve >= 0.85
    assert loss <= 1e-3


@claim(
    "K14b",
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


@claim(
    "K15b",
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


@claim(
    "K14c",
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
