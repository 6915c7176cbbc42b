"""The published recipes, as data: what is trained, how, and from which seeds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from grok.errors import GrokError
from grok.task import Split, Task


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training run; two equal recipes give the same run on the same machine.

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

    def with_seed(self, seed: int) -> Recipe:
        """An independent run of the recipe: its own initial weights *and* its own split.

        The published seed gives the published run, whose two seeds differ (999 and 598 for the transformers);
        any other seed is used for both.
        """
        return self if seed == self.seed else replace(self, seed=seed, split_seed=seed)

    def split(self) -> Split:
        return self.task.split(self.split_seed, self.train_frac)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; ``from_json`` inverts it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Recipe:
        """Cards and runs written before name the ``source`` of the recipe, too; claims name theirs themselves."""
        known = {key: value for key, value in data.items() if key != "source"}
        return cls(**{**known, "task": Task(**data["task"]), "betas": tuple(data["betas"])})


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

# Networks of the papers that can be loaded and trained. The project ships no fixtures of them.
OF_PAPERS = (
    Recipe(
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
    ),
    Recipe(
        name="s5-mlp",
        architecture="concat",
        task=Task(p=5, operation="symmetric"),
        steps=250_000,
        seed=1,
        split_seed=1,
        train_frac=0.4,
        d_model=256,
        n_heads=0,
        d_head=0,
        d_mlp=128,
    ),
)

# |K| of the run of each published seed. A network in whose U no frequency stands out is measured on as many of its
# strongest frequencies as the trained network of its family has key frequencies (``matched_count``).
_KEY_COUNTS = {
    ("mlp", "add_mod"): 14,
    ("transformer", "add_mod"): 5,
    ("transformer", "sub_mod"): 4,
    ("concat", "add_mod"): 13,
    ("concat", "symmetric"): 4,
}


def matched_count(architecture: str, task: Task) -> int | None:
    """How many frequencies stand for K in a network without key frequencies; None for a family that has no such run."""
    return _KEY_COUNTS.get((architecture, task.operation))


CONTROL_STEPS = 10_000


def memorising(recipe: Recipe) -> Recipe:
    """The control run of a recipe: no weight decay, 10,000 steps; it memorises and stays there."""
    return replace(recipe, name=f"{recipe.name}-wd0", weight_decay=0.0, steps=CONTROL_STEPS)


RECIPES: dict[str, Recipe] = {
    r.name: r for r in (*PUBLISHED, *(memorising(r) for r in PUBLISHED if r.task.modular), *OF_PAPERS)
}


def get_recipe(name: str) -> Recipe:
    """The recipe of this name. Raises GrokError with the known names."""
    if name not in RECIPES:
        raise GrokError(f"unknown recipe {name!r}; known: {', '.join(RECIPES)}")
    return RECIPES[name]
