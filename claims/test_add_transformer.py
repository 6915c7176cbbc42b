"""Source F: plain addition of two digits, a + b without a modulus, by a one-layer transformer ("Fibonacci").

PC1, PC2, … are the principal components of E, the embedding of the ten digits, centred over its rows. U is the source's
W_L, transposed. The source ablates PC2 by keeping the mean and PC1 *only*, which removes PC3 … PC10 too; here that is
``pc1_only``. ``no_pc2`` removes PC2 alone. Ablations are computed from the weights, and a test compares them with those
by TransformerLens hooks.
"""

import math

import torch

from grok.claim import claim, source
from grok.measure import addition, certificate, components, losses, regression
from grok.measure.intervene import Activations, Intervention, by_hand, random_directions

pytestmark = source(
    "fibonacci",
    "Plain integer addition in a one-layer transformer",
    ref="notebook made from the Grokking demo of TransformerLens; it names no author",
    fixture="add-transformer",
)

DRAWS, CONTROL_SEED = 20, 0
R2_BINS = 20  # of a histogram over 0 … 1
PAIR_AXES = ("b", "a")


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


def table(values) -> torch.Tensor:
    """A value for each pair as a table over (a, b): [p²] → [p, p], rows a."""
    p = math.isqrt(len(values))
    return values.unflatten(0, (p, p))


def plot_errors(evidence, title, see, model, logits):
    errors = addition.error_table(logits, model.labels, model.task.p)
    evidence.plot("error_table", title, error=errors, see=see, axes=PAIR_AXES)


def plot_ablated(evidence, model, logits):
    see = "Too much where a digit is 0, too little where one is 9, nothing where both."
    plot_errors(evidence, "Predicted minus true sum with PC1 only", see, model, logits)


def plot_fits(evidence, title, r2):
    """R² of the fit of each neuron, sorted."""
    evidence.plot(
        "lines",
        title,
        x=range(1, len(r2) + 1),
        **{"R²": r2.sort(descending=True).values},
        see="The neurons are sorted; a neuron at 1 is fitted exactly.",
        axes=("neuron, by R²", "R² of the fit, at most 1"),
    )


def plot_shares(evidence, title, matrix):
    """The share of the variance on each principal component."""
    ratio = components.pca(matrix).ratio
    evidence.plot(
        "bars",
        title,
        x=range(1, len(ratio) + 1),
        share=ratio,
        see="The first two hold nearly all.",
        axes=("principal component", "share of variance, 0 to 1"),
    )


def plot_attention(evidence, see, mean):
    """Mean attention of each head, [h, 3]."""
    a, b, equals = mean.T
    evidence.plot(
        "attention",
        "Mean attention of each head over the pairs",
        heads=range(len(a)),
        **{"to a": a, "to b": b, "to =": equals},
        see=see,
        axes=("head", "mean attention, 0 to 1"),
    )


# ── the embedding ────────────────────────────────────────────────────────────────────────────────────────────────


