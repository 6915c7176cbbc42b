"""Source F: plain addition of two digits, a + b without a modulus, by a one-layer transformer ("Fibonacci").

PC1, PC2, … are the principal components of E, the embedding of the ten digits, centred over its rows. U is the source's
W_L, transposed. The source ablates PC2 by keeping the mean and PC1 *only*, which removes PC3 … PC10 too; here that is
``pc1_only``. ``no_pc2`` removes PC2 alone. Ablations are computed from the weights, and a test compares them with those
by TransformerLens hooks.
"""

import torch

from grok.claim import claim, source
from grok.measure import addition, components, losses, regression
from grok.measure.intervene import Activations, Intervention, by_hand, random_directions

pytestmark = source(
    "fibonacci",
    "Plain integer addition in a one-layer transformer",
    ref="notebook made from the Grokking demo of TransformerLens; it names no author",
    fixture="add-transformer",
)

DRAWS, CONTROL_SEED = 20, 0


def pc1_only(model) -> Activations:
    return by_hand(model, Intervention(embedding=components.pca(model.W_E).keep([0])))


def no_pc2(model) -> Activations:
    return by_hand(model, Intervention(embedding=components.pca(model.W_E).remove([1])))


def scores(model) -> torch.Tensor:
    """PC1(a), PC1(b), PC2(a), PC2(b): [100, 4]."""
    return components.pair_scores(components.pca(model.W_E), model.task.pairs())


def accuracy(model, logits) -> float:
    return losses.accuracy(logits, model.labels)


def accuracy_lost(model, embedding) -> float:
    """The accuracy that an edit of the embedding costs, 0 … 1."""
    return accuracy(model, model.logits) - accuracy(model, by_hand(model, Intervention(embedding)).logits)


def random_controls(model, removed) -> list[float]:
    """Accuracy lost to random directions, as many as these components are, in 20 draws of each of two forms: [40].

    The first form removes the directions. E has little along them, so the second form subtracts the scores of the
    components along the random directions, which changes E as much as removing the components does.
    """
    pcs = components.pca(model.W_E)
    away = pcs.directions[list(removed)]
    draws = random_directions(model.W_E.shape[1], len(away), DRAWS, CONTROL_SEED)
    removals = [components.remove(pcs.mean, r) for r in draws]
    moves = [lambda x, r=r: x - (x - pcs.mean) @ away.T @ r for r in draws]
    return [accuracy_lost(model, edit) for edit in removals + moves]


# ── the embedding ────────────────────────────────────────────────────────────────────────────────────────────────


@claim("F1", "It adds", published=1.0, about="behaviour", threshold="source", because="the published accuracy is 1")
def test_it_adds(model, evidence):
    right = evidence("accuracy on the 100 pairs", accuracy(model, model.logits))
    assert right == 1


@claim(
    "F2",
    "Two principal components hold the embedding",
    published=(0.73, 0.994),
    section="Project Summary, 1. Input Representation",
    threshold="source",
    because="the published shares, 0.73 to 0.75 and 0.994, with room for another seed",
)
def test_two_components_hold_the_embedding(model, evidence):
    ratio = components.pca(model.W_E).ratio
    first = evidence("share of PC1", ratio[0], published=0.73)
    both = evidence("share of PC1 and PC2", ratio[:2].sum(), published=0.994)
    assert 0.6 <= first <= 0.85
    assert both >= 0.98


@claim(
    "F3",
    "PC1 is linear in the digit",
    published="linear",
    section="Project Summary, 1. Input Representation",
    threshold="convention",
    because='"linear" is an R² of at least 0.95',
)
def test_pc1_is_linear(model, evidence):
    pc1, pc2 = components.pca(model.W_E).scores[:, :2].T
    digits = torch.arange(model.task.p)
    evidence.plot("pcs", "Embedding of the digits along PC1 and PC2", tokens=digits, PC1=pc1, PC2=pc2)
    r2 = evidence("R² of a line in the digit", addition.line(digits, pc1).r2)
    assert r2 >= 0.95


@claim(
    "F4",
    "PC2 is a parabola in the digit",
    published="parabola",
    section="Project Summary, 1. Input Representation",
    threshold="convention",
    because='"a parabola": a quadratic fits with an R² of at least 0.95, a line with at most 0.1',
)
def test_pc2_is_a_parabola(model, evidence):
    pc1, pc2 = components.pca(model.W_E).scores[:, :2].T
    digits = torch.arange(model.task.p).double()
    evidence.plot("pcs", "PC2 against PC1", x=pc1, PC2=pc2)
    r2 = regression.r2_of_fit(components.poly2(digits[:, None]), pc2[:, None])
    parabola = evidence("R² of a parabola", r2.item())
    line = evidence("R² of a line", addition.line(digits, pc2).r2)
    assert parabola >= 0.95
    assert line <= 0.1


