"""A training run as claims see it: losses and progress measures over its steps, and its first and last network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from grok.errors import GrokError
from grok.models.network import Network
from grok.recipe import Recipe

SCHEMA = 1
Column = list[float | None]


@dataclass(frozen=True, eq=False)
class Run:
    """The subject of claims about training, as ``Network`` is the subject of claims about a network.

    steps: ascending, from 0 to the recipe's last. columns: one value for each step, None if the measure has no meaning.
    key_frequencies: K of the final model, None if it has none. Then measures that need K use ranked_frequencies, its
    strongest frequencies; if these are None too, the measures are None at every step.
    network, initial: the final and the untrained network; None if they are not kept (a control run keeps no initial).
    """

    recipe: Recipe
    steps: list[int]
    key_frequencies: tuple[int, ...] | None
    columns: dict[str, Column]
    network: Network | None = None
    initial: Network | None = None
    ranked_frequencies: tuple[int, ...] | None = None

    @property
    def rank_note(self) -> str | None:
        """A note if no frequency stands out and the strongest frequencies stand for K; None otherwise."""
        ranked = self.ranked_frequencies
        return None if ranked is None else f"{', '.join(map(str, ranked))} (by rank: no gap)"

    @classmethod
    def from_json(
        cls, recipe: Recipe, data: Mapping[str, Any], network: Network | None = None, initial: Network | None = None
    ) -> Run:
        """The inverse of ``to_json``. Raises GrokError for a column of another length, or another schema."""
        if data.get("schema") != SCHEMA:
            raise GrokError(f"the trajectory has schema {data.get('schema')!r}, expected {SCHEMA}")
        steps, columns, keys = data["steps"], data["columns"], data["key_frequencies"]
        for name, column in columns.items():
            if len(column) != len(steps):
                raise GrokError(f"trajectory column {name!r} has {len(column)} values, expected {len(steps)}")
        ranked = data.get("ranked_frequencies")
        return cls(
            recipe,
            list(steps),
            None if keys is None else tuple(keys),
            dict(columns),
            network,
            initial,
            None if ranked is None else tuple(ranked),
        )

    def to_json(self) -> dict[str, Any]:
        keys = None if self.key_frequencies is None else list(self.key_frequencies)
        ranked = {} if self.ranked_frequencies is None else {"ranked_frequencies": list(self.ranked_frequencies)}
        return {"schema": SCHEMA, "steps": self.steps, "key_frequencies": keys, **ranked, "columns": self.columns}