@claim(
    "F1",
    "It adds",
    published=1.0,
    section="Standard Things to Try, the accuracy before the ablation of PC2",
    about="behaviour",
    threshold="source",
    because="the published accuracy is 1",
)
def test_it_adds(model, evidence):
    r"""The network has learned to add: of all pairs of digits, those that it was trained on and the others, it gives
    the right sum.

    Measured: the share of the 100 pairs whose greatest logit, of the 19 for the sums 0 to 18, is that of a + b.

    $$ \operatorname{argmax}_c L_c(a, b) = a + b $$"""
    evidence.plot(
        "matrix",
        "The sum that the network gives for each pair",
        see="It is a + b, the same along each diagonal.",
        sum=table(model.logits.argmax(1)),
        axes=PAIR_AXES,
    )
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
    r"""The ten digits are embedded in 128 dimensions, and lie almost in a plane: two directions hold nearly all that
    tells one digit from another.

    Measured: the share of the variance of W_E over the ten digits on its first principal component PC1, and on the
    first two. $\sigma_i$ are the singular values of W_E less its mean over the digits.

    $$ r_i = \frac{\sigma_i^2}{\sum_j \sigma_j^2}, \quad 0.6 \le r_1 \le 0.85, \quad r_1 + r_2 \ge 0.98 $$"""
    plot_shares(evidence, "Variance of the embedding on each principal component", model.W_E)
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
    r"""Along its first principal component the embedding is a number line: the digits stand in their order, at equal
    distances.

    Measured: $R^2$ of the best line through the scores of the ten digits t on PC1.

    $$ \text{PC1}(t) \approx \alpha t + \beta $$"""
    pc1, pc2 = components.pca(model.W_E).scores[:, :2].T
    digits = torch.arange(model.task.p)
    evidence.plot(
        "pcs",
        "Score of each digit on PC1 and PC2",
        see="PC1 is a line, PC2 a parabola.",
        tokens=digits,
        PC1=pc1,
        PC2=pc2,
        axes=("digit", "score on the component"),
    )
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
    r"""The second principal component tells the digits at the ends, 0 and 9, from those in the middle: it is a parabola
    over the digits, and has no slope.

    Measured: $R^2$ of the best polynomial of degree 2 through the scores of the ten digits t on PC2, and of the best
    line.

    $$ \text{PC2}(t) \approx \alpha t^2 + \beta t + \gamma $$"""
    pc1, pc2 = components.pca(model.W_E).scores[:, :2].T
    digits = torch.arange(model.task.p).double()
    evidence.plot(
        "planes",
        "The digits in the plane of PC1 and PC2",
        see="They stand in their order on a parabola.",
        embedding=torch.stack([pc1, pc2], dim=1),
        labels=[str(t) for t in range(model.task.p)],
        axes=("PC1", "PC2"),
    )
    r2 = regression.r2_of_fit(components.poly2(digits[:, None]), pc2[:, None])
    parabola = evidence("R² of a parabola in the digit", r2.item())
    line = evidence("R² of a line in the digit", addition.line(digits, pc2).r2)
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
    r"""As functions of the digit the columns of the embedding are slow: of all waves over ten points the one with a
    single period is strongest, and the one with two comes next.

    Measured: the norm over the columns of each index n of the real Fourier transform of W_E down the digits t, without
    the constant; the order of the indices by norm.

    $$ \hat W_n = \sum_{t=0}^{9} W_t \, e^{-2 \pi i n t / 10}, \quad
       \| \hat W_1 \| \ge \| \hat W_2 \| \ge \| \hat W_n \|, \; n \ge 3 $$"""
    norms = addition.rfft_powers(model.W_E).sqrt()
    evidence.plot(
        "fourier_norms",
        "Norm of the embedding on each index of its Fourier transform",
        see="Index 1 is strongest, index 2 comes next.",
        frequencies=range(1, len(norms)),
        norm=norms[1:],
        axes=("index n", "norm"),
    )
    order = evidence("indices by norm, without the constant", (1 + norms[1:].argsort(descending=True)).tolist())
    strongest = evidence("the two strongest indices", order[:2])
    assert strongest == [1, 2]


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
    r"""The parabola PC2 is needed, although it holds only a quarter of the embedding's variance: without it more than
    every second answer is wrong. It does not hurt as much to remove a random direction.

    Measured: the accuracy lost when the embedding x of a and of b keeps of its principal components only PC1, as the
    source does, and when PC2 alone is removed. The controls remove as many random directions, or move the embedding
    along them as far. m is the mean embedding, $v_1, v_2$ the components' directions.

    $$ x \to m + v_1 v_1^T (x - m), \quad x \to x - v_2 v_2^T (x - m) $$"""
    right = accuracy(model, model.logits)
    with_pc1 = evidence("accuracy with PC1 only", accuracy(model, pc1_only(model).logits), published=0.42)
    without_pc2 = evidence("accuracy with PC2 alone removed", accuracy(model, no_pc2(model).logits))
    controls = random_controls(model, range(1, model.task.p - 1))  # PC2 … PC9: ten centred rows have rank nine
    controls_alone = random_controls(model, [1])
    drop = evidence("accuracy lost with PC1 only", right - with_pc1, 0.58, control_draws=controls)
    alone = evidence("accuracy lost with PC2 alone removed", right - without_pc2, control_draws=controls_alone)
    most = evidence("most accuracy lost to as many random directions", max(controls))
    most_alone = evidence("most accuracy lost to one random direction", max(controls_alone))
    evidence.plot(
        "lines",
        "Accuracy lost without PC2, and by 40 random changes of the same rank",
        x=range(1, len(controls) + 1),
        **{
            "PC1 only": [drop] * len(controls),
            "as many random directions": sorted(controls),
            "PC2 alone removed": [alone] * len(controls),
            "one random direction": sorted(controls_alone),
        },
        see="The level lines, without PC2, are above the random changes, which are sorted.",
        axes=("random change, by what it costs", "accuracy lost, 0 to 1"),
    )
    assert drop >= 0.4
    assert alone >= 0.4
    assert drop > most
    assert alone > most_alone


@claim(
    "F6",
    "PC1 and PC2 suffice",
    published="the others are irrelevant",
    section="Standard Things to Try, the text below the scree plot",
    threshold="source",
    because="the source calls the others irrelevant: no answer changes",
)
def test_pc1_and_pc2_suffice(model, evidence):
    r"""The network needs of the embedding no more than the plane of its first two principal components.

    Measured: the accuracy on the 100 pairs when the embedding x of a and of b keeps its mean m and its parts along the
    directions $v_1, v_2$ of PC1 and PC2.

    $$ x \to m + v_1 v_1^T (x - m) + v_2 v_2^T (x - m) $$"""
    plane = Intervention(embedding=components.pca(model.W_E).keep([0, 1]))
    kept = by_hand(model, plane).logits
    plot_errors(evidence, "Predicted minus true sum with PC1 and PC2 only", "0 where they suffice.", model, kept)
    right = evidence("accuracy with PC3 … removed", accuracy(model, kept))
    assert right == 1


