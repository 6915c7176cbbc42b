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
    """The subject of claims about training rather than about a network.

    steps: ascending, from 0 to the recipe's last; columns: one value per step, None where the measure has no meaning.
    key_frequencies: K of the final model, None if it has none. Measures that need K are then those of
    ranked_frequencies, its strongest frequencies, or None throughout if that is None too.
    network, initial: the final and the untrained network; None where they are not kept (a control run's initial).
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
        """How K was found, where no frequency stands out and it is the strongest ones; None otherwise."""
        ranked = self.ranked_frequencies
        return None if ranked is None else f"{', '.join(map(str, ranked))} (by rank: no gap)"

    @classmethod
    def from_json(
        cls, recipe: Recipe, data: Mapping[str, Any], network: Network | None = None, initial: Network | None = None
    ) -> Run:
        """Inverts ``to_json``. Raises GrokError if a column is not as long as the steps, or the schema is another."""
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
