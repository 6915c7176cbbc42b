"""A run as a row of a sweep's table, made from the files of its folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from grok.recipe import Recipe
from grok.sweep.plan import digest
from grok.train.record import COLUMNS
from grok.verdicts.runs import GROKKED_TEST_LOSS, solved

FAILED = "failed.json"
VERDICTS = "verdicts.json"
FITTED_TRAIN_LOSS = 0.01  # of ``steps_to_memorise``; it is the level of ``measure.trajectory.phases``


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
    path = folder / VERDICTS
    return out | (judged(json.loads(path.read_text())) if path.exists() else {})


def judged(found: list[dict[str, Any]]) -> dict[str, Any]:
    """The columns of a run's verdicts: id, holds, margin, evidence of each claim."""
    claims = [{"claim": v["id"], "holds": v["holds"], "margin": v.get("margin")} for v in found]
    measures = [
        {"claim": v["id"], "measure": e["name"], "value": e["value"]}
        for v in found
        for e in v.get("evidence", ())
        if isinstance(e.get("value"), int | float)
    ]
    return {"claims": claims, "measures": measures}


def grokked(card: dict[str, Any]) -> bool:
    """Whether the run ended solved; one whose test loss rose again above the threshold did not."""
    return solved({**card, "loss": card.get("recipe", {}).get("loss")})


def schema(pa: Any) -> Any:
    """The columns of the table, for the module pyarrow."""
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
        + [(name, text) for name in ("loss", "activation", "error", "device", "engine")]
        + [("threads", whole), ("torch", text)]
        + [("grokked", flag), ("steps_to_memorise", whole), ("steps_to_grok", whole)]
        + [(name, real) for name in COLUMNS]
        + [("n_key_frequencies", whole), ("key_frequencies", pa.list_(whole)), ("model_sha256", text)]
        + [("claims", claims), ("measures", measures), ("steps_recorded", pa.list_(whole))]
        # single precision: the plots' columns; trajectory.json has them in full
        + [(f"{name}_by_step", pa.list_(pa.float32())) for name in COLUMNS]
    )


def _identity(recipe: Recipe) -> dict[str, Any]:
    fields = recipe.to_json() | {name: getattr(recipe, name) for name in ("warmup", "loss", "activation")}
    fields |= fields.pop("task")
    fields["beta1"], fields["beta2"] = fields.pop("betas")
    return {"recipe": fields.pop("name"), "digest": digest(recipe)} | fields


def _first_below(steps: list[int], losses: list[float | None], level: float) -> int | None:
    below = (s for s, loss in zip(steps, losses, strict=True) if loss is not None and loss < level)
    return next(below, None)