@claim(
    "F7",
    "Without PC2 it is off by at most 3, by exactly 3 only at (0,0) and (9,9)",
    published=(3, "(0,0), (9,9)"),
    section="Standard Things to Try, the text below the heatmap of errors",
    threshold="source",
    because="the two pairs and the error that the source names",
)
def test_ablated_errors_are_at_most_three(model, evidence):
    r"""Without the parabola PC2 the network still adds roughly. It is most wrong where both digits stand at an end.

    Measured: the predicted minus the true sum of each pair, with PC1 only (F5); the greatest absolute value, and the
    pairs that have it.

    $$ e(a, b) = \operatorname{argmax}_c L_c(a, b) - (a + b) $$"""
    logits = pc1_only(model).logits
    plot_ablated(evidence, model, logits)
    errors = addition.error_table(logits, model.labels, model.task.p)
    furthest = evidence("greatest |error|", errors.abs().max(), published=3)
    where = evidence("pairs off by exactly 3", (errors.abs() == 3).nonzero().tolist(), published="(0,0), (9,9)")
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
    r"""Without the parabola PC2 the network says too much wherever one digit is 0 and none is 9, and too little
    wherever one is 9 and none is 0. Where one is 0 and the other 9, the two errors cancel.

    Measured: the sign of the error of each pair at an edge, with PC1 only (F5): the number of pairs with a 0 whose
    error is not positive, with a 9 whose error is not negative, and with both whose error is not 0.

    $$ e(0, b) > 0 > e(9, b'), \quad b \ne 9, \; b' \ne 0, \quad e(0, 9) = e(9, 0) = 0 $$"""
    logits = pc1_only(model).logits
    plot_ablated(evidence, model, logits)
    p, errors = model.task.p, addition.error_table(logits, model.labels, model.task.p)
    a, b = model.task.pairs().T.unflatten(1, (p, p))
    low, high = (a == 0) | (b == 0), (a == p - 1) | (b == p - 1)
    wrong_low = evidence(
        "pairs with 0 and without the last digit, not over-predicted", (errors[low & ~high] <= 0).sum()
    )
    wrong_high = evidence(
        "pairs with the last digit and without 0, not under-predicted", (errors[high & ~low] >= 0).sum()
    )
    wrong_both = evidence("errors at the pairs of 0 and the last digit", (errors[low & high] != 0).sum())
    assert wrong_low == 0
    assert wrong_high == 0
    assert wrong_both == 0


@claim(
    "F9",
    "The residual path around the MLP is not needed for accuracy",
    published="1.0; loss orders of magnitude up",
    section="Project Summary, 2. The Necessity of PC2, and the text below the losses without the path",
    threshold="source",
    because='the published accuracy is 1; "orders of magnitude" is more than a factor of 10, and the loss stays small',
)
def test_skip_is_not_needed(model, evidence):
    r"""What reaches the logits around the neurons, through the residual path, makes the network more certain and not
    more right. The sum is computed by the neurons.

    Measured: the accuracy on the 100 pairs when the logits read the output of the MLP only, and the mean cross-entropy
    over that of the whole network. r is the residual stream before the MLP, $b_U$ the bias of the logits.

    $$ L = (r + \text{MLP}(r)) W_U + b_U \to \text{MLP}(r) W_U + b_U $$"""
    without = by_hand(model, Intervention(skip=False)).logits
    evidence.plot(
        "panels",
        "Margin of the right sum over the greatest other logit",
        see="Smaller without the residual path, and above 0 where the answer is right.",
        **{
            "whole network": table(certificate.margins_of(model.logits, model.labels)),
            "without the residual path": table(certificate.margins_of(without, model.labels)),
        },
        axes=PAIR_AXES,
    )
    right = evidence("accuracy without the residual path", accuracy(model, without), published=1.0)
    loss = evidence("loss without the residual path", losses.mean_loss(without, model.labels))
    ratio = evidence("loss without the residual path / loss", loss / losses.mean_loss(model.logits, model.labels))
    assert right == 1
    assert ratio > 10
    assert loss < 0.1


