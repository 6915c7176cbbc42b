"""Fixtures on disk: written atomically, and verified before anything in them is parsed.

A fixture folder holds ``model.safetensors`` (the final weights), ``checkpoints.safetensors`` (keys
``<step>/<matrix>``), ``trajectory.json`` and ``card.json``. The card is written last, so a folder with a card is
complete. It states the sha256 of the other files and its own: ``digest`` is the sha256 of the card's bytes with that
digest replaced by zeros. So every byte of a fixture is covered by a digest.

A fixture in the light form does not hold its initial weights. They are drawn again from the recipe's seed, and compared
with ``initial_sha256`` in the card.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from grok import files
from grok.errors import GrokError
from grok.models import matrices as weights
from grok.models.architectures import network
from grok.models.names import Weights
from grok.models.network import Network
from grok.recipe import RECIPES, Recipe
from grok.store.run import Run

SCHEMA = 1
MODEL, CHECKPOINTS, TRAJECTORY, CARD = "model.safetensors", "checkpoints.safetensors", "trajectory.json", "card.json"
CONTENTS = (MODEL, CHECKPOINTS, TRAJECTORY)
FINAL = "final"
INITIAL_SHA256 = "initial_sha256"  # a key of the card, where the initial weights are not held

_ZEROS = b"0" * 64
_DIGEST = re.compile(rb'^ "digest": "([0-9a-f]{64})"', re.MULTILINE)


@dataclass(frozen=True, eq=False)
class Fixture:
    """A trained model that ships with the project.

    card: the content of ``card.json``. ``card["checkpoints"]`` maps roles (``initial``, ``memorised``, …) to steps.
    weights: step → float32 matrices; the last step is the final model.
    run: the trajectory, with the final and the initial network.
    """

    folder: Path
    card: dict[str, Any]
    recipe: Recipe
    weights: dict[int, Weights]
    trajectory: dict[str, Any]
    _networks: dict[int, Network] = field(default_factory=dict, repr=False)

    @property
    def digest(self) -> str:
        """sha256 of the card, which covers every file."""
        return self.card["digest"]

    @property
    def roles(self) -> dict[str, int]:
        return {**self.card["checkpoints"], FINAL: self.recipe.steps}

    @property
    def run(self) -> Run:
        """Its initial network is None if the initial weights are neither held nor drawn here with the same bits."""
        there = "initial" in self.roles and (0 in self.weights or self._drawn() is not None)
        return Run.from_json(
            self.recipe, self.trajectory, self.network(FINAL), self.network("initial") if there else None
        )

    def network(self, which: str | int = FINAL) -> Network:
        """The network of a role or a step, with the recipe's split; the same object each time. Raises GrokError."""
        step = which if isinstance(which, int) else self.roles.get(which)
        if step == 0 and step not in self.weights and INITIAL_SHA256 in self.card:
            drawn = self._drawn()
            if drawn is None:
                raise GrokError(
                    f"{self.folder}: it holds no initial weights, and those drawn here from seed {self.recipe.seed} "
                    f"are not the run's: their sha256 is not {self.card[INITIAL_SHA256][:12]}….\n"
                    "Another version of torch, or a processor without AVX2, rounds the draw in another way"
                )
            self.weights[0] = drawn
        if step not in self.weights:
            known = ", ".join(f"{role} ({at})" for role, at in self.roles.items())
            raise GrokError(f"{self.folder}: no checkpoint {which!r}; it holds {known}")
        if step not in self._networks:
            self._networks[step] = network(
                self.weights[step], self.recipe.task, self.recipe.split(), activation=self.recipe.activation
            )
        return self._networks[step]

    def _drawn(self) -> Weights | None:
        """The initial weights of the recipe's seed; None if they are not those of the run."""
        drawn = weights.initial(self.recipe)
        return drawn if initial_sha256(self.recipe, drawn) == self.card[INITIAL_SHA256] else None


def initial_sha256(recipe: Recipe, initial: Weights) -> str:
    """sha256 of initial weights: of their float32 numbers, little-endian, in the order of ``matrices.shapes``."""
    return _sha256(weights.flatten(initial, recipe).numpy().astype("<f4").tobytes())


def save_fixture(
    folder: Path,
    recipe: Recipe,
    final: Weights,
    checkpoints: Mapping[int, Weights],
    roles: Mapping[str, int],
    trajectory: Mapping[str, Any],
    card_fields: Mapping[str, Any],
) -> None:
    """Write a fixture: float32 weights, one set for each step of ``checkpoints``, and the card last.

    Without a checkpoint of step 0 ``card_fields`` has its ``initial_sha256``, if ``roles`` names that step.
    Raises OSError. There is then no card, and ``load_fixture`` refuses the folder.
    """
    flat = {f"{step}/{name}": w for step, ws in checkpoints.items() for name, w in ws.items()}
    contents = {
        MODEL: save(_plain(final)),
        CHECKPOINTS: save(_plain(flat)),
        TRAJECTORY: _json(trajectory),
    }
    (folder / CARD).unlink(missing_ok=True)
    for name, data in contents.items():
        files.write_bytes(folder / name, data)
    card = {
        "schema": SCHEMA,
        "recipe": recipe.to_json(),
        "seed": recipe.seed,
        "steps": recipe.steps,
        **card_fields,
        "checkpoints": dict(roles),
        "sha256": {name: _sha256(data) for name, data in contents.items()},
        "digest": _ZEROS.decode(),
    }
    blank = _json(card, indent=1)
    files.write_bytes(folder / CARD, _DIGEST.sub(f' "digest": "{_sha256(blank)}"'.encode(), blank))


