"""Claims of Chughtai et al. 2023, "A Toy Model of Universality" (arXiv 2302.03025), on the cyclic group.

For the cyclic group the representations are the frequencies, and tr ρ_k(a) ρ_k(b) ρ_k(c⁻¹) is 2 cos w_k(a + b - c).
"""

from grok.claim import claim, source
from grok.measure import embedding, logits, neurons, universality

pytestmark = source(
    "chughtai-2023",
    "Chughtai et al. 2023, A Toy Model of Universality",
    ref="arXiv 2302.03025",
    url="https://arxiv.org/abs/2302.03025",
)

MODADD = ("modadd-mlp", "modadd-transformer", "c113-mlp")  # of the last, users' checkpoints only
MODULAR = (*MODADD, "modsub-transformer")


@claim(
    "C1",
    "The logits are explained by the characters of the key representations",
    published={"modadd-transformer": (0.952, 0.979), "modadd-mlp": (0.927, 0.981), "c113-mlp": (0.927, 0.981)},
    section="Table 1",
    threshold="source",
    because="the lowest published shares are 0.952 for transformers and 0.927 for MLPs, rounded down",
    on=MODADD,
)
def test_logits_are_characters(model, evidence):
    fit = logits.formula(model.logits, model.labels, model.key_frequencies)
    share = evidence("FVE of the logits, centred over c, by the characters of K", fit.fve)
    assert share >= (0.95 if model.architecture == "transformer" else 0.92)


@claim(
    "C2",
    "The embedding and the unembedding live on the key representations",
    section="Section 5",
    threshold="convention",
    because='"live on" is 0.95 of the power',
    on=MODULAR,
)
def test_embeddings_live_on_the_key_representations(model, evidence):
    W_U = model.W_U if model.architecture == "transformer" else model.U
    of_embedding = evidence("power of W_E on K", embedding.power_on(model.W_E, model.key_frequencies))
    of_unembedding = evidence("power of W_U on K", embedding.power_on(W_U.T, model.key_frequencies))
    assert of_embedding >= 0.95
    assert of_unembedding >= 0.95


@claim(
    "C3",
    "Universality is weak: seeds share the algorithm and not the frequencies",
    published="different",
    section="Section 6",
    threshold="convention",
    because="the same algorithm: a formula with 0.9 of the variance; other frequencies: a Jaccard index of 0.5 or less",
    on=MODULAR,
)
def test_seeds_share_the_algorithm_and_not_the_frequencies(models, evidence):
    found = [(m.key_frequencies, logits.formula(m.logits, m.labels, m.key_frequencies).fve) for m in models]
    keys = evidence("key frequencies of each seed", [keys for keys, _ in found])
    shares = evidence("FVE of the formula on each seed", [share for _, share in found])
    overlap = evidence("mean Jaccard index of two seeds' key frequencies", universality.mean_jaccard(keys))
    assert all(share >= 0.9 for share in shares)
    assert overlap <= 0.5


@claim(
    "C4",
    "Neurons carry the terms of a, of b and of the answer, and none of a - b",
    published="ρ(a), ρ(b), ρ(ab)",
    section="Section 5, second-hand",
    threshold="convention",
    because='"none" is at most a tenth of the variance of the terms of a single-frequency neuron',
    on=MODADD,
)
def test_neurons_have_no_terms_of_the_difference(model, evidence):
    found = neurons.frequencies(model.spectrum.post_powers)
    share = neurons.other_share(model.post, found, model.task.p, model.task.sign)
    single = evidence("neurons of one frequency", share.n)
    median = evidence("median share of cos, sin w_k(a - b)", share.median)
    assert single >= 1
    assert median <= 0.1
