"""The names that a pickle would import, read from its opcodes without running any of them."""

from __future__ import annotations

import pickletools

from grok.errors import GrokError
from grok.store.formats.shapes import listed, shown

# What a state dict of plain tensors needs. `weights_only=True` allows much more, and some of that allocates as much
# memory as the file states (bytearray, sparse and nested tensors).
_STORAGES = ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
ALLOWED = frozenset(
    {"collections.OrderedDict", "torch.Size"}
    | {f"torch._utils._rebuild_{what}" for what in ("tensor", "tensor_v2", "parameter")}
    | {f"torch.{kind}Storage" for kind in _STORAGES}
    | {f"torch.{dtype}" for dtype in ("float16", "bfloat16", "float32", "float64", "int64", "bool")}
)


def imports(data: bytes) -> list[str]:
    """The dotted names that unpickling would import, in order, each once. Raises ValueError if the pickle is broken."""
    found: dict[str, None] = {}
    strings: list[str] = []
    for opcode, argument, _ in pickletools.genops(data):
        if isinstance(argument, str) and opcode.name in ("GLOBAL", "INST"):
            found[argument.replace(" ", ".", 1)] = None
        elif opcode.name == "STACK_GLOBAL":  # its names are on the stack: usually the last two strings
            found[".".join(strings[-2:])] = None
        elif opcode.name.startswith("EXT"):
            found[f"extension {argument}"] = None
        elif isinstance(argument, str):
            strings = [*strings[-1:], argument]
    return list(found)


def refuse_objects(data: bytes, file: str) -> None:
    """Raises GrokError if the pickle holds more than tensors and containers; it says what, and how to save it again."""
    try:
        names = imports(data)
    except Exception as error:  # pickletools raises many kinds of errors on broken pickles
        raise GrokError(f"its pickle is damaged ({shown(error)})") from None
    objects = [shown(name) for name in names if name not in ALLOWED]
    if objects:
        raise GrokError(
            f"it holds objects beside tensors: {listed(objects)}. Loading those runs code, so they are never loaded.\n"
            f"If you trust the file, save only its tensors, and give that file:\n"
            f'  x = torch.load({file!a}, map_location="cpu", weights_only=False)\n'
            f'  torch.save(x["model"], "weights.pt")  # or x.state_dict() if x is a module'
        )
