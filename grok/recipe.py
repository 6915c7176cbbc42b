"""The published recipes as data: what is trained, how, and from which seeds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from grok.errors import GrokError
from grok.task import Split, Task

Loss = Literal["cross-entropy", "squared error"]
CROSS_ENTROPY: Loss = "cross-entropy"
SQUARED_ERROR: Loss = "squared error"  # of the logits from 1 for the label and 0 for the others, mean over both
Activation = Literal["relu", "gelu"]
RELU: Activation = "relu"
GELU: Activation = "gelu"


@dataclass(frozen=True)
class Recipe:
    """Everything that determines a training run. Two equal recipes give the same run on the same machine.

    Full-batch AdamW on the train pairs. ``seed`` draws the initial weights, ``split_seed`` the train pairs.
    """

    name: str
    architecture: str  # its name in ``models.architectures``
    task: Task
    steps: int
    seed: int
    split_seed: int
    train_frac: float
    weight_decay: float = 1.0
    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = 1e-8
    d_model: int = 128
    n_heads: int = 4
    d_head: int = 32
    d_mlp: int = 512
    warmup: int = 0  # the rate of the update after t others is lr · min(t / warmup, 1)
    loss: Loss = CROSS_ENTROPY  # what is minimised
    activation: Activation = RELU  # of the neurons of an mlp or a transformer; the other architectures fix theirs
    # indices a·n + b of the train pairs, separated by spaces; without them split_seed and train_frac draw the pairs
    train_pairs: str = field(default="", repr=False)

    def rate(self, t: int) -> float:
        """Learning rate of the update that follows t others. With warm-up the first update changes nothing."""
        return self.lr * min(t / self.warmup, 1) if self.warmup else self.lr

    def with_seed(self, seed: int) -> Recipe:
        """An independent run of the recipe: its own initial weights *and* its own split.

        The published seed gives the published run, whose two seeds differ (999 and 598 for the transformers). Any other
        seed is used for both.
        """
        return self if seed == self.seed else replace(self, seed=seed, split_seed=seed)

    def split(self) -> Split:
        """Raises GrokError if ``train_pairs`` are not pairs of the task."""
        if self.train_pairs:
            return self.task.split_of([int(index) for index in self.train_pairs.split()])
        return self.task.split(self.split_seed, self.train_frac)

    def to_json(self) -> dict[str, Any]:
        """The recipe as plain JSON. ``from_json`` is the inverse. What older cards do not have is left out if usual."""
        written = asdict(self) | {"task": self.task.to_json()}
        usual = {"warmup": 0, "loss": CROSS_ENTROPY, "activation": RELU, "train_pairs": ""}
        return {key: value for key, value in written.items() if key not in usual or value != usual[key]}

    def differences(self, other: Recipe) -> dict[str, tuple[str, str]]:
        """Field → this recipe's value and the other's as short texts, where they differ. The names do not count."""
        ours, theirs = ({**asdict(recipe), **asdict(recipe.task)} for recipe in (self, other))
        names = [name for name in ours if name not in ("name", "task") and ours[name] != theirs[name]]
        return {name: (_brief(ours[name]), _brief(theirs[name])) for name in names}

    def changes(self, published: Recipe | None) -> str:
        """In what it differs from a published recipe, but for the seeds: ``p = 97 (published 113)``; may be empty."""
        if published is None:
            return ""
        found = self.differences(replace(published, seed=self.seed, split_seed=self.split_seed))
        return ", ".join(f"{field} = {ours} (published {theirs})" for field, (ours, theirs) in found.items())

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Recipe:
        """The recipe from JSON. Old cards and runs also have a ``source``, which is ignored: claims have their own."""
        known = {key: value for key, value in data.items() if key != "source"}
        return cls(**{**known, "task": Task(**data["task"]), "betas": tuple(data["betas"])})


def _brief(value: Any) -> str:
    if isinstance(value, float) and len(str(value)) > 8:
        return f"{value:.6g}"
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value) or "none"
    return text if len(text) <= 20 else f"{' '.join(text[:17].split())} …"


_MODADD = Task(p=113, operation="add_mod")

PUBLISHED = (
    Recipe(
        name="modadd-mlp",
        architecture="mlp",
        task=_MODADD,
        steps=50_000,
        seed=0,
        split_seed=0,
        train_frac=0.3,
        betas=(0.9, 0.95),
        n_heads=0,
        d_head=0,
    ),
    Recipe(
        name="modadd-transformer",
        architecture="transformer",
        task=_MODADD,
        steps=40_000,
        seed=999,
        split_seed=598,
        train_frac=0.3,
    ),
    Recipe(
        name="modsub-transformer",
        architecture="transformer",
        task=Task(p=113, operation="sub_mod"),
        steps=25_000,
        seed=999,
        split_seed=598,
        train_frac=0.3,
    ),
    Recipe(
        name="add-transformer",
        architecture="transformer",
        task=Task(p=10, operation="add"),
        steps=10_000,
        seed=999,
        split_seed=598,
        train_frac=0.72,
    ),
)

# Zhong et al. 2023 (arXiv 2306.17844), from the code and configurations of their two kinds of network. Their seeds are
# not known; ours are from 0.
PIZZA = tuple(
    Recipe(
        name=name,
        architecture=name,
        task=Task(p=59, operation="add_mod"),
        steps=20_000,
        seed=0,
        split_seed=0,
        train_frac=0.8,
        weight_decay=2.0,
        warmup=10,
    )
    for name in ("pizza-a", "pizza-b")
)

# Chughtai et al. 2023 (arXiv 2302.03025): an MLP with an embedding for each input, on Z_113 and on the permutations of
# five things.
C113_MLP = Recipe(
    name="c113-mlp",
    architecture="concat",
    task=_MODADD,
    steps=250_000,
    seed=1,
    split_seed=1,
    train_frac=0.3,
    d_model=256,
    n_heads=0,
    d_head=0,
    d_mlp=128,
)
S5_MLP = replace(C113_MLP, name="s5-mlp", task=Task(p=5, operation="symmetric"), train_frac=0.4)

# Gromov 2023 (arXiv 2301.02679): no embedding, quadratic neurons, squared error. AdamW's numbers and the initial
# weights are from the authors' code (d-doshi/Grokking, phase_diagrams_wd.py). Of its weight decays, 0, 5, 15 and 20,
# this is the least that is not 0; its seeds are not known.
QUAD_MLP = Recipe(
    name="quad-mlp",
    architecture="quadratic",
    task=Task(p=97, operation="add_mod"),
    steps=2_000,
    seed=0,
    split_seed=0,
    train_frac=0.5,
    weight_decay=5.0,
    lr=1e-2,
    d_model=0,
    n_heads=0,
    d_head=0,
    d_mlp=500,
    loss=SQUARED_ERROR,
)

FAMILIES = (*PUBLISHED, *PIZZA, C113_MLP, QUAD_MLP, S5_MLP)  # claims are made about their networks

# |K| of the run of each published seed. If no frequency stands out in the U of a network, its strongest ones stand
# for K, as many as the trained network of its family has key frequencies (``matched_count``).
_KEY_COUNTS = {
    ("mlp", "add_mod"): 14,
    ("transformer", "add_mod"): 5,
    ("transformer", "sub_mod"): 4,
    ("pizza-a", "add_mod"): 4,
    ("pizza-b", "add_mod"): 3,
    ("quadratic", "add_mod"): 48,  # all of them, about equally
    ("concat", "add_mod"): 13,
    ("concat", "symmetric"): 3,
}


def matched_count(architecture: str, task: Task) -> int | None:
    """The number of frequencies that stand for K in a network without key frequencies; None for an unknown family."""
    return _KEY_COUNTS.get((architecture, task.operation))


CONTROL_STEPS = 10_000
CONTROL = "-wd0"  # ends the name of a control run


def memorising(recipe: Recipe) -> Recipe:
    """The control run of a recipe: 10,000 steps without weight decay. It memorises and does not get further."""
    return replace(recipe, name=f"{recipe.name}{CONTROL}", weight_decay=0.0, steps=CONTROL_STEPS)


RECIPES: dict[str, Recipe] = {r.name: r for r in (*FAMILIES, *(memorising(r) for r in FAMILIES if r.task.modular))}


def get_recipe(name: str) -> Recipe:
    """The recipe of this name. Raises GrokError with the known names."""
    if name not in RECIPES:
        raise GrokError(f"unknown recipe {name!r}; known: {', '.join(RECIPES)}")
    return RECIPES[name]
