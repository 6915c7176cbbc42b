"""What a piece of work launches, operation by operation, as a CUDA graph would hold it: to count, compare and replay.

Works on a CPU too, with kernels in Triton's interpreter. So what would break a captured graph is seen without a GPU: a
number that the host changes from step to step, or a result that the host waits for.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

NO_LAUNCH = ("empty", "new_empty", "empty_like", "empty_strided", "new_empty_strided", "_unsafe_view", "detach")
HOST_WAITS = ("_local_scalar_dense", "is_nonzero", "nonzero", "equal")


@dataclass(frozen=True)
class Operation:
    """One launch: its name with the shapes and numbers that it was given, and how to do it again."""

    name: str
    given: tuple[Any, ...]
    again: Callable[[], None]


class Recording(TorchDispatchMode):
    """The operations between entering and leaving. Views, allocations and metadata launch nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[Operation] = []
        self.in_kernel = False

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        name = func.overloadpacket.__name__
        if self.in_kernel or func.is_view or name in NO_LAUNCH:
            return result
        if name in HOST_WAITS:
            raise RuntimeError(f"{name}: the host waits for a result of the device, which no graph can hold")

        def again() -> None:
            found = func(*args, **kwargs)
            if not func._schema.is_mutable:  # a graph writes to where the result was
                for old, new in zip(tree_flatten(result)[0], tree_flatten(found)[0], strict=True):
                    old.copy_(new)

        self.operations.append(Operation(name, _given(args, kwargs), again))
        return result

    def replay(self) -> None:
        for operation in self.operations:
            operation.again()

    @property
    def names(self) -> list[str]:
        return [operation.name for operation in self.operations]

    @property
    def sequence(self) -> list[tuple[Any, ...]]:
        """Comparable: the same work of two steps must have the same."""
        return [(operation.name, *operation.given) for operation in self.operations]


@contextmanager
def recording() -> Iterator[Recording]:
    """Records torch's operations and the launches of Triton kernels."""
    from triton.runtime import interpreter, jit

    kinds, record = (interpreter.InterpretedFunction, jit.JITFunction), Recording()
    with ExitStack() as stack:
        for kind in kinds:
            stack.enter_context(patch.object(kind, "run", _watched(kind.run, record)))
        stack.enter_context(record)
        yield record


def _watched(run: Callable, record: Recording) -> Callable:
    def watched(kernel: Any, *args: Any, **kwargs: Any) -> Any:
        record.in_kernel = True
        try:
            result = run(kernel, *args, **kwargs)
        finally:
            record.in_kernel = False
        name = getattr(kernel, "fn", kernel).__name__
        again = functools.partial(run, kernel, *args, **kwargs)
        record.operations.append(Operation(name, _given(args, kwargs), again))
        return result

    return watched


def _given(args: tuple, kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """Shapes, strides and numbers; not addresses, which may differ from one recording to the next."""
    flat, _ = tree_flatten((args, kwargs))
    return tuple((tuple(x.shape), x.stride(), x.dtype) if isinstance(x, Tensor) else str(x) for x in flat)
