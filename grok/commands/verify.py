"""``grok verify`` and ``grok convert``: runs claims on a user's model, or writes the model as safetensors."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from grok import published
from grok.errors import GrokError, NotEvaluable
from grok.verdicts.record import read_verdicts

if TYPE_CHECKING:
    from grok.models.concat import Concat
    from grok.models.pizza import Pizza
    from grok.store.checkpoint import Loaded


def verify(
    file: Annotated[Path, tyro.conf.Positional],
    /,
    recipe: str | None = None,
    split_seed: int | None = None,
    train_frac: float | None = None,
    split: Path | None = None,
    index: int | None = None,
    claims: str | None = None,
    strict: bool = False,
    html: Path | None = None,
    json: Path | None = None,
) -> int:
    """Run the published claims on the model in FILE: safetensors, a .pt state dict, or a folder made by `grok train`.

    For such a folder RUNS/RECIPE/seedN the claims about the run are tried too, and its memorised network is a control.
    The table shows the values of the shipped network beside those of the model.

    Exit 0: they were tried, whatever their verdicts; 1: a claim is an error, or with --strict is refuted; 2: wrong use.

    Args:
        file: the checkpoint; docs/checkpoints.md lists the layouts that are recognised.
        recipe: the recipe whose claims apply; by default the model's answers decide.
        split_seed: seed of the model's train pairs; without it the train pairs are unknown.
        train_frac: share of the pairs that the model was trained on.
        split: in place of these two, a file with its train pairs, as indices a·n + b: text, a JSON list, or .npy.
        index: which checkpoint, if the file holds a list of them.
        claims: only these claims, as in K8,N6; `grok list --claims` lists them all.
        strict: exit with 1 if a claim is refuted on the model.
        html: file to write the page to.
        json: file to write the verdicts to.
    """
    import pytest

    from grok.models.concat import Concat
    from grok.models.pizza import Pizza
    from grok.store import checkpoint

    loaded = checkpoint.load(file, recipe, split_seed, train_frac, index, split)
    print(f"{file}: {_described(loaded)}", *loaded.notes, _certificate(loaded), sep="\n  ")
    if isinstance(loaded.network, Concat):
        print(*_of_representations(loaded.network), sep="\n  ")
    if isinstance(loaded.network, Pizza):
        print(*_of_clock_and_pizza(loaded.network), sep="\n  ")
    if loaded.recipe_name is None:
        raise GrokError(f"{file}: no source makes claims about such a model; write your own: examples/own_claims")
    folder = published.root() / "claims"
    sys.stdout.flush()  # pytest writes to the file behind it
    given_split = {"--split-seed": split_seed, "--train-frac": train_frac, "--split": split and split.resolve()}
    another_split = any(value is not None for value in given_split.values())  # than that of the folder's card
    own = None if another_split else _own_fixture(file, loaded.recipe_name)
    options: dict[str, object] = {
        "--recipe": loaded.recipe_name,
        **(own or {"--checkpoint": file.resolve(), **given_split, "--index": index}),
        "--beside": folder.parent / "fixtures",
        "--claims": claims,
        "--claims-html": html and html.resolve(),
    }
    with tempfile.TemporaryDirectory() as temporary:
        written = json.resolve() if json else Path(temporary) / "verdicts.json"
        options["--claims-json"] = written
        given = [f"{name}={value}" for name, value in options.items() if value is not None]
        # the warning is about what the grok command has imported before pytest could rewrite it
        quiet = ["-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
        code = int(pytest.main([str(folder), f"--rootdir={folder.parent}", *quiet, *given]))
        if claims and code == pytest.ExitCode.NO_TESTS_COLLECTED:
            raise GrokError(f"{claims}: not about {loaded.recipe_name}; `grok list --claims` says what is about which")
        if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            return 2
        tried = read_verdicts(written).claims
    wanted = [name.strip() for name in (claims or "").split(",")]
    if others := [name for name in wanted if name and name not in {claim.name for claim in tried}]:
        print(f"not about {loaded.recipe_name}: {', '.join(others)}; `grok list --claims` says what is about which")
    refuted = [claim.id for claim in tried if claim.verdict == "refuted"] if strict else []
    if refuted:
        print(f"strict: refuted on this model: {', '.join(refuted)}")
    return 1 if refuted else code


def convert(
    file: Annotated[Path, tyro.conf.Positional], /, out: Path, index: int | None = None, recipe: str | None = None
) -> int:
    """Write the model in FILE as safetensors under this project's names; its logits stay the same to the bit.

    Args:
        file: the checkpoint; docs/checkpoints.md lists the layouts that are recognised.
        out: the file to write, for example model.safetensors.
        index: which checkpoint, if the file holds a list of them.
        recipe: a recipe of the same task, if the model's answers do not show the task.
    """
    from grok.store import checkpoint

    if out.exists():
        raise GrokError(f"{out} already exists; remove it, or give another --out")
    loaded = checkpoint.load(file, recipe, index=index)
    checkpoint.convert(loaded, out)
    print(f"{out}: {_described(loaded)}")
    if loaded.ignored_keys:
        print(f"left out: {', '.join(loaded.ignored_keys)}")
    return 0


def _own_fixture(folder: Path, recipe: str) -> dict[str, object] | None:
    """The options that try claims on the fixture RUNS/RECIPE/seedN; None for a file, or a folder named otherwise."""
    folder = folder.absolute()  # a link keeps its place among the user's runs
    if not folder.is_dir() or folder.parent.name != recipe or not re.fullmatch(r"seed\d+", folder.name):
        return None
    return {"--fixture-dir": folder.parent.parent, "--seeds": folder.name.removeprefix("seed")}


def _described(loaded: Loaded) -> str:
    weights = sum(w.numel() for w in loaded.network.weights.values())
    return f"{loaded.format}, {loaded.network.task.operation} with p = {loaded.network.task.p}, {weights:,} parameters"


def _certificate(loaded: Loaded) -> str:
    """In one line: whether rounding can change an answer."""
    from grok.measure.certificate import certify

    try:
        return str(certify(loaded.network))
    except NotEvaluable as reason:
        return f"no certificate: {reason}"


def _of_clock_and_pizza(network: Pizza) -> list[str]:
    """A heading, and the three figures by which Zhong et al. 2023 tell a clock from a pizza, a line each."""
    from grok.measure import circles, clock_pizza

    return [
        "as Zhong et al. 2023 measure it:",
        f"distance irrelevance {_figure(lambda: clock_pizza.distance_irrelevance(network))}",
        f"gradient symmetricity {_figure(lambda: clock_pizza.gradient_symmetricity(network))}",
        f"circularity {_figure(lambda: circles.circularity(network.W_E))}",
    ]


def _figure(measure: Callable[[], float]) -> str:
    """The measured number, or why there is none."""
    try:
        return f"{measure():.6g}"
    except NotEvaluable as reason:
        return f"not evaluated: {reason}"


def _of_representations(network: Concat) -> list[str]:
    """A heading, and the measures of Chughtai et al. 2023 under the authors' names, a line each."""
    from grok.measure.representations import Summary

    try:
        found = Summary.of(network)
    except NotEvaluable as reason:
        return ["as Chughtai et al. 2023 measure it (docs/representations.md):", f"not evaluated: {reason}"]
    names = network.spectrum.blocks.names
    keys = ", ".join(f"{k} {names[k]}" if names else str(k) for k in found.keys)
    figures = {name: value for name, value in asdict(found).items() if name not in ("keys", "similarities")}
    lines = [f"{name} {'unknown: give the split' if v is None else format(v, '.6g')}" for name, v in figures.items()]
    return ["as Chughtai et al. 2023 measure it (docs/representations.md):", f"key representations {keys}", *lines]
