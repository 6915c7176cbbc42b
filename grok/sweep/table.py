"""One Parquet table of a sweep: a row a run, failed ones too, for pandas, polars and DuckDB.

It holds results only. Times, workers and attempts are in ``records.jsonl``, so that a sweep that was stopped, lost
workers, or ran on other machines of the same kind has the same table.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from grok.errors import GrokError
from grok.recipe import Recipe
from grok.sweep.plan import digest, without_seeds
from grok.sweep.store import FAILED, Store
from grok.train.record import COLUMNS
from grok.verdicts.runs import GROKKED_TEST_LOSS, solved

FITTED_TRAIN_LOSS = 0.01  # of ``steps_to_memorise``; it is the level of ``measure.trajectory.phases``
VERDICTS = "verdicts.json"
ROWS_PER_GROUP = 1000  # bounds memory: a 400-snapshot trajectory is 16 kB


def write(store: Store, path: Path) -> int:
    """Write the table of every stored run; returns the number of rows. Raises GrokError without pyarrow.

    Row order: by recipe, then by seed; it does not depend on the order in which runs finished.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise GrokError(
            f"{path} needs pyarrow: pip install 'grok-claims[cluster]', then the same command; no run is computed again"
        ) from None
    schema = _schema(pa)
    recipes = sorted(store.stored(), key=_order)
    temporary = path.with_name(f".{path.name}.tmp")
    with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for i in range(0, max(len(recipes), 1), ROWS_PER_GROUP):
            rows = [row(store.folder(r), r) for r in recipes[i : i + ROWS_PER_GROUP]]
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
    os.replace(temporary, path)
    return len(recipes)


def row(folder: Path, recipe: Recipe) -> dict[str, Any]:
    """What the table says of one run."""
    out = _identity(recipe)
    if (folder / FAILED).exists():
        return out | {"error": json.loads((folder / FAILED).read_text())["error"], "grokked": False}
    card = json.loads((folder / "card.json").read_text())
    trajectory = json.loads((folder / "trajectory.json").read_text())
    steps, columns, keys = trajectory["steps"], trajectory["columns"], trajectory["key_frequencies"]
    ended_solved = grokked(card)
    out |= {name: card[name] for name in ("device", "engine", "threads", "torch")}
    out |= {name: columns[name][-1] for name in COLUMNS if name in columns}
    out |= {
        "grokked": ended_solved,
        "steps_to_memorise": _first_below(steps, columns["train_loss"], FITTED_TRAIN_LOSS),
        "steps_to_grok": _first_below(steps, columns["test_loss"], GROKKED_TEST_LOSS) if ended_solved else None,
        "n_key_frequencies": None if keys is None else len(keys),
        "key_frequencies": keys,
        "model_sha256": card["sha256"]["model.safetensors"],
        "steps_recorded": steps,
    }
    out |= {f"{name}_by_step": columns[name] for name in COLUMNS if name in columns}
    return out | _verdicts(folder)


def grokked(card: dict[str, Any]) -> bool:
    """Whether the run ended solved; one whose test loss rose again above the threshold did not."""
    return solved({**card, "loss": card.get("recipe", {}).get("loss")})


def _verdicts(folder: Path) -> dict[str, Any]:
    path = folder / VERDICTS
    if not path.exists():
        return {}
    found = json.loads(path.read_text())
    claims = [{"claim": v["id"], "holds": v["holds"], "margin": v.get("margin")} for v in found]
    measures = [
        {"claim": v["id"], "measure": e["name"], "value": e["value"]}
        for v in found
        for e in v.get("evidence", ())
        if isinstance(e.get("value"), int | float)
    ]
    return {"claims": claims, "measures": measures}


def _identity(recipe: Recipe) -> dict[str, Any]:
    fields = recipe.to_json() | {name: getattr(recipe, name) for name in ("warmup", "loss", "activation")}
    fields |= fields.pop("task")
    fields["beta1"], fields["beta2"] = fields.pop("betas")
    return {"recipe": fields.pop("name"), "digest": digest(recipe)} | fields


def _order(recipe: Recipe) -> tuple[str, int, int]:
    point = json.dumps(without_seeds(recipe).to_json(), sort_keys=True)
    return (f"{recipe.name} {point}", recipe.seed, recipe.split_seed)


def _first_below(steps: list[int], losses: list[float | None], level: float) -> int | None:
    below = (s for s, loss in zip(steps, losses, strict=True) if loss is not None and loss < level)
    return next(below, None)


def _schema(pa: Any) -> Any:
    text, whole, real, flag = pa.string(), pa.int64(), pa.float64(), pa.bool_()
    claims = pa.list_(pa.struct([("claim", text), ("holds", flag), ("margin", real)]))
    measures = pa.list_(pa.struct([("claim", text), ("measure", text), ("value", real)]))
    return pa.schema(
        [(name, text) for name in ("recipe", "digest", "architecture", "operation")]
        + [
            (name, whole)
            for name in ("p", "steps", "seed", "split_seed", "d_model", "n_heads", "d_head", "d_mlp", "warmup")
        ]
        + [(name, real) for name in ("train_frac", "weight_decay", "lr", "beta1", "beta2", "eps")]
        + [
            ("loss", text),
            ("activation", text),
            ("error", text),
            ("device", text),
            ("engine", text),
            ("threads", whole),
            ("torch", text),
        ]
        + [("grokked", flag), ("steps_to_memorise", whole), ("steps_to_grok", whole)]
        + [(name, real) for name in COLUMNS]
        + [("n_key_frequencies", whole), ("key_frequencies", pa.list_(whole)), ("model_sha256", text)]
        + [("claims", claims), ("measures", measures), ("steps_recorded", pa.list_(whole))]
        # single precision: the plots' columns; trajectory.json has them in full
        + [(f"{name}_by_step", pa.list_(pa.float32())) for name in COLUMNS]
    )
