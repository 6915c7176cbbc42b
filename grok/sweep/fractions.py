"""The delay of the grok by train fraction, of a sweep's table, beside that of Nanda et al.

    python -m grok.sweep.fractions fixtures/sweeps/modadd-mlp-p59-train-frac.parquet --published FILE.pth

FILE.pth is ``saved_runs/mod_addition_frac_train_sweep.pth`` of the authors' repository,
https://github.com/mechanistic-interpretability-grokking/progress-measures-paper. It is not part of this project.
"""

import sys
from pathlib import Path

import torch
import tyro

from grok.errors import GrokError
from grok.measure.fractions import Run, delays, reached


def runs(table: Path) -> list[Run]:
    """The runs of a sweep over ``train_frac``, from its Parquet table. Raises GrokError without pyarrow."""
    try:
        import pyarrow.parquet as pq
    except ImportError:
        raise GrokError(f"{table} needs pyarrow: pip install 'grok-claims[cluster]'") from None
    columns = ["train_frac", "steps_recorded", "train_loss_by_step", "test_loss_by_step"]
    rows = pq.read_table(table, columns=columns).to_pylist()
    losses = ("train_loss_by_step", "test_loss_by_step")
    return [Run(row["train_frac"], *(reached(row["steps_recorded"], row[name]) for name in losses)) for row in rows]


def published(file: Path) -> list[Run]:
    """The authors' runs: a list of fractions, and a list of loss curves, train and test by turns, a value a step."""
    fractions, curves = torch.load(file, weights_only=True)
    pairs = zip(curves[::2], curves[1::2], strict=True)
    return [
        Run(fraction, *(reached(range(len(curve)), curve) for curve in pair))
        for fraction, pair in zip(fractions, pairs, strict=True)
    ]


def main(table: Path, /, published_file: Path | None = None) -> int:
    """Print the delay for each train fraction: steps to test loss 0.01 over steps to train loss 0.01."""
    ours = delays(runs(table))
    theirs = delays(published(published_file)) if published_file else {}
    print("| train fraction | here | Nanda et al. |\n|---|---|---|")
    for fraction in sorted(ours | theirs, reverse=True):
        cells = (f"{found[fraction]:.3g}" if fraction in found else "–" for found in (ours, theirs))
        print(f"| {fraction:g} | " + " | ".join(cells) + " |")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(tyro.cli(main, prog="python -m grok.sweep.fractions"))
    except (GrokError, OSError) as error:
        sys.exit(f"grok: {error}")
