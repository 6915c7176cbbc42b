"""The light form of a fixture: what the claims need, and nothing that can be computed again from the recipe."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from grok.store.fixture import INITIAL_SHA256, initial_sha256, load_fixture, save_fixture

ROLES = ("initial", "memorised")  # the controls
_COMPUTED = ("schema", "recipe", "seed", "steps", "checkpoints", "sha256", "digest")  # save_fixture writes these


def lighten(source: Path, target: Path, roles: Collection[str] = ROLES) -> None:
    """Copy a fixture with its final weights, its trajectory and, of the checkpoints, those of ``roles``.

    *initial* keeps its place among the roles. Its weights are drawn again from the seed when they are asked for; the
    card has their digest. The files of the trajectory and of the final weights are the same bytes. Raises GrokError
    like ``load_fixture``, and OSError.
    """
    whole = load_fixture(source)
    steps = {role: step for role, step in whole.card["checkpoints"].items() if role in roles}
    kept = {step: whole.weights[step] for role, step in steps.items() if role != "initial"}
    card = {key: value for key, value in whole.card.items() if key not in _COMPUTED}
    if "initial" in steps and INITIAL_SHA256 not in card:
        card[INITIAL_SHA256] = initial_sha256(whole.recipe, whole.weights[0])
    save_fixture(target, whole.recipe, whole.weights[whole.recipe.steps], kept, steps, whole.trajectory, card)
