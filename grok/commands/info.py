"""``grok list`` and ``grok env``: the recipes and fixtures, and the versions and hardware."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from pathlib import Path

from grok.errors import GrokError

PACKAGES = ("grok-claims", "torch", "transformer_lens", "numpy", "safetensors", "triton", "pytest", "plotly", "ray")


def list_(cards: bool = False) -> int:
    """List the recipes, the shipped fixtures of each recipe, and the runs of yours under runs/.

    Args:
        cards: print the model cards as a Markdown table instead (the table of fixtures/README.md).
    """
    from grok.recipe import RECIPES

    if cards:
        print("\n".join(card_table(Path("fixtures"))))
        return 0
    print(f"{'recipe':<24}{'architecture':<13}{'p':>4}{'steps':>8}  fixtures (seed)")
    for recipe in RECIPES.values():
        seeds = [str(json.loads(card.read_text())["seed"]) for card in _cards(recipe.name)]
        shown = ", ".join(seeds) if len(seeds) <= 6 else f"{len(seeds)}: {', '.join(seeds[:4])}, …"
        print(f"{recipe.name:<24}{recipe.architecture:<13}{recipe.task.p:>4}{recipe.steps:>8}  {shown or '–'}")
    if listed := runs(Path("runs")):
        print("\nruns", *listed, sep="\n")
    print("\nclaims: pytest claims/ --collect-only -q; their verdicts: docs/claims.md")
    return 0


def env() -> int:
    """Print versions and hardware, for a bug report."""
    import torch

    print(f"{'python':<18}{platform.python_version()} on {platform.system()} {platform.machine()}")
    for package in PACKAGES:
        print(f"{package:<18}{_version(package)}")
    print(f"{'threads':<18}{torch.get_num_threads()}")
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    print(f"{'GPU':<18}{', '.join(gpus) or 'none'}")
    return 0


def runs(folder: Path) -> list[str]:
    """A line for each run FOLDER/RECIPE/seedN that `grok train` made or began, with what its recipe changes."""
    found = sorted({path.parent for path in (*folder.glob("*/seed*/card.json"), *folder.glob("*/seed*/work"))})
    return [_run(place) for place in found]


def _run(folder: Path) -> str:
    from grok.recipe import RECIPES, Recipe

    card, work = folder / "card.json", folder / "work" / "run.json"
    try:
        told = json.loads(card.read_text()) if card.exists() else None
        recipe = Recipe.from_json(told["recipe"] if told else json.loads(work.read_text())["recipes"][0])
        if told:
            state = f"{told['steps']:,} steps, test accuracy {told['test_accuracy']:.4f}"
        else:
            state = f"not finished; the same `grok train` goes on to {recipe.steps:,} steps"
    except (OSError, ValueError, KeyError, TypeError, GrokError) as error:
        return f"{folder}  it cannot be read: {type(error).__name__}"
    return "  ".join([str(folder), state, recipe.changes(RECIPES.get(recipe.name))]).rstrip()


def card_table(fixtures: Path) -> list[str]:
    """The lines of a Markdown table with a row for each fixture below this folder, made from its card."""
    from grok.recipe import RECIPES

    head = "| fixture | steps | device | torch | train loss | test loss | test accuracy | checkpoints |"
    lines = [head, "|---" * 8 + "|"]
    for recipe in RECIPES:
        for path in _cards(recipe, fixtures):
            card = json.loads(path.read_text())
            kept = ", ".join(f"{role} {step}" for role, step in card["checkpoints"].items()) or "–"
            figures = f"{card['train_loss']:.2e} | {card['test_loss']:.2e} | {card['test_accuracy']:.4f}"
            run = f"{card['steps']} | {card['device']} | {card['torch']}"
            lines.append(f"| {recipe}/seed{card['seed']} | {run} | {figures} | {kept} |")
    return lines


def _cards(recipe: str, fixtures: Path = Path("fixtures")) -> list[Path]:
    return sorted((fixtures / recipe).glob("seed*/card.json"), key=lambda card: (len(str(card)), str(card)))


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
