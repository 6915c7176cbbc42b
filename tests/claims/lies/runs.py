"""Lies about training runs: their curves changed so that the order of events is another."""

from __future__ import annotations

from dataclasses import replace

from grok.models.network import Network
from grok.store.run import Column, Run
from lies import Lie, Subject, altered, swapped


def with_columns(run: Run, **columns: Column) -> Run:
    return replace(run, columns={**run.columns, **columns})


def late(run: Run, name: str) -> Column:
    """A column that stays as it began for the first nine tenths, then runs through its values ten times as fast."""
    values = run.columns[name]
    n = len(values)
    return [values[max(0, 10 * i - 9 * (n - 1))] for i in range(n)]


def pairs_exchanged(subject: Subject) -> Subject:
    """Train and test pairs change places; of a run, what was measured on them."""
    if isinstance(subject, Network):
        return altered(subject, split=swapped(subject.split))
    columns = subject.columns
    return with_columns(
        subject,
        train_loss=columns["test_loss"],
        test_loss=columns["train_loss"],
        train_accuracy=columns["test_accuracy"],
        test_accuracy=columns["train_accuracy"],
    )


def no_grok(run: Run) -> Run:
    """The test loss falls with the train loss."""
    return with_columns(run, test_loss=run.columns["train_loss"])


def never_solved(run: Run) -> Run:
    """The test loss stays at its highest."""
    highest = max(run.columns["test_loss"])
    return with_columns(run, test_loss=[highest] * len(run.steps))


def aligned_late(run: Run) -> Run:
    return with_columns(run, key_cos2=late(run, "key_cos2"))


def restricted_late(run: Run) -> Run:
    return with_columns(run, restricted_loss=late(run, "restricted_loss"))


def growing_weights(run: Run) -> Run:
    return with_columns(run, weight_norm=[1.0 + step for step in run.steps])


def memorised_late(run: Run) -> Run:
    return with_columns(run, train_loss=late(run, "train_loss"))


def needed_from_the_start(run: Run) -> Run:
    """The excluded loss is highest at first."""
    return with_columns(run, excluded_loss=run.columns["excluded_loss"][::-1])


ADDITION_RUN = [
    Lie("train and test pairs are exchanged", pairs_exchanged, "B1"),
    Lie("the test loss falls with the train loss", no_grok, "B1"),
    Lie("the test loss never falls", never_solved, "B1"),
    Lie("the logits align with K after the grok", aligned_late, "N10"),
    Lie("the restricted loss falls after the grok", restricted_late, "N10"),
    Lie("the weights grow to the end", growing_weights, "N11"),
]
SUBTRACTION_RUN = [
    Lie("train and test pairs are exchanged", pairs_exchanged, "S3"),
    Lie("the train loss falls late", memorised_late, "S2"),
    Lie("the logits align with K after the grok", aligned_late, "S12"),
    Lie("the excluded loss is highest at first", needed_from_the_start, "S14"),
]
