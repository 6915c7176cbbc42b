"""Claims of Chughtai et al. 2023, "A Toy Model of Universality" (arXiv 2302.03025), on Z_p and on S_5.

For the cyclic group the representations are the frequencies, and tr ρ_k(a) ρ_k(b) ρ_k(c⁻¹) is 2 cos w_k(a + b - c).
"""

import torch

from grok import views
from grok.claim import claim, source
from grok.measure import embedding, logits, losses, neurons, representations, universality

pytestmark = source(
    "chughtai-2023",
    "Chughtai et al. 2023, A Toy Model of Universality",
    ref="arXiv 2302.03025",
    url="https://arxiv.org/abs/2302.03025",
)

MODADD = ("modadd-mlp", "modadd-transformer", "c113-mlp")  # of the last, users' checkpoints only
MODULAR = (*MODADD, "modsub-transformer")
BINS = 50


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
    r"""The paper's rule for any group: the logit of c is a sum of traces of matrices that stand for a, b and the
    inverse of c. For addition modulo p these matrices are rotations by $w_k = 2 \pi k / p$, one kind for each frequency
    k, and the traces are the waves $2 \cos w_k(a + b - c)$. Those of a few key frequencies K explain nearly all of the
    logits.

    Measured: the share of the squared norm of the logits L, centred over c for each pair, that the fitted sum of the
    waves explains (FVE, fraction of variance explained). It must be 0.95 for a transformer and 0.92 for an MLP.

    $$ \hat L_c(a, b) = \sum_{k \in K} \alpha_k \cos w_k(a + b - c), \quad
       \text{FVE} = 1 - \frac{\| L - \hat L \|^2}{\| L \|^2} $$"""
    fit = logits.formula(model.logits, model.labels, model.key_frequencies)
    evidence.plot(
        "lines",
        "Mean logit by the distance of the answer from the right one",
        lambda: views.by_offset(model.labels, network=model.logits, formula=fit.table[model.labels]),
        see="Both are highest at 0, the right answer, and the formula follows the network.",
        axes=("s - c, modulo p", "mean logit, centred"),
    )
    share = evidence("FVE of the logits, centred over c, by the waves of K", fit.fve)
    of_paper = evidence("least published share, rounded down", 0.95 if model.architecture == "transformer" else 0.92)
    assert share >= of_paper