@claim(
    "F27",
    "W_E is low-frequency over the digits: index 1, then 2",
    published=(1, 2),
    section="Project Summary, 1. Input Representation",
    threshold="source",
    because="the order that the source names",
)
def test_embedding_is_low_frequency(model, evidence):
    norms = addition.rfft_powers(model.W_E).sqrt()
    evidence.plot("fourier_norms", "Norm of W_E per index of the FFT", frequencies=range(1, len(norms)), norm=norms[1:])
    order = evidence("indices by norm, without the constant", (1 + norms[1:].argsort(descending=True)).tolist())
    assert order[:2] == [1, 2]


# ── ablations ────────────────────────────────────────────────────────────────────────────────────────────────────


@claim(
    "F5",
    "Ablating PC2 destroys accuracy",
    published="0.42, a drop of 0.58",
    section="Project Summary, 2. The Necessity of PC2",
    threshold="source",
    because="the published drop is 0.58; rounded down to 0.4, and more than any random direction costs",
)
def test_ablating_pc2_destroys_accuracy(model, evidence):
    right = accuracy(model, model.logits)
    evidence("accuracy with PC1 only", accuracy(model, pc1_only(model).logits), published=0.42)
    evidence("accuracy with PC2 alone removed", accuracy(model, no_pc2(model).logits))
    controls = random_controls(model, range(1, model.task.p - 1))  # PC2 … PC9: ten centred rows have rank nine
    controls_alone = random_controls(model, [1])
    drop = evidence("drop with PC1 only", right - accuracy(model, pc1_only(model).logits), 0.58, control_draws=controls)
    alone = right - accuracy(model, no_pc2(model).logits)
    alone = evidence("drop with PC2 alone removed", alone, control_draws=controls_alone)
    assert drop >= 0.4
    assert alone >= 0.4
    assert drop > max(controls)
    assert alone > max(controls_alone)


@claim(
    "F6",
    "PC1 and PC2 suffice",
    published="the others are irrelevant",
    threshold="source",
    because="the source calls the others irrelevant: no answer changes",
)
def test_pc1_and_pc2_suffice(model, evidence):
    plane = Intervention(embedding=components.pca(model.W_E).keep([0, 1]))
    right = evidence("accuracy with PC3 … removed", accuracy(model, by_hand(model, plane).logits))
    assert right == 1


@claim(
    "F7",
    "Without PC2 it is off by at most 3, by exactly 3 only at (0,0) and (9,9)",
    published=(3, "(0,0), (9,9)"),
    threshold="source",
    because="the two pairs and the error that the source names",
)
def test_ablated_errors_are_at_most_three(model, evidence):
    table = addition.error_table(pc1_only(model).logits, model.labels, model.task.p)
    evidence.plot("error_table", "Predicted minus true sum, PC1 only", x=range(10), y=range(10), error=table)
    furthest = evidence("greatest |error|", table.abs().max(), published=3)
    where = evidence("pairs off by exactly 3", (table.abs() == 3).nonzero().tolist(), published="(0,0), (9,9)")
    assert furthest == 3
    assert where == [[0, 0], [9, 9]]


@claim(
    "F8",
    "Without PC2 it over-predicts at 0, under-predicts at 9, is right at (0,9), (9,0)",
    published="as said",
    section="Project Summary, 2. The Necessity of PC2",
    threshold="source",
    because="the signs that the source names, without exception",
)
def test_ablated_errors_have_the_sign_of_the_edge(model, evidence):
    table = addition.error_table(pc1_only(model).logits, model.labels, model.task.p)
    p = model.task.p
    a, b = model.task.pairs().T.unflatten(1, (p, p))
    low, high = (a == 0) | (b == 0), (a == p - 1) | (b == p - 1)
    wrong_low = evidence("pairs with 0 and without the last digit, not over-predicted", (table[low & ~high] <= 0).sum())
    wrong_high = evidence(
        "pairs with the last digit and without 0, not under-predicted", (table[high & ~low] >= 0).sum()
    )
    wrong_both = evidence("errors at the pairs of 0 and the last digit", (table[low & high] != 0).sum())
    assert wrong_low == 0
    assert wrong_high == 0
    assert wrong_both == 0


