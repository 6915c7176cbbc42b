"""What the GPU engine launches beside its main stream comes in time, however late it comes. In Triton's interpreter."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch

pytest.importorskip("triton", reason="Triton is for Linux on x86-64")
if torch.cuda.is_available() and os.environ.get("TRITON_INTERPRET") != "1":
    pytest.skip("on a GPU the streams are real", allow_module_level=True)

from triton.runtime import interpreter

from benchmarks.gpu.launches import small
from grok.kernels.fixed_order import triton as fixed_order
from grok.train.engines.beside import Beside
from grok.train.engines.fused import Fused
from grok.train.state import State


class Late:
    """Launches in a branch wait until something waits for the branch. On a CPU they come first otherwise."""

    def __init__(self, patch: pytest.MonkeyPatch):
        self.waiting: dict[Beside, list[Callable[[], object]]] = {}
        self.branch: Beside | None = None
        launch = interpreter.InterpretedFunction.run

        def run(kernel: object, *args: object, **options: object) -> None:
            if self.branch is None:
                launch(kernel, *args, **options)
            else:
                self.waiting[self.branch].append(lambda: launch(kernel, *args, **options))

        @contextmanager
        def branched(beside: Beside) -> Iterator[None]:
            outer, self.branch = self.branch, beside
            self.waiting.setdefault(beside, [])
            yield
            self.branch = outer

        def join(beside: Beside) -> None:
            for go in self.waiting.pop(beside, []):
                go()

        patch.setattr(interpreter.InterpretedFunction, "run", run)
        patch.setattr(Beside, "__call__", branched)
        patch.setattr(Beside, "join", join)


@pytest.mark.parametrize("name", ["modadd-mlp", "modadd-transformer"])
def test_branches_may_come_as_late_as_they_are_waited_for(name: str, monkeypatch: pytest.MonkeyPatch):
    """The same bits as when they come first; and at the end of a step nothing is left that nobody waits for."""
    monkeypatch.setattr(fixed_order, "MOST", 1)  # so that small products are in parts, whose sums come in a branch

    def bits(late: Late | None) -> list[torch.Tensor]:
        recipes = [small(name), small(name).with_seed(3)]
        state = State.fresh(recipes, "cpu")
        step, losses = Fused(recipes, state, "bf16x6"), []
        for _ in range(2):
            losses += [*step.advance_tested(), step.advance()]
            assert late is None or not late.waiting
        return [state.flat, state.exp_avg_sq, *losses]

    first = bits(None)
    with monkeypatch.context() as patch:
        assert all(map(torch.equal, first, bits(Late(patch))))
