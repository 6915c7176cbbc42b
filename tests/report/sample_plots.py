"""One plot of every kind that a page has to draw."""

from __future__ import annotations

import math
import random

from grok.verdicts.verdict import Plot


def plots(rng: random.Random, p: int = 113) -> tuple[Plot, ...]:
    """One plot of every kind, of the size real ones have."""
    steps = list(range(0, 50_000, 250))
    fall = [round(5 * math.exp(-s / 900) + 1e-6, 8) for s in steps]
    late = [round(20 / (1 + math.exp((s - 9000) / 700)) + 2e-5, 8) for s in steps]
    frequencies = list(range(1, p // 2 + 1))
    keys = rng.sample(frequencies, 5)
    norms = [round(8 + rng.random() if k in keys else rng.random() * 0.1, 4) for k in frequencies]
    matrix = [[round(rng.random() * (10 if i in keys and j in keys else 0.3), 3) for j in range(60)] for i in range(60)]
    return (
        Plot(
            "loss_curves",
            "loss over training",
            {
                "steps": steps,
                "train_loss": fall,
                "test_loss": late,
                "phases": [["memorised", 1500], ["circuit formed", 9000]],
            },
        ),
        Plot(
            "progress",
            "restricted and excluded loss",
            {"steps": steps, "restricted_loss": late[::-1], "excluded_loss": fall},
        ),
        Plot("fourier_norms", "norms of W_E and U", {"frequencies": frequencies, "W_E": norms, "U": norms[::-1]}),
        Plot("spectrum_2d", "2-D spectrum of the logits", {"matrix": matrix}),
        Plot(
            "fve",
            "FVE of each direction",
            {
                "frequencies": keys,
                "sin": [0.95, 0.9, 0.83, 0.97, 0.91],
                "cos": [0.96, 0.92, 0.88, 0.99, 0.9],
                "line": 0.84,
            },
        ),
        Plot(
            "pcs",
            "principal components against the token",
            {
                "tokens": list(range(10)),
                "PC1": [x - 4.5 for x in range(10)],
                "PC2": [(x - 4.5) ** 2 / 6 - 1.4 for x in range(10)],
            },
        ),
        Plot(
            "error_table",
            "error without PC2",
            {"matrix": [[(a == 0 or b == 0) - (a == 9 or b == 9) for b in range(10)] for a in range(10)]},
        ),
        Plot(
            "attention",
            "mean attention of each head",
            {
                "heads": [0, 1, 2, 3],
                "to_a": [0.49, 0.5, 0.5, 0.44],
                "to_b": [0.5, 0.5, 0.48, 0.44],
                "to_equals": [0.01, 0, 0.02, 0.12],
            },
        ),
        Plot("something new", "an unknown kind", {"x": [1, 2, 3], "y": [1, 4, 9]}),
        Plot("matrix", "norms by pair", {"matrix": [[0.1, 2.0], [3.0, 0.4]], "axes": ["b", "a"]}),
        Plot(
            "panels",
            "attention of each head over (a, b)",
            {f"head {i}": [[i, 1], [2, 3]] for i in range(4)} | {"see": "Heads 1 and 2 agree.", "axes": ["b", "a"]},
        ),
        Plot(
            "planes",
            "the embedding on its circles",
            {f"k = {k}": [[1, 0], [0, 1], [-1, 0]] for k in (3, 14)} | {"labels": ["0", "1", "2"]},
        ),
        Plot(
            "bars", "loss without each frequency", {"frequencies": [3, 14], "loss": [4.0, 2.0], "axes": ["k", "loss"]}
        ),
        Plot("points", "two measures", {"x": [1, 2], "one": [1, 2], "other": [2, 1]}),
    )