@claim(
    "F10",
    "Predictions without PC2 are linear in a + b, with slope 2/3 and intercept 3",
    published=(0.93, "2/3", 3),
    section="Standard Things to Try, the regression of the ablated predictions on the sum",
    threshold="source",
    because="the published R² is 0.93, and the hypothesis has slope 2/3 and intercept 3",
)
def test_ablated_predictions_are_linear_in_the_sum(model, evidence):
    r"""Without the parabola PC2 the network does not add wrongly at random. It gives a sum that is pulled to the
    middle: two thirds of the true one, plus 3.

    Measured: the best line through the predicted sums with PC1 only (F5) against the true sums, over the 100 pairs: its
    $R^2$, its slope and its intercept.

    $$ \operatorname{argmax}_c L_c(a, b) \approx \frac{2}{3} (a + b) + 3 $$"""
    predicted = pc1_only(model).logits.argmax(1)
    line = addition.line(model.labels, predicted)
    evidence.plot(
        "points",
        "Predicted against true sum with PC1 only",
        x=model.labels,
        **{
            "predicted": predicted,
            "best line": line.slope * model.labels + line.intercept,
            "line of the source": 2 / 3 * model.labels + 3,
        },
        see="The claim is that the best line is that of the source.",
        axes=("a + b", "predicted sum"),
    )
    r2 = evidence("R² of a line in the sum", line.r2, published=0.93)
    slope = evidence("slope", line.slope, published="hypothesis 2/3")
    intercept = evidence("intercept", line.intercept, published="hypothesis 3")
    off_slope = evidence("distance of the slope from 2/3", abs(slope - 2 / 3))
    off_intercept = evidence("distance of the intercept from 3", abs(intercept - 3))
    assert r2 >= 0.9
    assert off_slope <= 0.1
    assert off_intercept <= 0.5


@claim(
    "F11",
    "… and depend on a and b only by their sum",
    published="the same",
    section="Standard Things to Try, the regression of the ablated predictions on a and b",
    threshold="convention",
    because='"the same": a and b apart explain less than a thousandth more',
)
def test_ablated_predictions_depend_on_the_sum_only(model, evidence):
    r"""Without the parabola PC2 the network treats the two digits alike: as a linear function, what it predicts depends
    on a + b and not on a and b apart.

    Measured: $R^2$ of the best linear function of a and b, less that of the best line in a + b, for the predicted sums
    with PC1 only (F5).

    $$ R^2 ( \alpha a + \beta b + \gamma ) - R^2 ( \alpha' (a + b) + \gamma' ) \le 0.001 $$"""
    predicted = pc1_only(model).logits.argmax(1).double()
    evidence.plot(
        "matrix",
        "The sum that the network gives with PC1 only",
        see="It is the same for (a, b) and (b, a), and nearly the same along each diagonal.",
        sum=table(predicted),
        axes=PAIR_AXES,
    )
    apart = regression.r2_of_fit(components.linear(model.task.pairs().double()), predicted[:, None]).item()
    gain = evidence("R² gained by fitting a and b apart", apart - addition.line(model.labels, predicted).r2)
    assert gain <= 0.001


