"""What a claim is tried on: a shipped model or run, initial weights that are drawn, a rival, a file of the user's.

Nothing is read from disk before a test asks for it, and a subject forgets what it read when it is dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grok.errors import NotEvaluable
from grok.verdicts.verdict import Role

if TYPE_CHECKING:  # torch takes a second to import; a session without claims does not wait for it
    from grok.models.network import Network
    from grok.recipe import Recipe
    from grok.store.fixture import Fixture
    from grok.store.run import Run

FINAL, MEMORISED = "final", "memorised"  # roles of checkpoints in a fixture's card


@dataclass(eq=False)
class Subject:
    """A model or run by name, loaded when first asked for. Raises GrokError if its fixture is missing or damaged.

    family: the recipe whose claims it is tried on.
    """

    name: str
    family: str
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
        from grok.recipe import CROSS_ENTROPY, RECIPES

        names = ("device", "torch", "steps", "train_loss", "test_loss", "train_accuracy", "test_accuracy")
        known = {name: self._fixture.card.get(name) for name in names}
        recipe = self._fixture.recipe
        learned = {"operation": recipe.task.operation, "p": recipe.task.p, "architecture": recipe.architecture}
        changes = recipe.changes(RECIPES.get(recipe.name))
        changed = {"changes": changes} if changes else {}
        other = {} if recipe.loss == CROSS_ENTROPY else {"loss": recipe.loss}
        return {"fixture": recipe.name, **learned, **self.about(), **known, **other, **changed}

    def drop(self) -> None:
        """Forget weights and activations."""
        self._fixture = None


class Made(Subject):
    """A network that no file holds: its weights are drawn or written down for the family's recipe."""

    @property
    def recipe(self) -> Recipe:
        """That of the family's fixture; for a family of which none is shipped, the one of its name."""
        from grok.recipe import RECIPES

        shipped = self.folder.is_dir() or self.family not in RECIPES  # a missing one is told by its own error
        return self.fixture.recipe if shipped else RECIPES[self.family]

    def card(self) -> None:
        return None

    def drop(self) -> None:
        self.__dict__.pop("network", None)
        super().drop()


class Untrained(Made):
    """Initial weights that are drawn, not shipped: those of the seeds from that of the fixture on."""

    def __init__(self, family: str, folder: Path, draw: int):
        self.draw = draw
        name = f"{family}/untrained-seed{draw + int(folder.name[4:])}"
        super().__init__(name, family, "control", folder, plots=draw == 0)

    @cached_property
    def network(self) -> Network:  # type: ignore[override]
        from grok.models import matrices
        from grok.models.architectures import network

        recipe = self.recipe
        weights = matrices.initial(replace(recipe, seed=recipe.seed + self.draw))
        return network(weights, recipe.task, recipe.split(), activation=recipe.activation)

    def about(self) -> dict[str, Any]:
        return {"seed": int(self.name.rpartition("seed")[2])} if "network" in self.__dict__ else {}


class Rival(Made):
    """A network that solves the task of the family another way, written down and not shipped."""

    def __init__(self, family: str, folder: Path, rival: str, unit: int = 1):
        self.rival, self.unit = rival, unit
        super().__init__(f"{family}/{rival}", family, "rival", folder)

    @cached_property
    def network(self) -> Network:  # type: ignore[override]
        from grok.models import rivals
        from grok.models.architectures import network

        recipe = self.recipe
        try:
            weights = rivals.rival(recipe, self.rival, self.unit)
        except ValueError as error:
            raise NotEvaluable(f"the rival does not fit this recipe: {error}") from None
        return network(weights, recipe.task, recipe.split(), activation=recipe.activation)

    def about(self) -> dict[str, Any]:
        return {}


@dataclass(eq=False)
class Group:
    """All networks of one kind of a family, for a claim that compares seeds.

    members: subjects with a network each. They are loaded and dropped in turn.
    """

    name: str
    family: str
    role: Role
    members: tuple[Subject, ...]
    plots: bool = True

    @property
    def networks(self) -> Iterator[Network]:
        """Each member's network in turn. Raises GrokError if a fixture is missing or damaged."""
        for member in self.members:
            yield member.network
            member.drop()

    def about(self) -> dict[str, Any]:
        return {}

    def card(self) -> None:
        return None

    def drop(self) -> None:
        pass


@dataclass(eq=False)
class Checkpoint:
    """The user's own model: a loaded file. It has no run, and is one network and no group."""

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

    @property
    def networks(self) -> Iterator[Network]:
        raise NotEvaluable("a checkpoint is one network; the claim compares seeds")

    def about(self) -> dict[str, Any]:
        return {"digest": self.digest}

    def card(self) -> None:
        return None

    def drop(self) -> None:
        pass


AnySubject = Subject | Group | Checkpoint
