"""Which of the training runs behind the claims grokked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from grok.verdicts.number import is_number

GROKKED_TEST_LOSS = 0.01  # a run grokked if it ends below


def grokked(fixtures: Iterable[dict[str, Any]], trained: Iterable[str]) -> dict[str, bool]:
    """Which of the trained runs grokked (``solved``); those that ``run.fixtures`` knows."""
    runs = {f"{card.get('fixture')}/seed{card.get('seed')}": solved(card) for card in fixtures if "test_loss" in card}
    return {name: runs[name] for name in dict.fromkeys(trained) if name in runs}


def solved(card: dict[str, Any]) -> bool:
    """Whether a run ended with a test loss below the threshold.

    The loss is the cross-entropy. A run that minimised something else, which its card names as ``loss``, has solved its
    task if it is right on all test pairs.
    """
    if card.get("loss"):
        return card.get("test_accuracy") == 1
    return is_number(card.get("test_loss")) and card["test_loss"] < GROKKED_TEST_LOSS


def grokked_note(runs: dict[str, bool]) -> str | None:
    """How many runs of one recipe did not grok, and which; None for a single run that did."""
    failed = [name.rpartition("/seed")[2] for name, solved in runs.items() if not solved]
    if failed:
        seeds = f"seed{'s' * (len(failed) != 1)} {', '.join(failed)}"
        total = f"{len(runs)} run{'s' * (len(runs) != 1)}"
        return f"{len(failed)} of {total} did not grok (test loss at the end ≥ {GROKKED_TEST_LOSS}): {seeds}"
    return f"all {len(runs)} runs grokked (test loss at the end < {GROKKED_TEST_LOSS})" if len(runs) > 1 else None