@claim(
    "F9",
    "The residual path around the MLP is not needed for accuracy",
    published="1.0; loss orders of magnitude up",
    threshold="source",
    because='the published accuracy is 1; "orders of magnitude" is more than a factor of 10, and the loss stays small',
)
def test_skip_is_not_needed(model, evidence):
    without = by_hand(model, Intervention(skip=False)).logits
    right = evidence("accuracy without it", accuracy(model, without), published=1.0)
    loss = evidence("loss without it", losses.mean_loss(without, model.labels))
    ratio = evidence("loss without it / loss", loss / losses.mean_loss(model.logits, model.labels))
    assert right == 1
    assert ratio > 10
    assert loss < 0.1


@claim(
    "F10",
    "Predictions without PC2 are linear in a + b, with slope 2/3 and intercept 3",
    published=(0.93, "2/3", 3),
    threshold="source",
    because="the published R² is 0.93, and the hypothesis has slope 2/3 and intercept 3",
)
def test_ablated_predictions_are_linear_in_the_sum(model, evidence):
    line = addition.line(model.labels, pc1_only(model).logits.argmax(1))
    r2 = evidence("R² of a line in the sum", line.r2, published=0.93)
    slope = evidence("slope", line.slope, published="hypothesis 2/3")
    intercept = evidence("intercept", line.intercept, published="hypothesis 3")
    assert r2 >= 0.9
    assert abs(slope - 2 / 3) <= 0.1
    assert abs(intercept - 3) <= 0.5


@claim(
    "F11",
    "… and depend on a and b only by their sum",
    published="the same",
    threshold="convention",
    because='"the same": a and b apart explain less than a thousandth more',
)
def test_ablated_predictions_depend_on_the_sum_only(model, evidence):
    predicted = pc1_only(model).logits.argmax(1).double()
    apart = regression.r2_of_fit(components.linear(model.task.pairs().double()), predicted[:, None]).item()
    gain = evidence("R² gained by fitting a and b apart", apart - addition.line(model.labels, predicted).r2)
    assert gain <= 0.001


@claim(
    "F12",
    "PC2 does not linearly explain the error made without it",
    published='"didn\'t work"',
    threshold="convention",
    because='"didn\'t work": less than half of the variance is explained',
)
def test_pc2_does_not_explain_the_ablated_error(model, evidence):
    error = (model.labels - pc1_only(model).logits.argmax(1)).double()[:, None]
    pc2 = scores(model)[:, 2:]
    evidence("R² of a quadratic in PC2(a), PC2(b)", regression.r2_of_fit(components.poly2(pc2), error).item())
    r2 = evidence("R² of a line in PC2(a), PC2(b)", regression.r2_of_fit(components.linear(pc2), error).item())
    assert r2 <= 0.5


# ── neurons as polynomials of the components ─────────────────────────────────────────────────────────────────────


@claim(
    "F13",
    "Before the ReLU each neuron is a degree-2 polynomial of the PCs",
    published=(0.998, "> 0.99 for all"),
    section="Project Summary, 3. MLP Computation",
    threshold="source",
    because="the source says: above 0.99 for all",
)
def test_pre_is_poly2_of_the_components(model, evidence):
    r2 = regression.r2_of_fit(components.poly2(scores(model)), model.pre)
    mean = evidence("mean R² over live neurons", r2.mean(), published=0.998)
    least = evidence("least R²", r2.min(), published="> 0.99")
    assert mean >= 0.99
    assert least >= 0.99


@claim(
    "F14",
    "… and not a linear function of them",
    published=0.75,
    section="Project Summary, 3. MLP Computation",
    threshold="source",
    because="the published R² is 0.75; a linear fit is not enough below 0.9",
)
def test_pre_is_not_linear_in_the_components(model, evidence):
    r2 = regression.r2_of_fit(components.linear(scores(model)), model.pre)
    mean = evidence("mean R²", r2.mean(), published=0.75)
    assert mean <= 0.9


@claim(
    "F15",
    "… and treats a and b alike: five symmetric features nearly suffice",
    published=0.98,
    section="Project Summary, 3. MLP Computation",
    threshold="source",
    because="the published R² is 0.98; rounded down to 0.95",
)
def test_pre_is_symmetric(model, evidence):
    r2 = regression.r2_of_fit(components.symmetric(scores(model)), model.pre)
    mean = evidence("mean R²", r2.mean(), published=0.98)
    assert mean >= 0.95


