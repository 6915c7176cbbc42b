"""Claims of Zhong et al. 2023, "The Clock and the Pizza" (arXiv 2306.17844), on networks that add or subtract modulo p.

A clock multiplies: its logits depend on s - c only, s the answer. A pizza adds the embeddings of a and b, and its
logits are weaker where a and b lie across the circle from each other. ``grok.measure.clock_pizza`` has the equations.
"""

from grok import views
from grok.claim import claim, source
from grok.measure import circles, clock_pizza, components, embedding, losses

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


def plot_embedding(evidence, model, see):
    evidence.plot(
        "bars",
        "Norm of W_E on each frequency",
        lambda: views.by_frequency(embedding.fourier_norms(model.W_E), model.key_frequencies),
        see=see,
        axes=("frequency k", "norm"),
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
        "mean share of one frequency in the first four PCs of W_E, 0 … 1", circles.circularity(model.W_E)
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


@claim(
    "Z5",
    "The embedding is a few circles",
    published="three circles, and three that accompany them",
    section="Table 1, and Accompanied and accompanying pizza; second-hand",
    threshold="convention",
    because='the published pizza has six circles, so that "a few" is at most eight; a gap of 3 as in K5',
    on=("pizza-a", "pizza-b"),
)
def test_the_embedding_is_a_few_circles(model, evidence):
    r"""Of the $(p - 1) / 2$ frequencies that the numbers could be placed on circles by, the embedding uses a handful,
    whichever of the two algorithms the network has. From the authors' file of their model A the same measure gives 6.

    Measured: how many of the strongest frequencies hold 0.95 of the squared norm of W_E, centred over the numbers t;
    $P_k$ is the squared norm of its part on $\cos w_k t$ and $\sin w_k t$. And the gap in U, the map from neurons to
    logits, that sets its key frequencies apart: the largest ratio of neighbours among its sorted powers.

    $$ \min \left\{ n : \sum_{i \le n} P_{k_i} \ge 0.95 \sum_k P_k \right\} \le 8,
       \quad P_{k_1} \ge P_{k_2} \ge \dots $$"""
    plot_embedding(evidence, model, "A few stand out; of these, those that U does not use are twice one that it uses.")
    evidence("share of W_E's power on the key frequencies", embedding.power_on(model.W_E, model.key_frequencies))
    gap = evidence("gap: largest ratio of neighbouring powers of U", model.spectrum.keys.gap)
    needed = evidence("frequencies that hold 0.95 of W_E's power", circles.strongest_holding(model.W_E, 0.95))
    assert needed <= 8
    assert gap >= 3


@claim(
    "Z6",
    "Each circle is accompanied by one of twice its frequency",
    published="three accompanied and three accompanying pizzas",
    section="Accompanied and accompanying pizza, second-hand",
    threshold="convention",
    because="to accompany is to have a tenth of the circle's power; each has 0.35 of it in the authors' model A",
    on=("pizza-a",),
)
def test_each_circle_is_accompanied(model, evidence):
    r"""A pizza is blind where a and b lie across the circle of k from each other, since their midpoint is then the
    centre. A second circle with the frequency 2k sees just these pairs best, and its midpoint is at the angle
    $w_k(a + b)$, so that it can speak for the same answer. The network is said to have such a circle for each.

    Measured: for each key frequency k of U the squared norm of W_E on the circle of 2k, over that on the circle of k;
    and the gap that sets the key frequencies apart.

    $$ \frac{P_{2k}}{P_k} \ge 0.1 \text{ for each } k \in K,
       \quad P_k = \| W_E^T \cos w_k t \|^2 + \| W_E^T \sin w_k t \|^2 $$"""
    plot_embedding(evidence, model, "Beside each key frequency k there is a lower bar at 2k, or at p - 2k.")
    p = model.task.p
    evidence("twice each key frequency", {k: circles.doubled(k, p) for k in model.key_frequencies})
    gap = evidence("gap: largest ratio of neighbouring powers of U", model.spectrum.keys.gap)
    found = circles.companions(model.W_E, model.key_frequencies)
    ratios = evidence("power of W_E on twice the frequency / on each key frequency", found)
    assert all(ratio >= 0.1 for ratio in ratios.values())
    assert gap >= 3


@claim(
    "Z7",
    "The network runs several imperfect pizzas in parallel",
    published="multiple, imperfect copies of the Pizza algorithm in parallel",
    section="Section 1",
    threshold="convention",
    because='"several" is two or more; "imperfect" is wrong on some pair by itself; together they are right on all',
    on=("pizza-a",),
)
def test_several_imperfect_pizzas_run_in_parallel(model, evidence):
    r"""No one circle adds all pairs rightly. The network has several of them at once, each a pizza of its own, and the
    sum of their logits is right on every pair.

    Measured: with nothing left of the embedding but its mean and the circle of one key frequency k, the share of pairs
    with the right answer, for each k; and, as in Z1a, the share of the logits that the pizza's formula explains, which
    must be greater than the clock's. The accuracy of the whole network. The number of key frequencies, which a gap must
    set apart.

    $$ |K| \ge 2, \quad \max_{k \in K} \text{acc}_k < 1, \quad \text{acc} = 1 $$"""
    gap = evidence("gap: largest ratio of neighbouring powers of U", model.spectrum.keys.gap)
    accuracy = evidence("accuracy of the whole network", losses.accuracy(model.logits, model.labels))
    copies = evidence("number of key frequencies", len(model.key_frequencies))
    assert gap >= 3
    assert accuracy == 1
    assert copies >= 2
    by_frequency = {k: circles.alone(model, k).accuracy for k in model.key_frequencies}
    evidence.plot(
        "bars",
        "Accuracy with one circle of the embedding",
        frequencies=list(by_frequency),
        accuracy=list(by_frequency.values()),
        see="Each circle alone is far from 1, and far above guessing.",
        axes=("key frequency k", "accuracy, 0 to 1"),
    )
    alone = evidence("accuracy with one circle left, for each key frequency", by_frequency)
    formulas = {c.frequency: c.pizza - c.clock for c in clock_pizza.circles(model)}
    ahead = evidence("FVE by the pizza's formula less that by the clock's, for each key frequency", formulas)
    assert all(share < 1 for share in alone.values())
    assert all(difference > 0 for difference in ahead.values())


@claim(
    "Z8",
    "A circle alone fails where a and b lie across it from each other",
    published="antipodal pairs are the weak point",
    section="Accompanied and accompanying pizza, second-hand",
    threshold="convention",
    because="to fail there is to be right at most half as often as where a and b are near each other",
    on=("pizza-a",),
)
def test_a_circle_fails_across(model, evidence):
    r"""A pizza takes the midpoint of the points of a and b, and its angle tells the answer. If they lie across the
    circle from each other the midpoint is near the centre, where every angle is close. A clock has no such weakness.

    Measured: with the circle of one key frequency k left of the embedding, the share of right answers on the pairs of
    the quarter of the distances d = a - b at which the midpoint is shortest, over the same on the quarter at which it
    is longest; for each k. The gap must set the key frequencies apart. The network must be right on every pair.

    $$ \frac{\text{acc}_k(d \in D_\text{across})}{\text{acc}_k(d \in D_\text{beside})} \le \frac{1}{2},
       \quad \text{by } \left| \cos \frac{w_k d}{2} \right| $$"""
    gap = evidence("gap: largest ratio of neighbouring powers of U", model.spectrum.keys.gap)
    accuracy = evidence("accuracy of the whole network", losses.accuracy(model.logits, model.labels))
    assert gap >= 3
    assert accuracy == 1
    found = [circles.alone(model, k) for k in model.key_frequencies]
    across = evidence("accuracy across, for each key frequency", {c.frequency: c.across for c in found})
    beside = evidence("accuracy beside, for each key frequency", {c.frequency: c.beside for c in found})
    evidence.plot(
        "bars",
        "Accuracy with one circle of the embedding",
        frequencies=list(across),
        across=list(across.values()),
        beside=list(beside.values()),
        see="The bars of the pairs across are at most half as high.",
        axes=("key frequency k", "accuracy, 0 to 1"),
    )
    ratios = {k: share / beside[k] if beside[k] else 1.0 for k, share in across.items()}
    ratio = evidence("accuracy across / beside, for each key frequency", ratios)
    assert all(x <= 0.5 for x in ratio.values())