@claim(
    "F12",
    "PC2 does not linearly explain the error made without it",
    published='"didn\'t work"',
    section="Standard Things to Try, the regression of the error on PC2",
    threshold="convention",
    because='"didn\'t work": less than half of the variance is explained',
)
def test_pc2_does_not_explain_the_ablated_error(model, evidence):
    r"""One might think that PC2 is simply added, as a correction, to an answer that is otherwise linear. Then the error
    made without it would be a linear function of the PC2 of a and of b. The source tried this, and it failed.

    Measured: $R^2$ of the best linear function of PC2(a) and PC2(b) for the true minus the predicted sum with PC1
    only (F5); beside it that of the best polynomial of degree 2.

    $$ (a + b) - \operatorname{argmax}_c L_c(a, b) \approx \alpha \, \text{PC2}(a) + \beta \, \text{PC2}(b) + \gamma,
       \quad R^2 \le 0.5 $$"""
    error = (model.labels - pc1_only(model).logits.argmax(1)).double()[:, None]
    pc2 = scores(model)[:, 2:]
    evidence.plot(
        "points",
        "Error with PC1 only against PC2(a) + PC2(b)",
        see="The points lie on no line.",
        x=pc2.sum(1),
        error=error[:, 0],
        axes=("PC2(a) + PC2(b)", "true minus predicted sum"),
    )
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
    r"""What goes into a neuron's ReLU is a simple function of four numbers, the scores of a and of b on the first two
    principal components of the embedding: a polynomial of degree 2, although there is a softmax on the way.

    Measured: $R^2$ over the 100 pairs of the least-squares fit of each live neuron's input by all 15 monomials up to
    degree 2 of the four scores; the mean and the least over the neurons.

    $$ h_i \approx \beta_0 + \sum_j \beta_j x_j + \sum_{j \le l} \beta_{jl} x_j x_l, \quad
       x = ( \text{PC1}(a), \text{PC1}(b), \text{PC2}(a), \text{PC2}(b) ) $$"""
    r2 = regression.r2_of_fit(components.poly2(scores(model)), model.pre)
    plot_fits(evidence, "R² of a polynomial of degree 2 for each neuron before the ReLU", r2)
    mean = evidence("mean R² over live neurons", r2.mean(), published=0.998)
    least = evidence("least R² of a live neuron", r2.min(), published="> 0.99")
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
    r"""The products in F13 are needed: linear functions of the four scores leave a part of the neurons' inputs
    unexplained. With attention that does not change from pair to pair, the inputs would be exactly linear.

    Measured: $R^2$ of the least-squares fit of each live neuron's input by a linear function of the scores of a and b
    on PC1 and PC2; the mean over the neurons.

    $$ h_i \approx \beta_0 + \beta_1 \, \text{PC1}(a) + \beta_2 \, \text{PC1}(b) + \beta_3 \, \text{PC2}(a)
       + \beta_4 \, \text{PC2}(b) $$"""
    model.require_active_neurons()  # of none the R² is 0, which would say that they are not linear
    r2 = regression.r2_of_fit(components.linear(scores(model)), model.pre)
    plot_fits(evidence, "R² of a linear function for each neuron before the ReLU", r2)
    mean = evidence("mean R² over live neurons", r2.mean(), published=0.75)
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
    r"""The neurons' inputs do not change if a and b change places: of the polynomial of F13 only the sums of the scores
    of a and of b matter.

    Measured: $R^2$ of the least-squares fit of each live neuron's input by a constant and five features of the sums;
    the mean over the neurons.

    $$ u = \text{PC1}(a) + \text{PC1}(b), \; v = \text{PC2}(a) + \text{PC2}(b): \quad u, v, u^2, v^2, u v $$"""
    r2 = regression.r2_of_fit(components.symmetric(scores(model)), model.pre)
    plot_fits(evidence, "R² of five symmetric features for each neuron before the ReLU", r2)
    mean = evidence("mean R² over live neurons", r2.mean(), published=0.98)
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
    r"""The ReLU bends the neurons, but not by much: their outputs are still well fitted by a polynomial of degree 2 of
    the scores of a and b on PC1 and PC2.

    Measured: $R^2$ as in F13, of the activations after the ReLU; the mean over the live neurons.

    $$ \operatorname{ReLU}(h_i) \approx \beta_0 + \sum_j \beta_j x_j + \sum_{j \le l} \beta_{jl} x_j x_l, \quad
       x = ( \text{PC1}(a), \text{PC1}(b), \text{PC2}(a), \text{PC2}(b) ) $$"""
    r2 = regression.r2_of_fit(components.poly2(scores(model)), model.post)
    plot_fits(evidence, "R² of a polynomial of degree 2 for each neuron after the ReLU", r2)
    evidence("live neurons", len(r2))
    evidence("least R² of a live neuron", r2.min())
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
    r"""The network can be written down: replace each neuron's input by its polynomial of F13, apply the ReLU, and read
    the logits with the network's own weights U. The result gives the same logits and the same answers. The residual
    path and the biases are left out.

    Measured: $R^2$ of all these logits together, against those of the network; and their accuracy on the 100 pairs.

    $$ \hat L = \operatorname{ReLU}( \hat h ) \, U, \quad \hat h_i = \operatorname{poly}_2 (
       \text{PC1}(a), \text{PC1}(b), \text{PC2}(a), \text{PC2}(b) ) $$"""
    logits = regression.fit(components.poly2(scores(model)), model.pre).relu() @ model.U
    plot_errors(evidence, "Predicted minus true sum of the polynomials", "0 where they are right.", model, logits)
    r2 = evidence("R² of all logits", regression.r2_overall(model.logits, logits), published=0.988)
    right = evidence("accuracy of the polynomials", accuracy(model, logits))
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
    r"""The same as F17 without a ReLU: replace each neuron's output by a polynomial of degree 2. Then the whole network
    would be one polynomial, and would still give the right sums.

    Measured: $R^2$ of all logits together, against those of the network; and their accuracy on the 100 pairs.

    $$ \hat L = \hat g \, U, \quad \hat g_i = \operatorname{poly}_2 (
       \text{PC1}(a), \text{PC1}(b), \text{PC2}(a), \text{PC2}(b) ) \approx \operatorname{ReLU}(h_i) $$"""
    logits = regression.fit(components.poly2(scores(model)), model.post) @ model.U
    plot_errors(evidence, "Predicted minus true sum of the polynomials", "0 where they are right.", model, logits)
    r2 = evidence("R² of all logits", regression.r2_overall(model.logits, logits), published=0.966)
    right = evidence("accuracy of the polynomials", accuracy(model, logits), published="not computed")
    assert r2 >= 0.95
    assert right == 1