@claim(
    "F16",
    "After the ReLU each neuron is nearly a degree-2 polynomial too",
    published=0.975,
    section="Project Summary, 4. MLP Activation & ReLU Impact",
    threshold="source",
    because="the published R² is 0.975; rounded down to 0.95",
)
def test_post_is_nearly_poly2(model, evidence):
    r2 = regression.r2_of_fit(components.poly2(scores(model)), model.post)
    evidence("live neurons", len(r2))
    evidence("least R²", r2.min())
    mean = evidence("mean R² over live neurons", r2.mean(), published=0.975)
    assert mean >= 0.95


@claim(
    "F17",
    "Poly2 of the PCs, ReLU, U: the model's logits",
    published=0.988,
    section="Project Summary, 5. Unembedding Readout",
    threshold="source",
    because="the published R² is 0.988; rounded down to 0.98",
)
def test_poly2_relu_readout_is_the_model(model, evidence):
    logits = regression.fit(components.poly2(scores(model)), model.pre).relu() @ model.U
    r2 = evidence("R² of the logits", regression.r2_overall(model.logits, logits), published=0.988)
    right = evidence("accuracy", accuracy(model, logits))
    assert r2 >= 0.98
    assert right == 1


@claim(
    "F18",
    "Poly2 of the activations after the ReLU, U: the same predictions",
    published=0.966,
    section="Project Summary, 5. Unembedding Readout",
    threshold="source",
    because='the published R² is 0.966; "the same predictions" is an accuracy of 1',
)
def test_poly2_of_post_predicts_the_same(model, evidence):
    logits = regression.fit(components.poly2(scores(model)), model.post) @ model.U
    r2 = evidence("R² of the logits", regression.r2_overall(model.logits, logits), published=0.966)
    right = evidence("accuracy", accuracy(model, logits), published="not computed")
    assert r2 >= 0.95
    assert right == 1


@claim(
    "F19",
    "Each logit is a degree-2 polynomial of the PCs",
    published=(0.96, 0.975),
    threshold="source",
    because="the published R², 0.96 at least and 0.975 in the mean, rounded down",
)
def test_each_logit_is_poly2(model, evidence):
    r2 = regression.r2_of_fit(components.poly2(scores(model)), model.logits)
    least = evidence("least R² of the logits", r2.min(), published=0.96)
    mean = evidence("mean R² of the logits", r2.mean(), published=0.975)
    assert least >= 0.95
    assert mean >= 0.96


@claim(
    "F23",
    "PC2 shifts the neurons' inputs linearly in PC2(a), PC2(b)",
    published="already very good",
    section="Project Summary, 3. MLP Computation",
    threshold="convention",
    because='"already very good" is an R² of at least 0.9 for the median neuron',
)
def test_pc2_shifts_pre_linearly(model, evidence):
    shift = model.pre - pc1_only(model).pre
    r2 = regression.r2_of_fit(components.linear(scores(model)[:, 2:]), shift)
    evidence("least R²", r2.min())
    median = evidence("median R²", r2.median())
    assert median >= 0.9


# ── the sum in the neurons ───────────────────────────────────────────────────────────────────────────────────────


@claim(
    "F21",
    "The sum is widely distributed: more than 130 neurons correlate above 0.9 with it",
    published="> 130",
    threshold="source",
    because="the published count: more than 130 neurons",
)
def test_the_sum_is_widely_distributed(model, evidence):
    r = addition.sum_correlations(model.post, model.labels)
    evidence("neurons with r > 0.9", (r > 0.9).sum())
    count = evidence("neurons with |r| > 0.9", (r.abs() > 0.9).sum(), published="> 130")
    assert count > 130


@claim(
    "F22",
    "A linear probe reads the sum from the neurons",
    published="almost perfectly",
    threshold="convention",
    because='"almost perfectly" is an R² of at least 0.95',
)
def test_a_linear_probe_reads_the_sum(model, evidence):
    r2 = evidence("R² on held-out pairs", addition.probe_r2(model.post, model.labels))
    assert r2 >= 0.95


