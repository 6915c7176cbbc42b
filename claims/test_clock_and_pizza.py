"""Claims of Zhong et al. 2023, "The Clock and the Pizza" (arXiv 2306.17844), on networks that add or subtract modulo p.

A clock multiplies: its logits depend on s - c only, s the answer. A pizza adds the embeddings of a and b, and its
logits are weaker where a and b lie across the circle from each other. ``grok.measure.clock_pizza`` has the equations.
"""

from grok.claim import claim, source
from grok.measure import clock_pizza, components, losses

pytestmark = source(
    "zhong-2023",
    "Zhong et al. 2023, The Clock and the Pizza",
    ref="arXiv 2306.17844",
    url="https://arxiv.org/abs/2306.17844",
)

MODADD = ("modadd-mlp", "modadd-transformer", "c113-mlp")  # of the last, users' checkpoints only
CLOCKS = ("modadd-transformer", "modsub-transformer", "pizza-b")  # the source's model B has attention, its A has none
ROWS = 30  # of a heatmap over answer and distance: every second, third, … of each


def plot_circle(evidence, model):
    """The first circle's logits against both formulas."""

    def arrays():
        found = clock_pizza.profile(model, model.key_frequencies[0])
        return {
            "x": found.turns,
            "network, a at b": found.together,
            "network, a opposite b": found.opposite,
            "clock": found.clock,
            "pizza, a at b": found.pizza,
        }

    evidence.plot(
        "lines",
        "Mean logit of the first key frequency's circle by the distance of the answer from the right one",
        arrays,
        see="Where a lies opposite b a pizza's logits are flat, and a clock's are as elsewhere.",
        axes=("k (s - c) / p, turns", "mean logit, centred"),
    )


