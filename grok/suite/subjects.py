"""Which subjects a claim is tried on: shipped seeds, controls, rivals, and the user's own checkpoints."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grok import published
from grok.errors import GrokError
from grok.suite.subject import MEMORISED, AnySubject, Checkpoint, Group, Rival, Subject, Untrained
from grok.verdicts.verdict import Role

if TYPE_CHECKING:
    from grok.models.network import Network

GENERALISED = 1.0  # a control is one because its test loss is not below
UNITS = (1, 2, 4)  # prime to any odd p; they make three networks of each rival, as if from three seeds
# Family → families whose published networks are rivals: the source of Z sets the pizza against the clock.
TRAINED_RIVALS = {"modadd-transformer": ("pizza-a",), "pizza-a": ("pizza-b",), "pizza-b": ("pizza-a",)}
DRAWS = 10  # of initial weights, a family: a claim that holds on any of them is vacuous


@dataclass(frozen=True)
class Subjects:
    """What there is to try claims on. Each method gives the same objects each time.

    seeds: "canonical" (the seed of the published recipe), "all" (every folder), or numbers with commas.
    checkpoints: if there are any, they replace the trained models; those with the role control are added to them.
    beside: the folder of the published networks, if they are to be shown beside a user's own. They decide nothing.
    """

    fixtures: Path
    seeds: str = "canonical"
    checkpoints: tuple[Checkpoint, ...] = ()
    beside: Path | None = None

    def asked_for(self, arguments: Sequence[str]) -> Callable[[str | None], tuple[AnySubject, ...]]:
        """family → subjects, for a claim with these arguments: ``models``, ``run``, or else ``model``."""
        if "models" in arguments:
            return self.of_seeds
        return self.of_run if "run" in arguments else self.of_model

    @functools.cache  # noqa: B019 - lives as long as the session
    def of_model(self, family: str | None) -> tuple[AnySubject, ...]:
        """For a claim about a network: the trained ones, then those on which it must fail.

        The controls are ten draws of initial weights, and the networks that had only memorised, of seeds that hold one.
        The rivals are written down, and some are trained (``TRAINED_RIVALS``).
        """
        if family is None:
            return self.checkpoints
        if not self.checkpoints and self._is_for_checkpoints(family):
            return ()
        there = self._canonical(family)
        return (
            *(self.checkpoints or self._trained(family)),
            *self._beside(family),
            *self._untrained(family),
            *self._memorised(family),
            *(Rival(family, there, name) for name in _rivals_of(family)),
            *self._trained_rivals(family),
        )

    @functools.cache  # noqa: B019 - as above
    def of_run(self, family: str | None) -> tuple[AnySubject, ...]:
        """For a claim about the run: those of the trained models, then the run without weight decay."""
        if self.checkpoints or family is None:
            return self.checkpoints
        if self._is_for_checkpoints(family):
            return ()
        memorising = f"{family}-wd0"
        folder = self._canonical(memorising)
        control = Subject(f"{memorising}/{folder.name}", family, "control", folder)
        own = (
            not _published(self.fixtures, family).is_dir() and not folder.is_dir()
        )  # a folder of the user's without such a run
        return (*self._trained(family), *self._beside(family), *(() if own else (control,)))

    @functools.cache  # noqa: B019 - as above
    def of_seeds(self, family: str | None) -> tuple[AnySubject, ...]:
        """For a claim that compares seeds: every shipped seed, whatever ``seeds`` says, then controls and rivals."""
        if self.checkpoints or family is None:
            return self.checkpoints
        if self._is_for_checkpoints(family) or published.lacks_seeds(self.fixtures):
            return ()
        there = self._canonical(family)
        folders = _seed_folders(self.fixtures / family) or [there]
        trained = tuple(Subject(f"{family}/{folder.name}", family, "trained", folder) for folder in folders)
        memorised = self._memorised(family)  # of none, if these are runs of the user's that stopped before
        return (
            Group(f"{family}/all-seeds", family, "trained", trained),
            Group(f"{family}/untrained-seeds", family, "control", self._untrained(family)),
            *([Group(f"{family}/memorised-seeds", family, "control", memorised)] if memorised else []),
            *(
                Group(f"{family}/{name}-seeds", family, "rival", tuple(Rival(family, there, name, u) for u in UNITS))
                for name in _rivals_of(family)
            ),
        )

    @functools.cache  # noqa: B019 - as above
    def _trained(self, family: str) -> tuple[Subject, ...]:
        match self.seeds:
            case "canonical":
                folders = [self._canonical(family)]
            case "all":
                folders = _seed_folders(self.fixtures / family) or [self._canonical(family)]
            case listed:
                folders = [self.fixtures / family / f"seed{int(seed)}" for seed in listed.split(",")]
        return tuple(Subject(f"{family}/{folder.name}", family, "trained", folder) for folder in folders)

    @functools.cache  # noqa: B019 - as above
    def _untrained(self, family: str) -> tuple[Subject, ...]:
        return tuple(Untrained(family, self._canonical(family), draw) for draw in range(DRAWS))

    @functools.cache  # noqa: B019 - as above
    def _memorised(self, family: str) -> tuple[Subject, ...]:
        """Of every seed that has one: a run of the user's may have stopped before. What is expected says which must."""
        if self._is_for_checkpoints(family):
            return ()
        canonical = self._canonical(family)
        folders = dict.fromkeys([canonical, *_seed_folders(self.fixtures / family)])
        return tuple(
            Subject(f"{family}/{MEMORISED}-{f.name}", family, "control", f, MEMORISED, plots=f == canonical)
            for f in folders
            if _has(f, MEMORISED)
        )

    def _trained_rivals(self, family: str) -> tuple[Subject, ...]:
        """The shipped networks of other families that solve this one's kind of task with another algorithm."""
        found = [(name, _published(self.fixtures, name)) for name in TRAINED_RIVALS.get(family, ())]
        return tuple(
            Subject(f"{family}/trained-{name}", family, "rival", folder) for name, folder in found if _solves(folder)
        )

    @functools.cache  # noqa: B019 - as above
    def _beside(self, family: str) -> tuple[Subject, ...]:
        if self.beside is None or not (folder := _published(self.beside, family)).is_dir():
            return ()
        return (Subject(f"published {family}/{folder.name}", family, "reference", folder),)

    def _canonical(self, family: str) -> Path:
        """The folder of the published seed; where there is none, as among runs of the user's, the first there is."""
        published = _published(self.fixtures, family)
        there = published.is_dir() and not _unfinished(published)
        return published if there else next(iter(_seed_folders(self.fixtures / family)), published)

    def _is_for_checkpoints(self, family: str) -> bool:
        """Whether no fixture of the family ships, so that its claims run on users' checkpoints only."""
        from grok.recipe import PUBLISHED

        return family not in {r.name for r in PUBLISHED} and not (self.fixtures / family).is_dir()


