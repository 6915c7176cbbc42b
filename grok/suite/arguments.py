"""The plugin's command line options, as pytest shows them. ``options`` checks what is given."""

from __future__ import annotations

from typing import Any

import pytest

from grok import published

UPDATE = "--update-expected"

OPTIONS: dict[str, dict[str, Any]] = {
    "--claims-json": {"metavar": "FILE", "help": "write verdicts.json"},
    "--claims-html": {"metavar": "FILE", "help": "write the page"},
    "--expected": {
        "metavar": "FILE",
        "help": f"committed verdicts to compare with; default: {published.EXPECTED}",
    },
    UPDATE: {
        "action": "store_true",
        "help": "rewrite the committed verdicts from this run; refused where CI is set",
    },
    "--checkpoint": {
        "metavar": "FILE",
        "action": "append",
        "help": "run the claims on this model of yours; repeatable",
    },
    "--control": {
        "metavar": "FILE",
        "action": "append",
        "help": "a model of yours that learned nothing: claims must fail on it",
    },
    "--recipe": {
        "metavar": "NAME",
        "help": "recipe of the checkpoint; without one, run only the claims of this recipe",
    },
    "--split-seed": {"metavar": "N", "type": int, "help": "seed of the checkpoint's train pairs"},
    "--train-frac": {
        "metavar": "X",
        "type": float,
        "help": "share of the pairs that the checkpoint was trained on",
    },
    "--split": {
        "metavar": "FILE",
        "help": "file with the checkpoint's train pairs, as indices a·n + b; or the two above",
    },
    "--index": {"metavar": "N", "type": int, "help": "which checkpoint, if the file holds a list of them"},
    "--seeds": {
        "metavar": "SEEDS",
        "help": "seeds of fixtures: canonical (default), all, or 0,3,7",
    },
    "--claims": {"metavar": "IDS", "help": "run only these claims, as in K8,N6"},
    "--beside": {
        "metavar": "DIR",
        "help": "show the published networks in this folder beside yours; they decide nothing",
    },
    "--fixture-dir": {
        "metavar": "DIR",
        "help": "folder of your fixtures, as DIR/<recipe>/seed<N>; default: the published",
    },
}


def add_options(parser: pytest.Parser) -> None:
    group = parser.getgroup("grok claims")
    for name, described in OPTIONS.items():
        group.addoption(name, **described)


def given(config: pytest.Config) -> bool:
    """Whether any of the options is."""
    return any(config.getoption(name) is not (False if name == UPDATE else None) for name in OPTIONS)