def plot_distance(evidence, model):
    """The correct logit less its mean over answer and distance, two decimals."""

    def arrays():
        correct = model.logits.gather(1, model.labels[:, None])[:, 0]
        table = clock_pizza.by_answer_and_distance(correct - correct.mean(), model.task)
        step = -(-model.task.p // ROWS)
        numbers = range(0, model.task.p, step)
        return {"x": numbers, "y": numbers, "logit": table[::step, ::step].mul(1e2).round().div(1e2)}

    answer, distance = ("a + b", "a - b") if model.task.sign > 0 else ("a - b", "a + b")
    evidence.plot(
        "matrix",
        "Logit of the right answer, less its mean, by answer and distance",
        arrays,
        see="A pizza's is nearly the same down each column. About 30 of the answers and distances are shown.",
        axes=(f"distance {distance}, modulo p", f"answer {answer}, modulo p"),
    )


def plot_gradients(evidence, cosines):
    evidence.plot(
        "lines",
        "Cosine of the two gradients of each triple",
        x=range(1, len(cosines) + 1),
        cosine=cosines.sort(descending=True).values,
        see="The triples are sorted; in a pizza nearly all are at 1.",
        axes=("triple (a, b, c), by cosine", "cosine, -1 to 1"),
    )


@claim(
    "Z1",
    "Clock, not pizza: the logits of one circle are better explained by the clock's formula",
    published="pizza's model A: 0.75 clock, 0.99 pizza",
    section="Section 4.2 and Table 1",
    threshold="source",
    because="the source tells the two apart by which formula explains more, for each circle",
    on=(*MODADD, "pizza-b"),
)
def test_each_circle_is_a_clock(model, evidence):
    r"""Two ways to add on a circle. A clock adds the angles of a and b by multiplication; it does not matter where the
    two lie. A pizza takes the midpoint of the two points; that is short, and the answer is weak, where they lie across
    the circle from each other. The network is said to be a clock.

    Measured: for each key frequency k, of the embedding only its mean and its circle of k is left, its part on $\cos
    w_k t$ and $\sin w_k t$. Of the logits that result, centred over c for each pair, the share of the squared norm
    (FVE) that one multiple of each formula explains. s is the answer, d the distance: a - b where the task is to add.

    $$ \text{clock: } \cos w_k(s - c), \quad
       \text{pizza: } \left| \cos \frac{w_k d}{2} \right|
       \left( \left| \cos \frac{w_k(s - c)}{2} \right| - \left| \sin \frac{w_k(s - c)}{2} \right| \right) $$"""
    plot_circle(evidence, model)
    solves = losses.accuracy(model.logits, model.labels) == 1
    found = []
    for k in model.key_frequencies:
        found.append(clock_pizza.circle(model, k))
        if not solves and found[-1].clock <= found[-1].pizza:
            break  # that one decides; of a network that solves the task all are of interest
    clock = evidence("FVE by the clock's formula, for each key frequency", {c.frequency: c.clock for c in found})
    pizza = evidence("FVE by the pizza's formula, for each key frequency", {c.frequency: c.pizza for c in found})
    evidence("clock, as the source scores it (2r - 1)", {k: clock_pizza.z_scored(x) for k, x in clock.items()})
    evidence("pizza, as the source scores it", {k: clock_pizza.z_scored(x) for k, x in pizza.items()})
    assert all(share > other for share, other in zip(clock.values(), pizza.values(), strict=True))


@claim(
    "Z2",
    "The correct logit depends on the answer, and not on the distance of a and b alone",
    published="clock: 0.4 … 1; pizza: 0 … 0.4",
    section="Section 4.1, Definition 4.2",
    threshold="source",
    because="the source's line between clock and pizza is a distance irrelevance of 0.4",
    on=CLOCKS,
)
def test_distance_is_irrelevant(model, evidence):
    r"""How sure the network is of the right answer depends, in a pizza, on how far a and b lie apart; in a clock it
    does not. So in a clock the right logit varies as much among pairs of the same distance as among all pairs.

    Measured: the right answer's logit as a function of the answer s and of the distance d (a - b for addition, a + b
    for subtraction, modulo p): the mean over d of its standard deviation over s, over its standard deviation over all
    pairs. The paper calls this distance irrelevance; it is 0 if only the distance matters, 1 if it does not matter.

    $$ q = \frac{\frac{1}{p} \sum_d \operatorname{std}_s L_s(s, d)}{\operatorname{std}_{s, d} L_s(s, d)} \ge 0.4 $$"""
    q = evidence("distance irrelevance, 0 … 1", clock_pizza.distance_irrelevance(model))
    plot_distance(evidence, model)
    assert q >= 0.4


@claim(
    "Z3",
    "The gradients by the two embeddings differ",
    published="clock: 0.334; pizza: 0.994",
    section="Section 4.1, Definition 4.1",
    threshold="source",
    because="the source's line between clock and pizza is a gradient symmetricity of 0.98",
    on=(*MODADD, "modsub-transformer", "add-transformer", "pizza-b"),
)
def test_gradients_are_not_symmetric(model, evidence):
    r"""A network that reads only the sum of the embeddings of a and b, as a pizza does, has the same gradient by both.
    A network that multiplies them, as a clock does, has not. An MLP that adds its two embeddings has the same gradient
    by construction.

    Measured: the mean over 100 triples (a, b, c), drawn once from a fixed seed, of the cosine of the angle between the
    gradients of the logit of c by the embedding $E_a$ and by the embedding $E_b$. The paper calls this gradient
    symmetricity.

    $$ \frac{1}{100} \sum_{(a, b, c)} \cos \angle \left( \frac{\partial L_c}{\partial E_a},
       \frac{\partial L_c}{\partial E_b} \right) \le 0.98 $$"""
    cosines = clock_pizza.gradient_cosines(model)
    plot_gradients(evidence, cosines)
    symmetricity = evidence("gradient symmetricity, -1 … 1", float(cosines.mean()))
    assert symmetricity <= 0.98


@claim(
    "Z4",
    "The embedding is circles",
    published=0.9978,
    section="Appendix B",
    threshold="source",
    because="the source calls 0.995 and more circular",
    on=(*MODADD, "modsub-transformer", "pizza-a", "pizza-b"),
)
def test_the_embedding_is_circles(model, evidence):
    r"""In the planes of its first principal components the embedding places the numbers on circles, each number t at
    the angle $w_k t$ for the frequency k of the plane.

    Measured: for each of the first four principal components of W_E the scores $u_i(t)$ of the numbers, scaled to norm
    one, and the greatest share of them that is a wave of one frequency; the mean over the four. The paper calls this
    circularity.

    $$ \frac{1}{4} \sum_{i=1}^{4} \max_k \frac{2}{p} \left| \sum_t u_i(t) \, e^{2 \pi j k t / p} \right|^2
       \ge 0.995, \quad j = \sqrt{-1} $$"""
    evidence.plot(
        "planes",
        "The numbers in the planes of the first four components",
        see="Circles, if each pair of components is of one frequency.",
        **{f"PC{i + 1} and PC{i + 2}": lambda i=i: components.pca(model.W_E).scores[:, i : i + 2] for i in (0, 2)},
        axes=("score on the first of the two", "score on the second"),
    )
    circularity = evidence(
        "mean share of one frequency in the first four PCs of W_E, 0 … 1", clock_pizza.circularity(model.W_E)
    )
    assert circularity >= 0.995


# The same measures on the network with constant attention, which is a pizza.


@claim(
    "Z1a",
    "Pizza, not clock: the logits of one circle are the pizza's formula",
    published=(0.9831, 0.9841),
    section="Table 1, and 0.992 in the text",
    threshold="convention",
    because="the published shares, as the source scores them, are 0.98 for the pizza and 0.75 for the clock",
    on=("pizza-a",),
)
def test_each_circle_is_a_pizza(model, evidence):
    r"""A pizza adds on a circle by taking the midpoint of the points of a and of b. Its logits are weak where the two
    lie across the circle from each other. A clock, which multiplies, has no such weakness (Z1). This network, whose
    attention is constant and so cannot multiply, is said to be a pizza.

    Measured: as Z1, for each key frequency k with only its circle left of the embedding: the share of the squared norm
    of the centred logits (FVE) that one multiple of each formula explains. s = a + b, d = a - b.

    $$ \text{clock: } \cos w_k(s - c), \quad
       \text{pizza: } \left| \cos \frac{w_k d}{2} \right|
       \left( \left| \cos \frac{w_k(s - c)}{2} \right| - \left| \sin \frac{w_k(s - c)}{2} \right| \right) $$"""
    plot_circle(evidence, model)
    found = clock_pizza.circles(model)
    pizza = evidence("FVE by the pizza's formula, for each key frequency", {c.frequency: c.pizza for c in found})
    clock = evidence("FVE by the clock's formula, for each key frequency", {c.frequency: c.clock for c in found})
    assert all(share >= 0.95 for share in pizza.values())
    assert all(share <= 0.85 for share in clock.values())


@claim(
    "Z2a",
    "The correct logit depends on the distance of a and b",
    published=0.1717,
    section="Section 4.1, Definition 4.2",
    threshold="source",
    because="the source's line between clock and pizza is a distance irrelevance of 0.4",
    on=("pizza-a",),
)
def test_distance_matters(model, evidence):
    r"""How sure the network is of the right answer depends mostly on how far a and b lie apart on the circle, as it
    does in a pizza (Z1a).

    Measured: as Z2, the right answer's logit as a function of the answer s = a + b and of the distance d = a - b,
    modulo p: the mean over d of its standard deviation over s, over its standard deviation over all pairs. It is 0 if
    only the distance matters, 1 if it does not matter.

    $$ q = \frac{\frac{1}{p} \sum_d \operatorname{std}_s L_s(s, d)}{\operatorname{std}_{s, d} L_s(s, d)} \le 0.4 $$"""
    q = evidence("distance irrelevance, 0 … 1", clock_pizza.distance_irrelevance(model))
    plot_distance(evidence, model)
    assert q <= 0.4


@claim(
    "Z3a",
    "The gradients by the two embeddings agree",
    published=0.9937,
    section="Section 4.1, Definition 4.1",
    threshold="convention",
    because="the published network has 0.9937; to agree is 0.95",
    on=("pizza-a",),
)
def test_gradients_are_symmetric(model, evidence):
    r"""The network reads the embeddings of a and b nearly as their sum, so that its gradients by the two agree, as they
    do in a pizza.

    Measured: as Z3, the mean over 100 triples (a, b, c), drawn once from a fixed seed, of the cosine of the angle
    between the gradients of the logit of c by the embedding $E_a$ and by the embedding $E_b$.

    $$ \frac{1}{100} \sum_{(a, b, c)} \cos \angle \left( \frac{\partial L_c}{\partial E_a},
       \frac{\partial L_c}{\partial E_b} \right) \ge 0.95 $$"""
    cosines = clock_pizza.gradient_cosines(model)
    plot_gradients(evidence, cosines)
    symmetricity = evidence("gradient symmetricity, -1 … 1", float(cosines.mean()))
    assert symmetricity >= 0.95