@claim(
    "F19",
    "Each logit is a degree-2 polynomial of the PCs",
    published=(0.96, 0.975),
    section="Standard Things to Try, the text below the fits of each logit",
    threshold="source",
    because="the published R², 0.96 at least and 0.975 in the mean, rounded down",
)
def test_each_logit_is_poly2(model, evidence):
    r"""Seen from outside, the logit of each sum is a simple function of where a and b lie in the plane of PC1 and PC2.

    Measured: $R^2$ over the 100 pairs of the least-squares fit of each of the 19 logits by all monomials up to degree
    2 of the four scores; the least and the mean.

    $$ L_c \approx \beta_0 + \sum_j \beta_j x_j + \sum_{j \le l} \beta_{jl} x_j x_l, \quad
       x = ( \text{PC1}(a), \text{PC1}(b), \text{PC2}(a), \text{PC2}(b) ) $$"""
    r2 = regression.r2_of_fit(components.poly2(scores(model)), model.logits)
    evidence.plot(
        "bars",
        "R² of a polynomial of degree 2 for the logit of each sum",
        x=range(len(r2)),
        **{"R²": r2},
        see="All are near 1.",
        axes=("sum c", "R² of the fit, at most 1"),
    )
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
    r"""What the parabola PC2 does to a neuron is simple: it moves the neuron's input up or down by an amount that is
    linear in the PC2 of a and of b.

    Measured: the difference of each neuron's input in the whole network and with PC1 only (F5), over the 100 pairs, and
    $R^2$ of its best linear function of PC2(a) and PC2(b); the median over the neurons whose input it changes.

    $$ h_i - h_i^{\text{PC1 only}} \approx \alpha_i \, \text{PC2}(a) + \beta_i \, \text{PC2}(b) + \gamma_i $$"""
    shift = model.pre - pc1_only(model).pre
    r2 = regression.r2_of_fit(components.linear(scores(model)[:, 2:]), shift)
    plot_fits(evidence, "R² of a line in PC2(a), PC2(b) for the shift of each neuron", r2)
    evidence("least R² of a neuron", r2.min())
    median = evidence("median R² over neurons", r2.median())
    assert median >= 0.9


# ── the sum in the neurons ───────────────────────────────────────────────────────────────────────────────────────


@claim(
    "F21",
    "The sum is widely distributed: more than 130 neurons correlate above 0.9 with it",
    published="> 130",
    section="Standard Things to Try, the text below the correlations with the sum",
    threshold="source",
    because="the published count: more than 130 neurons",
)
def test_the_sum_is_widely_distributed(model, evidence):
    r"""There is no single neuron for the sum: a quarter of all neurons goes up, or down, with a + b.

    Measured: the correlation over the 100 pairs of each neuron's activation after the ReLU with a + b; the number of
    neurons for which its absolute value is above 0.9.

    $$ r_i = \operatorname{corr} \left( \operatorname{ReLU}(h_i), a + b \right), \quad \lvert r_i \rvert > 0.9 $$"""
    r = addition.sum_correlations(model.post, model.labels)
    evidence.plot(
        "lines",
        "Correlation of each neuron with the sum",
        see="The neurons are sorted; those above 0.9 or below -0.9 count.",
        x=range(1, len(r) + 1),
        correlation=r.sort(descending=True).values,
        line=0.9,
        axes=("neuron, by correlation", "correlation with a + b, -1 to 1"),
    )
    evidence("neurons with r > 0.9", (r > 0.9).sum())
    count = evidence("neurons with |r| > 0.9", (r.abs() > 0.9).sum(), published="> 130")
    assert count > 130


@claim(
    "F22",
    "A linear probe reads the sum from the neurons",
    published="almost perfectly",
    section="Standard Things to Try, the text below the linear probe",
    threshold="convention",
    because='"almost perfectly" is an R² of at least 0.95',
)
def test_a_linear_probe_reads_the_sum(model, evidence):
    r"""A weighted sum of the neurons' activations gives a + b, also for pairs that it was not fitted to.

    Measured: $R^2$ on 30 % of the pairs, held out, of a linear regression of a + b on the activations g after the ReLU,
    fitted to the other 70 %. There are 512 activations and 70 pairs, so nearly any activations fit those pairs exactly.

    $$ a + b \approx \beta_0 + \sum_i \beta_i g_i $$

    No plot: the claim is one number, and the predicted sums would lie on a line for the controls too."""
    r2 = evidence("R² of the probe on held-out pairs", addition.probe_r2(model.post, model.labels))
    assert r2 >= 0.95