@claim(
    "F24",
    "The ReLU lowers linearity in the sum, with PC2 and without: then no neuron keeps R² > 0.9",
    section="Project Summary, 4. MLP Activation & ReLU Impact",
    threshold="source",
    because="the source says: lower in both, and no neuron keeps an R² above 0.9",
)
def test_relu_lowers_linearity_in_the_sum(model, evidence):
    ablated = pc1_only(model)
    before, after, before_ablated, after_ablated = (
        addition.sum_linearity(activations, model.labels)
        for activations in (model.pre, model.post, ablated.pre, ablated.post)
    )
    mean_before = evidence("mean R² before the ReLU", before.mean())
    mean_after = evidence("mean R² after it", after.mean())
    ablated_before = evidence("mean R² before the ReLU, PC1 only", before_ablated.mean())
    ablated_after = evidence("mean R² after it, PC1 only", after_ablated.mean())
    greatest = evidence("greatest R² after it, PC1 only", after_ablated.max(), published="≤ 0.9")
    assert mean_after < mean_before
    assert ablated_after < ablated_before
    assert greatest <= 0.9


@claim(
    "F29",
    "At (0,0) PC2 turns off neurons that ablation leaves on",
    published="24 off, 1 on",
    section="Project Summary, 4. MLP Activation & ReLU Impact",
    threshold="source",
    because="the published flips are 24 against 1; at least five times as many",
)
def test_pc2_turns_neurons_off_at_zero(model, evidence):
    off, on = addition.flips(model.pre[0], pc1_only(model).pre[0])
    evidence("neurons that PC2 turns off", off, published=24)
    evidence("neurons that PC2 turns on", on, published=1)
    assert off >= 5 * max(on, 1)


# ── attention and readout ────────────────────────────────────────────────────────────────────────────────────────


@claim(
    "F25",
    "All heads treat a and b alike",
    published="tenths of a percent",
    threshold="source",
    because='"tenths of a percent" is at most one percent',
)
def test_heads_treat_a_and_b_alike(model, evidence):
    mean = model.pattern.mean(0)
    difference = evidence("|mean attention to a - to b|, per head", (mean[:, 0] - mean[:, 1]).abs().tolist())
    assert all(d <= 0.01 for d in difference)


@claim(
    "F26",
    "Two heads ignore =, one gives it about 2 %, one about 12 %",
    published=("< 0.01", "< 0.01", 0.02, 0.12),
    threshold="source",
    because="the published patterns are below 0.01, below 0.01, 0.02 and 0.12",
)
def test_attention_to_equals(model, evidence):
    a, b, equals = model.pattern.mean(0).T
    evidence.plot("attention", "Mean attention per head", heads=range(len(a)), to_a=a, to_b=b, to_equals=equals)
    shares = evidence("mean attention to =, heads sorted by it", equals.sort().values.tolist())
    assert all(share <= 0.02 for share in shares[:2])
    assert shares[-1] >= 0.08


@claim(
    "F20",
    "Two principal components hold W_L",
    published=0.983,
    section="Project Summary, 5. Unembedding Readout",
    threshold="source",
    because="the published share is 0.983; rounded down to 0.95",
)
def test_two_components_hold_the_readout(model, evidence):
    both = evidence("share of the first two", components.pca(model.U).ratio[:2].sum(), published=0.983)
    assert both >= 0.95


@claim(
    "F28",
    "W_L is low-frequency over the logits: indices 1, 2, 3",
    published="1, 2, 3",
    section="Project Summary, 5. Unembedding Readout",
    threshold="convention",
    because="the source names the indices 1, 2, 3: together seven tenths of the power",
)
def test_readout_is_low_frequency(model, evidence):
    powers = addition.rfft_powers(model.U.T)
    indices = range(len(powers))
    evidence.plot("fourier_norms", "Norm of W_L per index of the FFT", frequencies=indices, norm=powers.sqrt())
    evidence("indices by power", powers.argsort(descending=True)[:4].tolist(), published="1, 2, 3")
    share = evidence("share of power in indices 1 … 3", powers[1:4].sum() / powers.sum())
    assert share >= 0.7


@claim(
    "F30",
    "At (0,0) the top 3 frequencies of the logits do not give the answer, the top 6 do",
    published="as said",
    threshold="source",
    because="the counts that the source names",
)
def test_six_frequencies_give_the_answer(model, evidence):
    logits = model.logits[0]
    # The source's loop keeps one coefficient more than it says unless the constant is among the strongest.
    evidence("answers of the top 1 … 10", [addition.rebuilt(logits, n).argmax().item() for n in range(1, 11)])
    of_three = evidence("answer of the top 3", addition.rebuilt(logits, 3).argmax())
    of_six = evidence("answer of the top 6", addition.rebuilt(logits, 6).argmax(), published=0)
    assert of_three != 0
    assert of_six == 0