def _published(fixtures: Path, family: str) -> Path:
    """The folder of the published seed."""
    from grok.recipe import RECIPES

    seed = RECIPES[family].seed if family in RECIPES else 0
    return fixtures / family / f"seed{seed}"


def _test_loss(model: Network) -> float:
    from grok.kernels.cross_entropy import losses

    return float(losses(model.logits[model.test], model.labels[model.test]).mean())


def _rivals_of(family: str) -> tuple[str, ...]:
    from grok.models.rivals import rivals_of
    from grok.recipe import RECIPES

    return rivals_of(RECIPES[family]) if family in RECIPES else ()


def _has(folder: Path, role: str) -> bool:
    """Whether the card of a fixture names a checkpoint. True if the card cannot be read, so that this is reported."""
    try:
        return role in json.loads((folder / "card.json").read_text())["checkpoints"]
    except (OSError, ValueError, KeyError, TypeError):
        return True


def _solves(folder: Path) -> bool:
    """Whether a fixture is there and its card says that it is right on all pairs."""
    try:
        card = json.loads((folder / "card.json").read_text())
        return bool(card["train_accuracy"] == card["test_accuracy"] == 1)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _unfinished(folder: Path) -> bool:
    """Whether `grok train` still works here, or was stopped."""
    return (folder / "work").is_dir() and not (folder / "card.json").exists()


def _seed_folders(parent: Path) -> list[Path]:
    numbered = [p for p in parent.glob("seed*") if re.fullmatch(r"seed\d+", p.name) and not _unfinished(p)]
    return sorted(numbered, key=lambda path: int(path.name[4:]))


def load_checkpoints(files: Sequence[str], controls: Sequence[str], **options: Any) -> tuple[Checkpoint, ...]:
    """The user's files, loaded: models on which claims run, then the user's controls. options: of ``checkpoint.load``.

    Raises GrokError for a file that cannot be loaded, for files of two families, and for a control that generalised.
    """
    from grok.recipe import FAMILIES
    from grok.store import checkpoint

    known = ", ".join(recipe.name for recipe in FAMILIES)
    found = []
    files = [*files, *controls]
    for i, file in enumerate(files):
        loaded = checkpoint.load(Path(file), **options)
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