@claim(
    "C2",
    "The embedding and the unembedding live on the key representations",
    section="Section 5",
    threshold="convention",
    because='"live on" is 0.95 of the power',
    on=MODULAR,
)
def test_embeddings_live_on_the_key_representations(model, evidence):
    r"""The table that embeds the numbers and the table from which the logits are read have, as functions of the number,
    hardly anything but waves of the key frequencies K.

    Measured: the share of the squared norm of W_E on $\cos w_k t$ and $\sin w_k t$ over the numbers t for k of K, and
    the same of the unembedding over the answers: W_U of a transformer, U of another network. $F_k$ has the two waves as
    rows, of norm one.

    $$ \frac{\sum_{k \in K} \| F_k W \|^2}{\| W \|^2} \ge 0.95, \quad W = W_E, \; W_U^T $$"""
    W_U = model.W_U if model.architecture == "transformer" else model.U
    evidence.plot(
        "bars",
        "Norm of the embedding and of the unembedding on each frequency",
        frequencies=range(1, (model.task.p + 1) // 2),
        embedding=lambda: embedding.fourier_norms(model.W_E),
        unembedding=lambda: embedding.fourier_norms(W_U.T),
        see="The claim is that both have the key frequencies and little else.",
        axes=("frequency k", "norm"),
    )
    of_embedding = evidence("share of W_E's power on K", embedding.power_on(model.W_E, model.key_frequencies))
    of_unembedding = evidence("share of W_U's power on K", embedding.power_on(W_U.T, model.key_frequencies))
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
    r"""Networks that were trained from different seeds all learn the same rule, but each with key frequencies of its
    own. The paper calls this weak universality.

    Measured: on the networks of all shipped seeds of a recipe, the share of the centred logits that
    $\sum_{k \in K} \alpha_k \cos w_k(s - c)$ explains (FVE), s the answer and K the network's own key frequencies; and
    the mean over all pairs of seeds of the Jaccard index of their key frequencies.

    $$ J(K, K') = \frac{\lvert K \cap K' \rvert}{\lvert K \cup K' \rvert}, \quad \bar J \le 0.5 $$"""
    found = [(m.key_frequencies, logits.formula(m.logits, m.labels, m.key_frequencies).fve) for m in models]
    keys = evidence("key frequencies of each seed", [keys for keys, _ in found])
    used = sorted(set().union(*keys))
    evidence.plot(
        "points",
        "Key frequencies of each seed",
        see="A row for each network; a frequency that two share has two marks.",
        frequencies=used,
        **{f"network {i}": [i if k in one else None for k in used] for i, one in enumerate(keys, start=1)},
        axes=("frequency k", "network, in the order of the seeds"),
    )
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
    r"""A neuron of one frequency k holds waves of a, of b, and of their products. The products can be written as waves
    of the sum a + b and of the difference a - b. Only those of the sum are of use for the answer, and only they are
    said to be there.

    Measured: for each live neuron with at least 0.85 of its variance on one k, the share of $\cos w_k(a - b)$ and
    $\sin w_k(a - b)$ in what it has on the eight products of $1, \cos, \sin$ of $w_k a$ and of $w_k b$ that are not
    constant; the median over these neurons. The waves f are scaled to norm one, h is the activation.

    $$ \frac{\langle h, \cos w_k(a - b) \rangle^2 + \langle h, \sin w_k(a - b) \rangle^2}
       {\sum_{f \in \text{terms of } k} \langle h, f \rangle^2} \le 0.1 $$"""
    found = neurons.frequencies(model.spectrum.post_powers)
    share = neurons.other_share(model.post, found, model.task.p, model.task.sign)
    single = evidence("neurons of one frequency", share.n)
    if share.n:
        evidence.plot(
            "bars",
            "Share of the waves of a - b in each neuron of one frequency",
            see="Half of the neurons are to the left of 0.1 if it holds.",
            x=[(i + 0.5) / BINS for i in range(BINS)],
            neurons=share.shares.histc(BINS, 0, 1),
            axes=("share of the terms in a - b, 0 to 1", "number of neurons"),
        )
    median = evidence("median share of the waves of a - b", share.median)
    assert single >= 1
    assert median <= 0.1


# On the permutations of five things, whose representations are matrices.


@claim(
    "C5",
    "The embeddings and the unembedding live on the key representations",
    published="0.9996 to 1 for the embeddings, 0.94 for the unembedding",
    section="Section 5.2, and the authors' summary_metrics.json",
    threshold="convention",
    because='"live on" is 0.99 of the power of the embeddings, and 0.9 of that of the unembedding',
    on=("s5-mlp",),
)
def test_embeddings_live_on_the_representations_of_the_group(model, evidence):
    r"""A permutation can be written as a matrix in several ways that respect composition, its irreducible
    representations. The tables that embed the two permutations hold the entries of a few of these matrices and little
    else, and so does the table from which the answers are read.

    Measured: the share of the squared norm on the entries of $\rho_k(g)$, as functions of the permutation g, for the
    representations k of K, which are those that stand out in U. The tables are each embedding times its half of W, and
    U. $B_k$ has the functions as rows, orthonormal.

    $$ \frac{\sum_{k \in K} \| B_k M \|^2}{\| M \|^2}, \quad M = W_x W, \; W_y W, \; U^T $$"""
    blocks, keys = model.spectrum.blocks, model.key_frequencies
    first, second = model.neuron_embeddings
    tables = {"first embedding": first, "second embedding": second, "unembedding": model.U.T}
    evidence.plot(
        "bars",
        "Share of each table's squared norm on each representation",
        lambda: {
            "frequencies": list(range(len(blocks.sizes))),
            **{n: [embedding.power_on(m, (k,), blocks) for k in range(len(blocks.sizes))] for n, m in tables.items()},
        },
        see="A few representations have nearly everything; 0 is the constant, the last one the sign.",
        axes=("representation", "share, 0 to 1"),
    )
    of_first = evidence("share of the first embedding on K", embedding.power_on(first, keys, blocks))
    of_second = evidence("share of the second embedding on K", embedding.power_on(second, keys, blocks))
    of_unembedding = evidence("share of the unembedding on K", embedding.power_on(model.U.T, keys, blocks))
    assert of_first >= 0.99
    assert of_second >= 0.99
    assert of_unembedding >= 0.9


@claim(
    "C6",
    "The logits are a combination of characters",
    published=(0.3905, 0.8481),
    section="Section 5.1, and the authors' summary_metrics.json of four seeds",
    threshold="source",
    because="the four published networks have 0.3905, 0.5925, 0.5989 and 0.8481; the least, rounded down",
    on=("s5-mlp",),
)
def test_logits_are_characters_of_the_group(model, evidence):
    r"""The logit of c for a and b is high where a ∘ b ∘ c⁻¹ does nothing. The trace of a representation's matrix, its
    character, is highest there, and the network adds up such traces.

    Measured: the share of the squared norm of the logits, centred over c, that the cubes $X_k$ explain together, over
    all representations but the constant. The figure differs much between the published networks.

    $$ X_k(a, b, c) = \mathrm{tr} \, \rho_k(a) \rho_k(b) \rho_k(c^{-1}), \quad
       \sum_k \left( \frac{\langle L, X_k \rangle}{\| L \| \, \| X_k \|} \right)^2 $$"""
    similarities = representations.trace_similarities(model.logits, model.labels, model.spectrum.blocks)
    evidence.plot(
        "bars",
        "Cosine of the angle between the logits and each character",
        frequencies=range(1, len(similarities) + 1),
        similarity=similarities,
        see="The representations with a high bar are those that the network uses.",
        axes=("representation", "cosine, -1 to 1"),
    )
    share = evidence("share of the logits on all characters", representations.percent_logits_explained(similarities))
    assert share >= 0.39


@claim(
    "C7",
    "The characters of the key representations solve the task, and without them nothing is left",
    published="restricted 5.5e-8 and 6.7e-7, excluded 11.0 and 7.6",
    section="Section 5.1, and the authors' summary_metrics.json",
    threshold="convention",
    because="solved is a loss below 1e-3, as in K14b; nothing is left at a loss of 5, more than guessing (log 120)",
    on=("s5-mlp",),
)
def test_key_characters_solve_the_task_of_the_group(model, evidence):
    r"""If only the characters of the key representations are kept of the logits, the network still composes every two
    permutations rightly. If they are taken away, it is worse than guessing, also on the pairs that it was trained on.

    Measured: the mean loss of the part of the centred logits that lies on the cubes $X_k$ of K (see C6), on all pairs;
    and the mean loss of the rest, on the train pairs, or on all pairs where the split is not known.

    $$ L_K = \sum_{k \in K} \frac{\langle L, X_k \rangle}{\| X_k \|^2} X_k, \quad
       \ell(L_K) < 10^{-3}, \quad \ell(L - L_K) \ge 5 $$"""
    blocks, keys = model.spectrum.blocks, model.key_frequencies
    pairs = torch.arange(len(model.labels)) if model.split is None else model.train
    whole = evidence("loss on all pairs", losses.mean_loss(model.logits, model.labels))
    restricted = evidence(
        "loss with the key characters only",
        representations.logit_restricted_loss(model.logits, model.labels, blocks, keys),
    )
    excluded = evidence(
        "loss without the key characters",
        representations.logit_excluded_loss(model.logits, model.labels, blocks, keys, pairs),
    )
    evidence.plot(
        "bars",
        "Loss with the key characters only, and without them",
        x=["whole", "K only", "without K"],
        log10_of_the_loss=lambda: [views.log10(x) for x in (whole, restricted, excluded)],
        see="K only is as low as the whole, and without K it is high.",
        axes=("", "log10 of the loss"),
    )
    assert restricted < 1e-3
    assert excluded >= 5
