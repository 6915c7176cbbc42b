"""10,000 fuzzed headers, of safetensors and of zip files: every one loads or is refused in words."""

import io
import json
import random
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from grok.errors import GrokError
from grok.models import matrices as weights
from grok.recipe import RECIPES
from grok.store import checkpoint
from grok.task import Task

HEADERS = 10_000
TINY = replace(RECIPES["modadd-mlp"], task=Task(5), d_model=2, d_mlp=2)
ODD: list[Any] = [-1, 0, 1, 2**31, 2**63, 2**64, 10**40, 1e308, 0.5, None, True, [], {}, [[]], [0, 0], [0, 2**62]]
ODD += ["", "F32", "I64", "BOOL", "F8_E4M3", "C64", "\x00", "\x1b[31m", "é" * 50, "__metadata__", "W_E", "../../passwd"]


def _entries() -> dict[str, Any]:
    """A sound header for the weights, contiguous."""
    at, entries = 0, {}
    for name, w in weights.initial(TINY).items():
        end = at + 4 * w.numel()
        entries[name] = {"dtype": "F32", "shape": list(w.shape), "data_offsets": [at, end]}
        at = end
    return entries


def _mutated(entries: dict[str, Any], rng: random.Random) -> Any:
    """A few values, keys or nestings replaced by odd ones."""
    header: Any = json.loads(json.dumps(entries))
    for _ in range(rng.randrange(1, 4)):
        name = rng.choice(list(header))
        entry = header[name]
        match rng.randrange(6):
            case 0 if isinstance(entry, dict) and entry:
                entry[rng.choice(list(entry))] = rng.choice(ODD)
            case 1 if isinstance(entry, dict) and isinstance(entry.get("shape"), list) and entry["shape"]:
                entry["shape"][rng.randrange(len(entry["shape"]))] = rng.choice(ODD)
            case 2 if isinstance(entry, dict) and isinstance(entry.get("data_offsets"), list) and entry["data_offsets"]:
                entry["data_offsets"][rng.randrange(len(entry["data_offsets"]))] = rng.choice([*ODD, 4, 8, 1 << 20])
            case 3:
                header[str(rng.choice(ODD))] = header.pop(name)
            case 4:
                header[str(rng.choice(ODD))] = rng.choice(ODD)
            case _:
                header[name] = rng.choice(ODD)
    return header


def _safetensors(rng: random.Random) -> bytes:
    entries = _entries()
    text = json.dumps(_mutated(entries, rng) if rng.random() < 0.7 else entries).encode()
    if rng.random() < 0.4:  # bytes of the JSON itself
        for _ in range(rng.randrange(1, 5)):
            at = rng.randrange(len(text))
            text = text[:at] + rng.randbytes(rng.randrange(3)) + text[at + rng.randrange(3) :]
    length = (
        len(text) if rng.random() < 0.8 else rng.choice([0, 1, len(text) - 1, len(text) + 1, 1 << 20, (1 << 64) - 1])
    )
    data = b"".join(w.numpy().tobytes() for w in weights.initial(TINY).values())
    return struct.pack("<Q", length) + text + data[: rng.choice([len(data), len(data), len(data) - 1, 0])]


def _zip(rng: random.Random, whole: bytes) -> bytes:
    """A torch file with bytes of its pickle, its local headers or its directory replaced."""
    data = bytearray(whole)
    marks = [b"\x80\x02", b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"data.pkl"]
    for _ in range(rng.randrange(1, 4)):
        mark = rng.choice([m for m in marks if m in data] or [bytes(data[:1])])
        at = data.index(mark) + rng.randrange(48)
        new = rng.randbytes(rng.choice([1, 1, 2, 4, 8]))
        data[at : at + len(new)] = new
    return bytes(data)


@pytest.mark.parametrize("kind", ["safetensors", "zip"])
def test_fuzzed_headers_load_or_are_refused(tmp_path: Path, kind: str):
    out = io.BytesIO()
    torch.save(weights.initial(TINY), out)
    rng, path, told = random.Random(kind), tmp_path / "model", []
    for _ in range(HEADERS // 2):
        path.write_bytes(_safetensors(rng) if kind == "safetensors" else _zip(rng, out.getvalue()))
        try:
            checkpoint.load(path, recipe="modadd-mlp")
        except GrokError as error:
            told.append(str(error))
    assert all(line.startswith(f"{path}: ") and len(line) < 2_000 and "\x1b" not in line for line in told)
    assert HEADERS // 4 < len(told) < HEADERS // 2  # most do harm, some do not
