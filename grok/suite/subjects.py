"""Which models and runs a claim is tried on: shipped seeds, controls, and the user's own checkpoints.

Nothing is read from disk before a test asks for it, and a subject forgets what it read when it is dropped.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grok.errors import GrokError, NotEvaluable
from grok.verdicts.verdict import Role

if TYPE_CHECKING:  # torch takes a second to import; a session without claims does not wait for it
    from grok.models.network import Network
    from grok.store.fixture import Fixture
    from grok.store.run import Run

FINAL, MEMORISED = "final", "memorised"  # roles of checkpoints in a fixture's card
GENERALISED = 1.0  # a control is one because its test loss is not below
DRAWS = 10  # of initial weights, a family: a claim that holds on any of them is vacuous


@dataclass(eq=False)
class Subject:
    """A model or run by name, loaded when first asked for. Raises GrokError if its fixture is missing or damaged."""

    name: str
    role: Role
    folder: Path
    at: str = FINAL  # the role of the checkpoint in the fixture's card
    plots: bool = True  # of many networks of one kind the plots of one are enough
    _fixture: Fixture | None = field(default=None, repr=False)

    @property
    def fixture(self) -> Fixture:
        if self._fixture is None:
            from grok.store.fixture import load_fixture

            self._fixture = load_fixture(self.folder)
        return self._fixture

    @property
    def network(self) -> Network:
        return self.fixture.network(self.at)

    @property
    def run(self) -> Run:
        return self.fixture.run

    def about(self) -> dict[str, Any]:
        """Seed, device and digest, of what is loaded."""
        if self._fixture is None:
            return {}
        card = self._fixture.card
        return {"seed": card["seed"], "device": card.get("device"), "digest": self._fixture.digest}

    def card(self) -> dict[str, Any] | None:
        """The fixture as verdicts.json lists it; None if it was not loaded."""
        if self._fixture is None:
            return None
        names = ("device", "torch", "steps", "train_loss", "test_loss", "train_accuracy", "test_accuracy")
        known = {name: self._fixture.card.get(name) for name in names}
        return {"fixture": self._fixture.recipe.name, **self.about(), **known}

    def drop(self) -> None:
        """Forget weights and activations."""
        self._fixture = None


class Untrained(Subject):
    """Initial weights that are drawn, not shipped: those of the seeds from that of the fixture on."""

    def __init__(self, recipe: str, folder: Path, draw: int):
        self.draw = draw
        super().__init__(f"{recipe}/untrained-seed{draw + int(folder.name[4:])}", "control", folder, plots=draw == 0)

    @cached_property
    def network(self) -> Network:  # type: ignore[override]
        from grok.models import matrices
        from grok.models.architectures import network

        recipe = self.fixture.recipe
        weights = matrices.initial(replace(recipe, seed=recipe.seed + self.draw))
        return network(weights, recipe.task, recipe.split())

    def about(self) -> dict[str, Any]:
        return {} if self._fixture is None else {"seed": self._fixture.recipe.seed + self.draw}

    def card(self) -> None:
        return None

    def drop(self) -> None:
        self.__dict__.pop("network", None)
        super().drop()


class Rival(Subject):
    """A network that solves the task of the fixture another way, written down and not shipped."""

    def __init__(self, recipe: str, folder: Path, rival: str):
        self.rival = rival
        super().__init__(f"{recipe}/{rival}", "rival", folder)

    @cached_property
    def network(self) -> Network:  # type: ignore[override]
        from grok.models import rivals
        from grok.models.architectures import network

        recipe = self.fixture.recipe
        try:
            weights = rivals.rival(recipe, self.rival)
        except ValueError as error:
            raise NotEvaluable(f"the rival does not fit this recipe: {error}") from None
        return network(weights, recipe.task, recipe.split())

    def about(self) -> dict[str, Any]:
        return {}

    def card(self) -> None:
        return None

    def drop(self) -> None:
        self.__dict__.pop("network", None)
        super().drop()


@dataclass(eq=False)
class Checkpoint:
    """The user's own model: a loaded file. It has no run."""

    name: str
    family: str
    notes: tuple[str, ...]
    network: Network
    digest: str
    role: Role = "checkpoint"
    plots: bool = True

    @property
    def run(self) -> Run:
        raise NotEvaluable("a checkpoint has no training run")

    def about(self) -> dict[str, Any]:
        return {"digest": self.digest}

    def card(self) -> None:
        return None

    def drop(self) -> None:
        pass


AnySubject = Subject | Checkpoint


