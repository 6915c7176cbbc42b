"""``grok.load`` and ``grok.fixture``: a network, and all that is known of it, as one object."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from grok import published
from grok.errors import GrokError, NotEvaluable
from grok.measure import losses
from grok.models.architectures import recognise
from grok.models.network import Network
from grok.notebook.plots import Plots
from grok.recipe import get_recipe
from grok.store import checkpoint
from grok.store.checkpoint import Loaded
from grok.store.fixture import CARD, FINAL, Fixture, load_fixture


@dataclass(frozen=True, eq=False, repr=False)
class Model(Loaded):
    """A network from a file or a folder, with what was found there (``grok.store.checkpoint.Loaded``).

    network: the weights and every activation on all pairs, in float64; the functions of ``grok.measure`` read it.
    fixture: the folder that ``grok train`` made, with card, training run and checkpoints; None for a single file.
    checkpoint: which of its checkpoints this is, "final" unless ``at`` chose another one.
    """

    fixture: Fixture | None = None
    checkpoint: str | int = FINAL

    @property
    def name(self) -> str:
        """``modadd-mlp/seed0`` of a fixture, ``modadd-mlp/seed0 memorised`` of its checkpoint, or the file's name."""
        if self.fixture is None:
            return self.path.name
        of = f"{self.fixture.recipe.name}/seed{self.fixture.recipe.seed}"
        return of if self.checkpoint == FINAL else f"{of} {self.checkpoint}"

    @property
    def card(self) -> dict[str, Any]:
        """The fixture's ``card.json``: recipe, device, versions, losses, digests. Of a file, what was found in it."""
        if self.fixture is not None:
            return self.fixture.card
        return {
            "file": str(self.path),
            "format": self.format,
            "sha256": self.sha256,
            "recipe": self.recipe_name,
            "accuracy": self.accuracy,
            "notes": self.notes,
            "ignored_keys": self.ignored_keys,
        }

    @property
    def trajectory(self) -> dict[str, list[Any]]:
        """The training run: ``steps`` and a list as long for each column, such as ``test_loss``; None has no meaning.

        ``pandas.DataFrame(model.trajectory)`` makes a table of it. Raises GrokError for a single file.
        """
        run = self._fixture("training run").trajectory
        return {"steps": run["steps"], **run["columns"]}

    @property
    def checkpoints(self) -> dict[str, int]:
        """The checkpoints that ``at`` can choose: role → step. Raises GrokError for a single file."""
        return self._fixture("checkpoints").roles

    def at(self, which: str | int) -> Model:
        """The same run at another checkpoint: "initial", "memorised", …, or a step of ``checkpoints``.

        Raises GrokError for a single file, and for a checkpoint that the fixture does not hold.
        """
        network = self._fixture("checkpoints").network(which)
        parts = {"all": None, "train": network.train, "test": network.test}
        accuracy = {part: losses.accuracy(network.logits, network.labels, pairs) for part, pairs in parts.items()}
        return replace(self, network=network, accuracy=accuracy, checkpoint=which, notes=[])

    def hooked(self, dtype: torch.dtype = torch.float32) -> Any:
        """The network as a TransformerLens model, with ``run_with_cache`` and ``run_with_hooks``.

        logits, cache = model.hooked().run_with_cache(model.tokens())

        A transformer is TransformerLens's own ``TransformerBridge``, the other architectures are ``HookedRootModule``.
        Each call makes a new model, so that what you change in one stays there. The import takes seconds.
        """
        weights = {name: w.to(dtype) for name, w in self.network.weights.items()}
        from grok.models.hooked import definition

        return definition.hooked(weights, self.network.task, self.network.activation)

    def tokens(self) -> Tensor:
        """What ``hooked`` takes as input, for all pairs, a-major: ``a b =`` [n², 3] or ``a b`` [n², 2], int64."""
        definition = recognise(self.network.weights).definition()
        return definition.tokens(self.network.task) if hasattr(definition, "tokens") else self.network.task.pairs()

    @property
    def plot(self) -> Plots:
        """Its plots as plotly figures, for example ``model.plot.losses()`` and ``model.plot.fourier()``."""
        return Plots(self.name, self.network, None if self.fixture is None else self.trajectory)

    def __repr__(self) -> str:
        network = self.network
        share = f"right on {self.accuracy['test']:.2%} of the test pairs" if "test" in self.accuracy else None
        parts = (
            network.architecture,
            f"{network.task.operation} with p = {network.task.p}",
            f"{sum(w.numel() for w in network.weights.values()):,} parameters",
            share or f"right on {self.accuracy['all']:.2%} of all pairs",
            f"K = {_keys(network)}",
        )
        return f"<{self.name}: {', '.join(parts)}>"

    def _fixture(self, what: str) -> Fixture:
        if self.fixture is None:
            raise GrokError(f"{self.path}: a single file has no {what}; load the folder that `grok train` made")
        return self.fixture


def _keys(network: Network) -> str:
    try:
        return str(network.spectrum.keys)
    except (NotEvaluable, ValueError):  # no frequency stands out, or the task has no Fourier basis
        return "none"


def load(
    path: Path | str,
    recipe: str | None = None,
    split_seed: int | None = None,
    train_frac: float | None = None,
    index: int | None = None,
    split: Path | str | None = None,
) -> Model:
    """A model from a checkpoint of any layout in docs/checkpoints.md, or from a folder that ``grok train`` made.

    The arguments are those of ``grok verify``. Raises GrokError for a file that cannot be used. No code in it is run.
    """
    path = Path(path)
    loaded = checkpoint.load(path, recipe, split_seed, train_frac, index, None if split is None else Path(split))
    own = path.is_dir() and (path / CARD).is_file()
    return Model(**vars(loaded), fixture=load_fixture(path) if own else None)


def fixture(name: str, seed: int | None = None) -> Model:
    """A shipped network by its recipe, for example ``fixture("modadd-transformer", seed=1)``.

    seed: the published one if it is not given. Raises GrokError for an unknown recipe, or one that is not shipped with
    this seed; ``grok list`` shows all.
    """
    chosen = get_recipe(name)
    folder = published.root() / "fixtures" / name / f"seed{chosen.seed if seed is None else seed}"
    if not folder.is_dir():
        seeds = sorted(int(card.parent.name[4:]) for card in folder.parent.glob("seed*/card.json"))
        there = f"with the seeds {', '.join(map(str, seeds))}" if seeds else "not at all"
        raise GrokError(f"{name} is not shipped with seed {folder.name[4:]}, but {there}; see `grok list`")
    return load(folder)
