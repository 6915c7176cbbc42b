"""Files that ask for more memory or time than they are worth; each is loaded in a process of its own.

Prints, for each: how it ended, and the message. None can have more than 2 × file + 300 MB.
"""

from __future__ import annotations

import io
import json
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import forked
import torch

from grok.errors import GrokError
from grok.store import checkpoint

CPU_SECONDS = 10
ALLOWANCE = 300 << 20
ZEROS = 1 << 28


def torch_zip(pickled: bytes, records: dict[str, bytes] | None = None, method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip as torch.save lays it out, around any pickle."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as target:
        target.writestr("archive/data.pkl", pickled)
        for name, data in {"version": b"3\n", **(records or {})}.items():
            target.writestr(f"archive/{name}", data)
    return out.getvalue()


def safetensors(header: bytes, data: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def saved(held: object) -> bytes:
    out = io.BytesIO()
    torch.save(held, out)
    return out.getvalue()


def call(function: str, *arguments: bytes) -> bytes:
    """A pickle that calls ``module.name`` with pickled arguments."""
    module, name = function.rsplit(".", 1)
    return b"\x80\x02c" + f"{module}\n{name}\n".encode() + b"(" + b"".join(arguments) + b"tR."


def overlapping() -> bytes:
    """10,000 directory entries that all point to the same megabyte."""
    data = torch_zip(b"\x80\x02}.", {f"data/{i:05d}": b"" for i in range(10_000)} | {"data/x": bytes(1 << 20)})
    info = next(i for i in zipfile.ZipFile(io.BytesIO(data)).infolist() if i.filename == "archive/data/x")
    out = bytearray(data)
    at = data.index(b"PK\x01\x02")
    while data[at : at + 4] == b"PK\x01\x02":
        out[at + 16 : at + 28] = struct.pack("<III", info.CRC, info.file_size, info.file_size)
        out[at + 42 : at + 46] = struct.pack("<I", info.header_offset)
        name, extra, comment = struct.unpack("<HHH", data[at + 28 : at + 34])
        at += 46 + name + extra + comment
    return bytes(out)


def deflated() -> bytes:
    """Zeros, compressed a thousandfold."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = bytes(1 << 24)
    packed = b"".join(compressor.compress(block) for _ in range(ZEROS >> 24)) + compressor.flush()
    crc = zlib.crc32(bytes(ZEROS))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as target:
        target.writestr("archive/data.pkl", b"\x80\x02}.")
        target.writestr("archive/data/0", packed)
    data = bytearray(out.getvalue())
    for signature, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        start = data.rindex(signature)
        data[start + at : start + at + 2] = struct.pack("<H", zipfile.ZIP_DEFLATED)
        data[start + at + 6 : start + at + 18] = struct.pack("<III", crc, len(packed), ZEROS)
    return bytes(data)


def deep(depth: int) -> bytes:
    """A list in a list in a list."""
    return b"\x80\x02" + b"]" * depth + b"a" * (depth - 1) + b"."


def shared(levels: int) -> bytes:
    """A pair of a pair of a pair … of one and the same: 2^levels leaves in two bytes each."""
    return b"\x80\x02N" + b"2\x86" * levels + b"."


INTEGER = b"\x8a\x05" + struct.pack("<Q", 10 << 30)[:5]  # LONG1: ten gibibytes


def bombs() -> Iterator[tuple[str, Callable[[], bytes]]]:
    table = "".join(
        f'"t{i}":{{"dtype":"F32","shape":[1],"data_offsets":[{4 * i},{4 * i + 4}]}},' for i in range(14_000)
    )
    yield "a header of 2^63 bytes", lambda: safetensors(b"{}", length=1 << 63)
    yield "a header larger than the file", lambda: safetensors(b"{}", length=900_000)
    yield "a header of 64 MB", lambda: safetensors(b'{"__metadata__":{"a":"' + b"a" * (64 << 20) + b'"}}')
    yield "a header nested 400,000 deep", lambda: safetensors(b'{"a":' + b"[" * 400_000)
    yield "a header of 14,000 tensors", lambda: safetensors(table.encode(), bytes(4 * 14_000))
    huge = b'{"W_E":{"dtype":"F32","shape":[1000000000,1000000000],"data_offsets":[0,4]}}'
    yield "a shape of 10^18 numbers", lambda: safetensors(huge, bytes(4))
    yield "a quarter of a gigabyte, deflated", deflated
    yield "overlapping entries, 10 GB together", overlapping
    yield "a directory of 60,000 entries", lambda: torch_zip(b"\x80\x02}.", {f"data/{i}": b"" for i in range(60_000)})
    yield "a pickle of 3 MB of opcodes", lambda: torch_zip(b"\x80\x02" + b"N" * 3_000_000 + b".")
    yield "a pickle of 2 MB of opcodes", lambda: torch_zip(b"\x80\x02" + b"N" * 2_000_000 + b".")
    yield "a list nested 900,000 deep", lambda: torch_zip(deep(900_000))
    yield "2^1000 leaves", lambda: torch_zip(shared(1000))
    yield "a bytearray of 10 GiB", lambda: torch_zip(call("builtins.bytearray", INTEGER))
    yield "a storage of 10 GiB", lambda: torch_zip(call("torch.FloatStorage", INTEGER))
    yield "an untyped storage of 10 GiB", lambda: torch_zip(call("torch.storage.UntypedStorage", INTEGER))
    yield "a memo of 2^31 places", lambda: torch_zip(b"\x80\x02Nr\xff\xff\xff\x7f.")
    number = struct.pack("<I", 2_000_000) + b"\x01" * 2_000_000
    yield "a number of 16 million bits", lambda: torch_zip(b"\x80\x02\x8b" + number + b".")
    grid = torch.ones(1).expand(200_000, 200_000)
    yield "one number expanded to 4·10^10", lambda: saved({"W_E": grid, "W_in": grid, "W_U": grid})
    meta = torch.ones(1 << 20, 1 << 12, device="meta")
    yield "tensors without storage", lambda: saved({"W_E": meta, "W_in": meta, "W_U": meta})
    p = 30_011
    line = {"W_E": torch.zeros(p, 1), "W_in": torch.zeros(1, 1), "W_U": torch.zeros(1, p)}
    yield "p = 30,011 in 240 kB", lambda: saved(line)
    wide = {"W_E": torch.ones(113, 16), "W_in": torch.ones(16, 9000), "W_U": torch.ones(9000, 113)}
    yield "the widest model that is taken", lambda: saved(wide)
    yield "40 MB of another model", lambda: saved({f"layer.{i}.weight": torch.zeros(1 << 20) for i in range(10)})


def load(path: Path) -> int:
    """The exit code and message of the command line."""
    torch.set_num_threads(1)
    try:
        checkpoint.load(path)
    except GrokError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def hungry() -> int:
    """Touches 400 MB: more than any of the files may take."""
    return len(b"1" * (400 << 20)) & 0


def endless() -> int:
    while True:
        pass


def main(folder: Path) -> None:
    results = {}
    for name, build in bombs():
        path = folder / "bomb"
        path.write_bytes(build())
        ended = forked.run(lambda path=path: load(path), CPU_SECONDS, 2 * path.stat().st_size + ALLOWANCE)
        results[name] = {"code": ended.code, "told": ended.stderr}
    limits = {"hungry": forked.run(hungry, memory=ALLOWANCE).code, "endless": forked.run(endless, 1).code}
    print(json.dumps({"bombs": results, "limits": limits}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
