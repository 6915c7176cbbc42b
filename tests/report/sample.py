"""The verdicts of a made-up run: every verdict, role, kind of plot and odd case a page has to show."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from sample_plots import plots

from grok.verdicts.claim import Claim, Statement
from grok.verdicts.record import Curve, Run, Verdicts
from grok.verdicts.verdict import Assertion, Evidence, Plot, Result, verdict

HOSTILE = (
    "</script><script>window.stolen=1</script>\"'`${window.stolen=1}"
    "<img src=x onerror=window.stolen=1>{{7*7}}|\n::error::@all #1"
)
TEXT = r"""The unembedding is made of the key frequencies.

Measured: the norm of `W_U` on $\cos(w_k c)$ and $\sin(w_k c)$.

$$ \frac{\lVert W_K \rVert}{\lVert W \rVert} $$"""
FIXTURES = ("modadd-mlp", "modadd-transformer", "modsub-transformer", "add-transformer")


def assertion(left: float, op: str, right: float, expression: str | None = None) -> Assertion:
    """One recorded comparison, with the margin it has."""
    passed = {">=": left >= right, "<=": left <= right}[op]
    gap = (left - right) / max(abs(right), 1e-12) * (1 if op == ">=" else -1)
    return Assertion(expression or f"ratio {op} {right}", f"{left:.4g} {op} {right}", passed, left, op, right, gap)


def subject(
    name: str, left: float, op: str = ">=", right: float = 0.98, plots: tuple[Plot, ...] = (), **more: Any
) -> Result:
    """A subject that measured ``left``; its role follows from the name."""
    made = assertion(left, op, right)
    role = "trained" if "/seed" in name else "rival" if "number-line" in name else "control"
    evidence = [
        Evidence("‖W_U on K‖ / ‖W_U‖", left, 0.98241, [0.2, 0.31], 20),
        Evidence("key frequencies", [3, 14, 22, 35]),
    ]
    fields: dict[str, Any] = {
        "holds": made.passed,
        "seed": 0,
        "device": "cpu",
        "digest": "9f86d081884c7d659a2feaa0c55ad015",
        "evidence": evidence,
        "asserts": [made],
        "plots": list(plots),
    }
    return Result(name, role, **fields | more)


def claim(id: str, subjects: list[Result], expected: Any = None, **meta: Any) -> Claim:
    about = {
        "id": id,
        "title": f"W_U lives on the key frequencies ({id})",
        "text": TEXT,
        "source": "kissane",
        "source_title": "One-hidden-layer MLP on modular addition",
        "ref": "ckkissane/mech-interp-practice",
        "section": "Unembedding",
        "fixture": "modadd-mlp",
        "published": 0.98241,
        "expression": ("ratio >= 0.98",),
        "file": "claims/test_modadd_mlp.py",
        "line": 42,
        "nodeid": f"claims/test_modadd_mlp.py::test_{id}",
        "command": f"pytest claims/test_modadd_mlp.py -k {id}",
        "threshold": "source",
        "because": "the published ratio, rounded down",
    }
    moved = expected is not None and expected != verdict(subjects)[0]
    return Claim.of(Statement(**about | meta), subjects, expected, moved=moved)


def subjects(
    fixture: str = "modadd-mlp",
    trained: tuple[float, ...] = (0.9823,),
    untrained: float = 0.31,
    memorised: float = 0.42,
    **more: Any,
) -> list[Result]:
    """Seeds, then the two controls."""
    seeds = [subject(f"{fixture}/seed{i}", value, **more) for i, value in enumerate(trained)]
    return [
        *seeds,
        subject(f"{fixture}/untrained", untrained, **more),
        subject(f"{fixture}/memorised", memorised, **more),
    ]


def one_of_each() -> list[Claim]:
    """A claim with each verdict."""
    broken = Result("modadd-mlp/seed0", "trained", None, reason="no key frequencies: largest ratio 1.8")
    return [
        claim("K1", subjects(), "replicated"),
        claim("K2", subjects(trained=(0.91,)), "refuted"),
        claim("K3", subjects(trained=(0.99, 0.97, 0.985)), "mixed"),
        claim("K4", subjects(untrained=0.99), "vacuous"),
        claim("K5", [broken], "not evaluated", published=None),
        claim("K6", [*subjects(), subject("modadd-mlp/number-line", 0.99)], "unspecific"),
        claim("K7", [subject("modadd-mlp/seed0", 0.99)], "uncontrolled", no_control="by nature"),
    ]


def verdicts(claims: list[Claim] | None = None) -> Verdicts:
    fixtures = tuple(
        {
            "fixture": name,
            "seed": 0,
            "operation": "add_mod",
            "p": 113,
            "architecture": "mlp",
            "device": "cpu",
            "torch": "2.13.0",
            "digest": "ab" * 32,
            "steps": 50000,
            "train_loss": 1.04e-6,
            "test_loss": 1.85e-5,
        }
        for name in FIXTURES
    )
    run = Run(
        command="pytest claims/ --claims-json verdicts.json --claims-html claims.html",
        versions={"torch": "2.13.0", "python": "3.11.7", "grok-claims": "0.1.0"},
        device="cpu",
        commit="1c9e0c6",
        started="2026-11-21T22:49:00Z",
        seconds=81.3,
        fixtures=fixtures,
        curves=tuple(curve(f"{name}/seed0") for name in FIXTURES),
    )
    return Verdicts(run, tuple(one_of_each() if claims is None else claims))


def curve(subject: str, keys: tuple[int, ...] | None = (3, 14, 35), **more: Any) -> Curve:
    """A run that groks at step 10,000."""
    losses = {"train_loss": (4.7, 1e-3, 1e-6, 1e-7), "test_loss": (4.7, 20.0, 10.0, 1e-6)}
    if keys:
        losses |= {"restricted_loss": (4.7, 10.0, 0.1, 1e-7), "excluded_loss": (4.7, 1e-2, 10.0, 5.0)}
    phases = (("memorisation", 100), ("circuit formation", 1000), ("cleanup", 10_000))
    return Curve(subject, (0, 100, 1000, 10_000), losses, **{"phases": phases, "key_frequencies": keys} | more)


def many(n: int = 100, seed: int = 0) -> list[Claim]:
    """``n`` claims over four fixtures, with plots on every subject."""
    rng = random.Random(seed)
    made = []
    for i in range(n):
        fixture = FIXTURES[i * len(FIXTURES) // n]
        drawn = plots(random.Random(i % 12))
        kinds = tuple(rng.sample(drawn, 2))
        trained = tuple(round(rng.gauss(0.986, 0.004), 5) for _ in range(3))
        made.append(
            claim(
                f"{'KBSF'[FIXTURES.index(fixture)]}{i + 10}",
                subjects(fixture, trained, plots=kinds),
                "replicated",
                fixture=fixture,
                source=("kissane", "balcells", "subtraction", "fibonacci")[FIXTURES.index(fixture)],
            )
        )
    return made


def hostile() -> Claim:
    """A claim whose every text tries to be markup, a template or a script."""
    data = {"x": [1, 2], HOSTILE: [3, 4], "see": HOSTILE, "axes": [HOSTILE, HOSTILE], "phases": [[HOSTILE, 1]]}
    made = replace(assertion(0.99, ">=", 0.98), name=HOSTILE, against=HOSTILE)
    told = {"reason": HOSTILE, "device": HOSTILE, "digest": HOSTILE, "asserts": [made]}
    bad = subject(f"{HOSTILE}/seed0", 0.99, plots=(Plot("lines", HOSTILE, data),), **told)
    text = dict.fromkeys(
        (
            "title",
            "text",
            "source",
            "source_title",
            "section",
            "fixture",
            "published",
            "file",
            "command",
            "no_control",
            "because",
        ),
        HOSTILE,
    )
    return claim(
        HOSTILE,
        [bad],
        "mixed",
        **text | {"ref": "javascript:window.stolen=1", "url": HOSTILE, "expression": (HOSTILE,)},
    )
