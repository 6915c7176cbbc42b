"""Opens files that may be hostile, within size limits: safetensors, and torch's zip files with ``weights_only=True``.

No code here trusts a size that the file states. Headers, directories and pickles have limits that are checked before
they are parsed, and a zip may not hold more bytes than the file has. At most the file's size is copied once and read
once.
"""

from __future__ import annotations

import io
import pickle
import shutil
import stat
import struct
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from grok.errors import GrokError
from grok.store.formats import pickles
from grok.store.formats.shapes import shown

MAX_FILE = 1 << 30
MAX_HEADER = 1 << 20  # safetensors header, and a zip's directory: some 10,000 tensors
MAX_PICKLE = 1 << 21  # two seconds of opcodes
PICKLE = "data.pkl"
ACT_FN = "act_fn"  # TransformerLens's name for the activation, in its configurations


def read(path: Path) -> Any:
    """What the file holds: name → tensor for safetensors (mapped, not read); the saved object for a torch file.

    If the metadata of a safetensors file name an activation, as ``store.checkpoint.convert`` writes it, the tensors are
    under ``state_dict`` and the activation is under ``act_fn``.
    Raises GrokError, and no other error, for a file that is missing, damaged, too large, or holds no tensors.
    """
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):
            raise GrokError("it is not a file; expected model.safetensors or a .pt state dict")
        if not 8 <= info.st_size <= MAX_FILE:
            raise GrokError(f"it has {info.st_size:,} bytes, expected 8 … {MAX_FILE:,}")
        with open(path, "rb") as file:
            start = file.read(16)
    except OSError as error:
        raise GrokError(f"it cannot be read ({error.strerror})") from None
    if start.startswith(b"PK"):
        return _torch(path)
    if start[8:9] == b"{":
        return _safetensors(path, struct.unpack("<Q", start[:8])[0])
    if start[:1] == b"\x80":
        raise GrokError(
            "it is a bare pickle, or a torch file from before 1.6; expected safetensors or a torch zip file.\n"
            "If you trust it, load it with your torch and save its state dict again with torch.save"
        )
    raise GrokError(f"it starts with {start[:8]!r}; expected safetensors, or a torch zip file (PK)")


def _safetensors(path: Path, header: int) -> dict[str, Any]:
    if header > MAX_HEADER:
        raise GrokError(f"it states a header of {header:,} bytes, expected at most {MAX_HEADER:,}")
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
            named = (file.metadata() or {}).get(ACT_FN)
            return tensors if named is None else {"state_dict": tensors, ACT_FN: named}
    except Exception as error:  # the library raises its own, and torch's for types it does not know
        raise GrokError(f"its safetensors data are damaged: {_first_line(error)}") from None


def _torch(path: Path) -> Any:
    """What a torch file holds. The zip is checked and copied entry by entry, so that torch parses only checked data."""
    try:
        copy = _checked_copy(path)
        return torch.load(copy, map_location="cpu", weights_only=True)
    except GrokError:
        raise
    except pickle.UnpicklingError:  # torch's message advises loading it without the guard
        raise GrokError("its pickle holds more than plain tensors: torch.load(weights_only=True) refuses it") from None
    except Exception as error:  # zipfile, zlib and torch have errors of their own, and hostile bytes reach all of them
        raise GrokError(f"it is damaged, or it is not a torch file: {_first_line(error)}") from None


def _checked_copy(path: Path) -> io.BytesIO:
    with _CappedReads(path) as raw, zipfile.ZipFile(raw) as source:
        raw.cap = None
        entries = source.infolist()
        names = [entry.filename for entry in entries]
        tops = {name.split("/", 1)[0] for name in names}
        if len(tops) != 1 or f"{(top := tops.pop())}/{PICKLE}" not in names or len(set(names)) != len(names):
            raise GrokError(f"it is a zip file, but not torch's: expected one folder with {PICKLE}")
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise GrokError("its zip entries are compressed, which torch never does")
        if sum(entry.file_size for entry in entries) > path.stat().st_size:
            raise GrokError("its zip entries state more bytes than the file has")
        pickled = source.getinfo(f"{top}/{PICKLE}")
        if pickled.file_size > MAX_PICKLE:
            raise GrokError(f"its pickle has {pickled.file_size:,} bytes, expected at most {MAX_PICKLE:,}")
        pickles.refuse_objects(source.read(pickled), str(path))
        copy = io.BytesIO()
        with zipfile.ZipFile(copy, "w") as target:
            for entry in entries:
                inside = entry.filename.removeprefix(f"{top}/")
                if inside in (PICKLE, "version", "byteorder") or inside.startswith("data/"):
                    with source.open(entry) as data, target.open(f"archive/{inside}", "w") as into:
                        shutil.copyfileobj(data, into, 1 << 20)  # checks the CRC, which torch does not
    copy.seek(0)
    return copy


class _CappedReads(io.FileIO):
    """A file that refuses large reads until ``cap`` is lifted, because zipfile reads a whole directory in one piece."""

    cap: int | None = MAX_HEADER

    def read(self, size: int | None = -1) -> bytes:  # type: ignore[override]
        wanted = size if size is not None and size >= 0 else self._left()
        if self.cap is not None and wanted > self.cap:
            raise GrokError(f"its zip directory has {wanted:,} bytes, expected at most {self.cap:,}")
        return super().read(wanted)

    def _left(self) -> int:
        here = self.tell()
        end = self.seek(0, io.SEEK_END)
        self.seek(here)
        return end - here


def _first_line(error: Exception) -> str:
    return shown((str(error) or type(error).__name__).splitlines()[0])