@claim(
    "F24",
    "The ReLU lowers linearity in the sum, with PC2 and without: then no neuron keeps R² > 0.9",
    section="Project Summary, 4. MLP Activation & ReLU Impact",
    threshold="source",
    because="the source says: lower in both, and no neuron keeps an R² above 0.9",
)
def test_relu_lowers_linearity_in_the_sum(model, evidence):
    r"""The ReLU is what is not linear in the sum. Before it a neuron is nearer to a line in a + b than after it, in the
    whole network and without the parabola PC2; and without PC2 no neuron is near a line after it.

    Measured: $R^2$ of the best line in a + b for each live neuron, before and after the ReLU, in the whole network and
    with PC1 only (F5); the means over the neurons, and the greatest after the ReLU with PC1 only.

    $$ h_i \approx \alpha_i (a + b) + \beta_i, \quad \operatorname{ReLU}(h_i) \approx \alpha'_i (a + b) + \beta'_i $$"""
    ablated = pc1_only(model)
    before, after, before_ablated, after_ablated = (
        addition.sum_linearity(activations, model.labels)
        for activations in (model.pre, model.post, ablated.pre, ablated.post)
    )
    evidence.plot(
        "bars",
        "How linear in the sum the neurons are, before and after the ReLU",
        x=[(i + 0.5) / R2_BINS for i in range(R2_BINS)],
        **{
            "before": before.histc(R2_BINS, 0, 1),
            "after": after.histc(R2_BINS, 0, 1),
            "before, PC1 only": before_ablated.histc(R2_BINS, 0, 1),
            "after, PC1 only": after_ablated.histc(R2_BINS, 0, 1),
        },
        see="After the ReLU the neurons are further left.",
        axes=("R² of a line in a + b", "number of neurons"),
    )
    mean_before = evidence("mean R² before the ReLU", before.mean())
    mean_after = evidence("mean R² after the ReLU", after.mean())
    ablated_before = evidence("mean R² before the ReLU, PC1 only", before_ablated.mean())
    ablated_after = evidence("mean R² after the ReLU, PC1 only", after_ablated.mean())
    greatest = evidence("greatest R² after the ReLU, PC1 only", after_ablated.max(), published="≤ 0.9")
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
    r"""How PC2 corrects the answer to 0 + 0: it pushes some neurons below zero, where the ReLU silences them. Without
    PC2 they stay on, and the answer is too large. It hardly turns any neuron on. In a network whose embedding has one
    principal component, as that of the number line, PC2 changes nothing and no neuron flips.

    Measured: at the pair (0, 0), the number of neurons whose input is positive with PC1 only (F5) and not in the whole
    network, and the number of those where it is the other way round.

    $$ \# \{ i : h_i \le 0 < h_i' \} \ge 5 \max ( 1, \# \{ i : h_i' \le 0 < h_i \} ),
       \quad h' = h^{\text{PC1 only}} $$"""
    whole, ablated = model.pre[0], pc1_only(model).pre[0]
    flipped = (whole > 0) != (ablated > 0)
    if flipped.any():
        evidence.plot(
            "bars",
            "Inputs at (0, 0) of the neurons that PC2 turns off or on",
            x=range(1, int(flipped.sum()) + 1),
            **{"whole network": whole[flipped], "PC1 only": ablated[flipped]},
            see="Most are positive with PC1 only and negative in the whole network: PC2 turns them off.",
            axes=("neuron that flips", "input of the ReLU"),
        )
    else:
        evidence("no plot", "PC2 turns no neuron off or on here")
    turned_off, turned_on = addition.flips(whole, ablated)
    off = evidence("neurons that PC2 turns off", turned_off, published=24)
    evidence("neurons that PC2 turns on", turned_on, published=1)
    least = evidence("five times those that PC2 turns on, at least 5", 5 * max(turned_on, 1))
    assert off >= least


# ── attention and readout ────────────────────────────────────────────────────────────────────────────────────────


@claim(
    "F25",
    "All heads treat a and b alike",
    published="tenths of a percent",
    section="Standard Things to Try, the text below the attention heatmaps",
    threshold="source",
    because='"tenths of a percent" is at most one percent',
)
def test_heads_treat_a_and_b_alike(model, evidence):
    r"""In the mean over all pairs each attention head looks as much at the first digit as at the second, as the order
    of the two does not matter to their sum.

    Measured: for each head the mean over the 100 pairs of its attention from the last position to a, less that to b.

    $$ \left| \frac{1}{100} \sum_{a, b} \left( A_{\to a}(a, b) - A_{\to b}(a, b) \right) \right| \le 0.01 $$"""
    mean = model.pattern.mean(0)
    plot_attention(evidence, "Each head gives a and b the same.", mean)
    difference = evidence("|mean attention to a - to b|, per head", (mean[:, 0] - mean[:, 1]).abs().tolist())
    assert all(d <= 0.01 for d in difference)


