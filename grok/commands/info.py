"""``grok list`` and ``grok env``: recipes, networks and claims, and the versions and hardware."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import runpy
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from grok import published
from grok.errors import GrokError
from grok.verdicts import expected

PACKAGES = ("grok-claims", "torch", "transformer_lens", "numpy", "safetensors", "triton", "pytest", "plotly", "ray")


def list_(cards: bool = False, claims: bool = False) -> int:
    """List the recipes, the shipped fixtures of each recipe, and the runs of yours under runs/.

    Args:
        cards: print the model cards as a Markdown table instead (the table of fixtures/README.md).
        claims: list the published claims instead: id, expected verdict, sentence.
    """
    from grok.recipe import RECIPES

    shipped = published.root() / "fixtures"
    if cards:
        print("\n".join(card_table(shipped)))
        return 0
    if claims:
        print("\n".join(claims_table(shutil.get_terminal_size((80, 24)).columns)))
        return 0
    print(f"{'recipe':<24}{'architecture':<13}{'p':>4}{'steps':>8}  fixtures (seed)")
    for recipe in RECIPES.values():
        seeds = _seeds(_cards(recipe.name, shipped))
        print(f"{recipe.name:<24}{recipe.architecture:<13}{recipe.task.p:>4}{recipe.steps:>8}  {seeds or '–'}")
    if listed := runs(Path("runs")):
        print("\nruns", *listed, sep="\n")
    print("\nclaims and their verdicts: grok list --claims")
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


def claims_table(width: int) -> Iterator[str]:
    """The published claims, family by family: id, expected verdict, and the sentence, wrapped to this width."""
    root = published.root()
    entries = expected.read(root / published.EXPECTED)
    shown = None
    known: list[bool] = []
    for info, source in _claims(root / "claims"):
        for family in info.on or (source.fixture,):
            heading = f"{family} · {source.title}"
            if heading != shown:
                yield from ([] if shown is None else [""])
                yield heading
                shown = heading
            entry = entries.get(info.id_on(family))
            known.append(entry is not None)
            start = f"{info.id:<6}{entry.verdict if entry else '–':<14}"
            yield from textwrap.wrap(info.title, width, initial_indent=start, subsequent_indent=" " * len(start))
    yield f"\n{len(known)} claims, {sum(known)} with a verdict here; some on a model: grok verify MODEL --claims K8,N6"


def _claims(folder: Path) -> Iterator[tuple[Any, Any]]:
    """``Info`` and ``Source`` of each claim, as its decorators say them (``grok.claim``)."""
    for file in sorted(folder.glob("test_*.py")):
        module = runpy.run_path(str(file), run_name=file.stem)
        given = module["pytestmark"]
        of_file = [decorator.mark for decorator in (given if isinstance(given, list) else [given])]
        for value in list(module.values()):
            marks = {mark.name: mark for mark in [*of_file, *getattr(value, "pytestmark", ())]}
            if callable(value) and "claim" in marks:
                yield marks["claim"].args[0], marks["source"].args[0]


def _seeds(cards: list[Path]) -> str:
    seeds = [str(json.loads(card.read_text())["seed"]) for card in cards]
    return ", ".join(seeds) if len(seeds) <= 6 else f"{len(seeds)}: {', '.join(seeds[:4])}, …"


def _cards(recipe: str, fixtures: Path) -> list[Path]:
    return sorted((fixtures / recipe).glob("seed*/card.json"), key=lambda card: (len(str(card)), str(card)))


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