def load_fixture(folder: Path) -> Fixture:
    """Read a fixture. Every file is compared with its digest before it is parsed.

    Raises GrokError if a file is missing, damaged, of another recipe than the folder's, or not finite. The message
    names the file, says what was expected and found, and gives the command that makes the fixture again.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise GrokError(f"{folder}: no such fixture.\n{_remedy(folder)}")
    read = {name: _read(folder, name) for name in (CARD, *CONTENTS)}
    return parse(folder, read)


def parse(folder: Path, read: Mapping[str, bytes]) -> Fixture:
    """A fixture from the bytes of its files: ``load_fixture`` without reading the disk."""
    card = _card(folder, read[CARD])
    for name in CONTENTS:
        expected, found = card["sha256"].get(name), _sha256(read[name])
        if found != expected:
            raise _damaged(folder, name, f"its sha256 is {found[:12]}…, card.json says {str(expected)[:12]}…")
    recipe = Recipe.from_json(card["recipe"])
    named = _named(folder)
    if named is not None and named != (recipe.name, recipe.seed):
        raise _damaged(folder, CARD, f"it describes {recipe.name}, seed {recipe.seed}, not what the folder is named")
    by_step = {recipe.steps: load(read[MODEL])}
    for key, w in load(read[CHECKPOINTS]).items():
        step, name = key.split("/", 1)
        by_step.setdefault(int(step), {})[name] = w
    for at, ws in by_step.items():
        _check(folder, recipe, at, ws)
    held = {*by_step, 0} if INITIAL_SHA256 in card else by_step
    missing = [role for role, at in card["checkpoints"].items() if at not in held]
    if missing:
        raise _damaged(folder, CHECKPOINTS, f"it lacks the checkpoints {', '.join(missing)} that card.json names")
    return Fixture(folder, card, recipe, by_step, json.loads(read[TRAJECTORY]))


def _card(folder: Path, data: bytes) -> dict[str, Any]:
    stated = _DIGEST.findall(data)
    blank = _DIGEST.sub(b' "digest": "' + _ZEROS + b'"', data)
    if len(stated) != 1 or stated[0].decode() != _sha256(blank):
        raise _damaged(folder, CARD, "its bytes do not give the digest it states")
    card = json.loads(data)
    if card["schema"] != SCHEMA:
        raise _damaged(folder, CARD, f"its schema is {card['schema']!r}, expected {SCHEMA}")
    return card


def _check(folder: Path, recipe: Recipe, step: int, found: Weights) -> None:
    """Checks names, shapes, type and finiteness of one set of weights. Raises GrokError."""
    file = MODEL if step == recipe.steps else CHECKPOINTS
    expected = weights.shapes(recipe)
    if set(found) != set(expected):
        odd = ", ".join(sorted(set(found) ^ set(expected)))
        raise _damaged(folder, file, f"step {step} does not hold the matrices of {recipe.architecture}: {odd}")
    for name, shape in expected.items():
        w = found[name]
        if w.dtype != torch.float32 or tuple(w.shape) != shape:
            was = f"{w.dtype} {list(w.shape)}, expected float32 {list(shape)}"
            raise _damaged(folder, file, f"step {step}, {name} is {was}")
        if not torch.isfinite(w).all():
            raise _damaged(folder, file, f"step {step}, {name} holds NaN or infinity")


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise _damaged(folder, name, f"cannot be read ({error.strerror})") from None


def _damaged(folder: Path, name: str, what: str) -> GrokError:
    return GrokError(f"{folder / name}: {what}.\n{_remedy(folder)}")


def _remedy(folder: Path) -> str:
    """The command that makes the fixture, from the folder's name, because the card may be damaged."""
    recipe, seed = _named(folder) or ("RECIPE", "N")
    there = f"Restore it with git, or remove {folder} and run" if folder.exists() else "To make it, run"
    return f"{there}: grok train {recipe} --seed {seed} --out {folder}"


def _named(folder: Path) -> tuple[str, int] | None:
    """Recipe and seed of a folder ``…/<recipe>/seed<N>``; None for a folder with another name."""
    path = folder.resolve()
    match = re.fullmatch(r"seed(\d+)", path.name)
    return (path.parent.name, int(match[1])) if match and path.parent.name in RECIPES else None


def _plain(tensors: Mapping[str, Tensor]) -> Weights:
    return {name: w.detach().to("cpu", torch.float32).contiguous().clone() for name, w in tensors.items()}


def _json(data: Mapping[str, Any], indent: int | None = None) -> bytes:
    return (json.dumps(data, ensure_ascii=False, allow_nan=False, indent=indent) + "\n").encode()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