@claim(
    "F26",
    "Two heads ignore =, one gives it about 2 %, one about 12 %",
    published=("< 0.01", "< 0.01", 0.02, 0.12),
    section="Standard Things to Try, the text below the attention heatmaps",
    threshold="source",
    because="the published patterns are below 0.01, below 0.01, 0.02 and 0.12",
)
def test_attention_to_equals(model, evidence):
    r"""The last position, where the answer is read, holds the sign =. The heads differ in how much they look at it: two
    look at the digits only, and one gives it a good part of its attention.

    Measured: for each head the mean over the 100 pairs of its attention from the last position to itself. Sorted, the
    first two must be at most 0.02 and the last at least 0.08.

    $$ \bar A_{\to =} = \frac{1}{100} \sum_{a, b} A_{\to =}(a, b) $$"""
    mean = model.pattern.mean(0)
    plot_attention(evidence, "The heads differ in what they give to =.", mean)
    shares = evidence("mean attention to =, heads sorted by it", mean[:, 2].sort().values.tolist())
    greatest = evidence("greatest mean attention to = of a head", shares[-1])
    assert all(share <= 0.02 for share in shares[:2])
    assert greatest >= 0.08


@claim(
    "F20",
    "Two principal components hold W_L",
    published=0.983,
    section="Project Summary, 5. Unembedding Readout",
    threshold="source",
    because="the published share is 0.983; rounded down to 0.95",
)
def test_two_components_hold_the_readout(model, evidence):
    r"""Each of the 512 neurons adds to the 19 logits a profile, its row of W_L = W_out W_U. Nearly all profiles are
    mixtures of two.

    Measured: the share of the variance of the rows, centred over the neurons, on their first two principal components.
    $\sigma_i$ are the singular values of the centred matrix.

    $$ \frac{\sigma_1^2 + \sigma_2^2}{\sum_i \sigma_i^2} \ge 0.95 $$"""
    plot_shares(evidence, "Variance of W_L on each principal component", model.U)
    both = evidence("share of the first two components", components.pca(model.U).ratio[:2].sum(), published=0.983)
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
    r"""What a neuron adds to the logits changes slowly from one sum to the next: its profile over the 19 sums is made
    of waves with one to three periods.

    Measured: the power over the neurons of each index n of the real Fourier transform of W_L along the sums c, and the
    share of all power, constant included, in the indices 1 to 3.

    $$ \frac{\sum_{n=1}^{3} \| \hat W_n \|^2}{\sum_{n=0}^{9} \| \hat W_n \|^2} \ge 0.7, \quad
       \hat W_n = \sum_{c=0}^{18} W_c \, e^{-2 \pi i n c / 19} $$"""
    model.require_readout()
    powers = addition.rfft_powers(model.U.T)
    evidence.plot(
        "fourier_norms",
        "Norm of W_L on each index of its Fourier transform",
        see="Indices 1 to 3 stand out.",
        frequencies=range(len(powers)),
        norm=powers.sqrt(),
        axes=("index n, 0 is the constant", "norm"),
    )
    evidence("indices by power", powers.argsort(descending=True)[:4].tolist(), published="1, 2, 3")
    share = evidence("share of power in indices 1 … 3", powers[1:4].sum() / powers.sum())
    assert share >= 0.7


@claim(
    "F30",
    "At (0,0) the top 3 frequencies of the logits do not give the answer, the top 6 do",
    published="as said",
    section="Standard Things to Try, the text below the Fourier transform of the logits at (0,0)",
    threshold="source",
    because="the counts that the source names",
)
def test_six_frequencies_give_the_answer(model, evidence):
    r"""The logits of 0 + 0, as a function of the sum c, are made of a few waves. The three strongest give the shape but
    not yet the right answer; six do.

    Measured: the answer of the logits at (0, 0) rebuilt from the constant and the n strongest other indices $j \in J_n$
    of their real Fourier transform, whose coefficients are $\hat L_j$.

    $$ \tilde L_c = \frac{1}{19} \left( \hat L_0 + 2 \operatorname{Re} \sum_{j \in J_n} \hat L_j \,
       e^{2 \pi i j c / 19} \right) $$"""
    logits = model.logits[0]
    evidence.plot(
        "lines",
        "Logits of 0 + 0, whole and rebuilt from the strongest frequencies",
        x=range(len(logits)),
        **{"whole": logits, "top 3": addition.rebuilt(logits, 3), "top 6": addition.rebuilt(logits, 6)},
        see="The highest logit is the answer, which should be 0.",
        axes=("sum c", "logit"),
    )
    # The source's loop keeps one coefficient more than it says unless the constant is among the strongest.
    evidence("answers of the top 1 … 10", [addition.rebuilt(logits, n).argmax().item() for n in range(1, 11)])
    of_three = evidence("answer of the top 3", addition.rebuilt(logits, 3).argmax())
    of_six = evidence("answer of the top 6", addition.rebuilt(logits, 6).argmax(), published=0)
    assert of_three != 0
    assert of_six == 0
