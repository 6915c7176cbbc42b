"""Which of the training runs behind the claims grokked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from grok.verdicts.number import is_number

GROKKED_TEST_LOSS = 0.01  # a run grokked if it ends below


def grokked(fixtures: Iterable[dict[str, Any]], trained: Iterable[str]) -> dict[str, bool]:
    """Which of the trained runs ended with a test loss below the threshold; those that ``run.fixtures`` knows."""
    losses = {
        f"{card.get('fixture')}/seed{card.get('seed')}": card["test_loss"] for card in fixtures if "test_loss" in card
    }
    return {name: _below(losses[name]) for name in dict.fromkeys(trained) if name in losses}


def _below(loss: Any) -> bool:
    return is_number(loss) and loss < GROKKED_TEST_LOSS


def grokked_note(runs: dict[str, bool]) -> str | None:
    """How many runs of one recipe did not grok, and which; None for a single run that did."""
    failed = [name.rpartition("/seed")[2] for name, solved in runs.items() if not solved]
    if failed:
        seeds = f"seed{'s' * (len(failed) != 1)} {', '.join(failed)}"
        total = f"{len(runs)} run{'s' * (len(runs) != 1)}"
        return f"{len(failed)} of {total} did not grok (test loss at the end ≥ {GROKKED_TEST_LOSS}): {seeds}"
    return f"all {len(runs)} runs grokked (test loss at the end < {GROKKED_TEST_LOSS})" if len(runs) > 1 else None