@dataclass(frozen=True)
class Subjects:
    """What there is to try claims on. ``of_model`` and ``of_run`` give the same objects each time.

    seeds: "canonical" (the seed of the published recipe), "all" (every folder), or numbers with commas.
    checkpoints: if there are any, they take the place of the trained models; those of role control go with them.
    """

    fixtures: Path
    seeds: str = "canonical"
    checkpoints: tuple[Checkpoint, ...] = ()

    @functools.cache  # noqa: B019 - lives as long as the session
    def of_model(self, recipe: str | None) -> tuple[AnySubject, ...]:
        """For a claim about a network: the trained ones, then those on which it must fail.

        Controls are ten draws of initial weights, and every shipped seed at the moment when it had only memorised.
        """
        if recipe is None:
            return self.checkpoints
        there = self._canonical(recipe)
        return (
            *(self.checkpoints or self._trained(recipe)),
            *(Untrained(recipe, there, draw) for draw in range(DRAWS)),
            *self._memorised(recipe, there),
            *(Rival(recipe, there, name) for name in _rivals_of(recipe)),
        )

    def _memorised(self, recipe: str, canonical: Path) -> Iterator[Subject]:
        """Of the canonical seed whatever its folder holds: what is missing there is an error, not a silent gap."""
        for folder in dict.fromkeys([canonical, *_seed_folders(self.fixtures / recipe)]):
            if folder == canonical or _has(folder, MEMORISED):
                name = f"{recipe}/{MEMORISED}-{folder.name}"
                yield Subject(name, "control", folder, MEMORISED, plots=folder == canonical)

    @functools.cache  # noqa: B019
    def of_run(self, recipe: str | None) -> tuple[AnySubject, ...]:
        """For a claim about the run: those of the trained models, then the run without weight decay."""
        if self.checkpoints or recipe is None:
            return self.checkpoints
        memorising = f"{recipe}-wd0"
        folder = self._canonical(memorising)
        return (*self._trained(recipe), Subject(f"{memorising}/{folder.name}", "control", folder))

    @functools.cache  # noqa: B019
    def _trained(self, recipe: str) -> tuple[Subject, ...]:
        match self.seeds:
            case "canonical":
                folders = [self._canonical(recipe)]
            case "all":
                folders = _seed_folders(self.fixtures / recipe) or [self._canonical(recipe)]
            case listed:
                folders = [self.fixtures / recipe / f"seed{int(seed)}" for seed in listed.split(",")]
        return tuple(Subject(f"{recipe}/{folder.name}", "trained", folder) for folder in folders)

    def _canonical(self, recipe: str) -> Path:
        """The folder of the published seed; for a recipe that is not one of the published, the first there is."""
        from grok.recipe import RECIPES

        if recipe in RECIPES:
            return self.fixtures / recipe / f"seed{RECIPES[recipe].seed}"
        return next(iter(_seed_folders(self.fixtures / recipe)), self.fixtures / recipe / "seed0")


def _test_loss(model: Network) -> float:
    from grok.kernels.cross_entropy import losses

    return float(losses(model.logits[model.test], model.labels[model.test]).mean())


def _rivals_of(recipe: str) -> tuple[str, ...]:
    from grok.models.rivals import rivals_of
    from grok.recipe import RECIPES

    return rivals_of(RECIPES[recipe]) if recipe in RECIPES else ()


def _has(folder: Path, role: str) -> bool:
    """Whether the card of a fixture names a checkpoint; a card that cannot be read is not silently passed over."""
    try:
        return role in json.loads((folder / "card.json").read_text())["checkpoints"]
    except (OSError, ValueError, KeyError, TypeError):
        return True


def _seed_folders(parent: Path) -> list[Path]:
    numbered = [path for path in parent.glob("seed*") if re.fullmatch(r"seed\d+", path.name)]
    return sorted(numbered, key=lambda path: int(path.name[4:]))


def load_checkpoints(
    files: Sequence[str],
    controls: Sequence[str],
    recipe: str | None,
    split_seed: int | None,
    train_frac: float | None,
    index: int | None,
) -> tuple[Checkpoint, ...]:
    """The user's files, recognised: models to be tried, then controls of theirs.

    Raises GrokError for what cannot be loaded, if they are of two families, and for a control that generalised.
    """
    from grok.recipe import FAMILIES
    from grok.store import checkpoint

    known = ", ".join(recipe.name for recipe in FAMILIES)
    found = []
    files = [*files, *controls]
    for i, file in enumerate(files):
        loaded = checkpoint.load(Path(file), recipe=recipe, split_seed=split_seed, train_frac=train_frac, index=index)
        name = Path(file).name if len({f for f in files if Path(f).name == Path(file).name}) == 1 else file
        if loaded.recipe_name is None:
            raise GrokError(f"{file}: no source makes claims about such a model; the families with claims are {known}")
        control = i >= len(files) - len(controls)
        if control and (loss := _test_loss(loaded.network)) < GENERALISED:
            raise GrokError(f"{file} is no control: its test loss is {loss:.2g}, expected at least {GENERALISED:g}")
        role: Role = "control" if control else "checkpoint"
        found.append(Checkpoint(name, loaded.recipe_name, tuple(loaded.notes), loaded.network, loaded.sha256, role))
    if len({c.family for c in found}) > 1:
        families = ", ".join(f"{c.name} is {c.family}" for c in found)
        raise GrokError(f"--checkpoint: expected models of one family, found {families}; run them one by one")
    return tuple(found)
