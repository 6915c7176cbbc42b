"""Claims of Nanda et al. 2023, "Progress measures for grokking via mechanistic interpretability" (arXiv 2301.05217).

The thresholds come from the paper's figures and words. Where a claim of one of the notebooks says the same with another
threshold (N2, N5 and N12 of the transformer), both stand, each with its own.
"""

import math

import torch

from grok.claim import claim, source
from grok.measure import activations, attention, certificate, intervene, losses, neurons, readout, trajectory
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
    rest = readout.rest_of_readout(model.U, model.key_frequencies)
    evidence("norm of the rest over that of centred U", rest.norm)
    square = evidence("square of that share", rest.square, published=0.0055)
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
    table = neurons.projection_fves(model.post, model.U, model.key_frequencies)
    evidence.plot("fve", "FVE of each projection", x=list(table), fve=list(table.values()), line=0.93)
    least = evidence("least FVE", min(table.values()), published=0.932)
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
    found = attention.single_frequency(model.pattern, model.task.p)
    evidence("best frequency of each head", found.best.tolist())
    shares = evidence("share of each head's variance on it", found.share.tolist(), published=(0.979, 0.991))
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
    found = neurons.frequencies(model.spectrum.post_powers)
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
    found = activations.as_polynomials(model)
    replaced = evidence("neurons replaced", found.replaced)
    evidence("loss with them replaced", found.answer.loss)
    ratio = evidence("loss with them replaced / loss", found.answer.loss / found.whole.loss, published=1.03)
    accuracy = evidence("accuracy with them replaced", found.answer.accuracy)
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
    each = losses.excluded_each(model, torch.arange(len(model.labels)))
    evidence("loss on all pairs", each.loss, published=2.4e-7)
    evidence("loss without each key frequency", each.keys)
    evidence("loss without each of eight other frequencies", each.others)
    least = evidence("least loss without a key frequency", min(each.keys.values()), published=2.0e-4)
    over = evidence("… over the loss", least / each.loss)
    above = evidence("… over the greatest loss without another frequency", least / each.greatest_other)
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
    kept = evidence("loss with the neurons projected on them", activations.key_subspace(model).kept.loss)
    ratio = evidence("… over the loss", kept / activations.whole(model).loss)
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
    kept = evidence("loss with the neurons projected on them", activations.key_subspace(model).kept.loss)
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
    removed = evidence("loss with the neurons projected on the rest", activations.key_subspace(model).removed.loss)
    assert removed >= math.log(model.task.p) / 2


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
    whole = evidence("loss on all pairs", activations.whole(model).loss)
    removed = evidence("loss with the neurons projected on the rest", activations.key_subspace(model).removed.loss)
    assert whole < SOLVED
    assert removed >= math.log(model.task.p) / 2


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
    def loss(change):
        return losses.mean_loss(intervene.by_hand(model, change).logits, model.labels)

    headless = evidence("loss with the heads' outputs at zero", loss(Intervention(heads=False)), published=24.3)
    without_skip = evidence("loss without the skip", loss(Intervention(skip=False)), published=9.12e-7)
    ratio = evidence("… over the loss", without_skip / loss(Intervention()))
    assert headless >= math.log(model.task.p)
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
    phases = trajectory.phases(run.steps, run.columns["train_loss"], run.columns["test_loss"])
    since = evidence("step at which clean-up begins", phases.circuit)
    rises = {
        name: run.columns[column][-1] - trajectory.at_step(run.steps, run.columns[column], since)
        for name, column in (("W_E", "gini_W_E"), ("U", "gini_U"))
    }
    evidence.plot("progress", "Gini", steps=run.steps, **{name: run.columns[name] for name in ("gini_W_E", "gini_U")})
    evidence("rise of the Gini coefficient of the Fourier norms", rises)
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
    margins = certificate.margins_of(model.logits, model.labels)
    margin = evidence("least margin over all pairs", float(margins.min()), published=9.605)
    assert margin >= 1  # before the bounds, which take seconds
    found = certificate.certify(model)
    evidence("greatest bound on the float32 error", found.bound)
    certain = evidence("pairs whose margin is more than twice their bound", found.right)
    assert certain == len(margins)
