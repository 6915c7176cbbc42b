"""Pickles that run code when they are unpickled: refused by name, and nothing of them runs.

Each would create a canary file. That they are live is shown by unpickling one without any guard.
"""

import io
import pickle
import struct
import zipfile
from pathlib import Path

import pytest
import torch

from grok.errors import GrokError
from grok.store import checkpoint


def _text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def _global(name: str) -> bytes:
    module, attribute = name.rsplit(".", 1)
    return b"c" + f"{module}\n{attribute}\n".encode()


def _code(canary: Path) -> str:
    return f"open({str(canary)!r}, 'w').close()"


class _Reduces:
    """An object of a program: what ``torch.save`` of a config or of a whole module leaves in a file."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self):
        return exec, (_code(self.canary),)


def corpus(canary: Path) -> dict[str, bytes]:
    """Pickles by what they use."""
    shell, code = _text(f"touch {canary}"), _text(_code(canary))
    head, call = b"\x80\x02", b"\x85R."
    names = {
        "os.system": shell,
        "posix.system": shell,
        "subprocess.getoutput": shell,
        "builtins.exec": code,
        "builtins.eval": code,
        "__builtin__.exec": code,
        "runpy.run_path": _text(str(canary)),
        "torch.hub.load": _text("nobody/nothing"),
        "torch.load": _text(str(canary)),
        "torch.jit.load": _text(str(canary)),
        "torch.utils.collect_env.run": shell,
        "torch.serialization.load": _text(str(canary)),
        "pickle.loads": code,
        "importlib.import_module": _text("antigravity"),
        "builtins.__import__": _text("antigravity"),
        "numpy.load": _text(str(canary)),
        "shutil.rmtree": _text(str(canary.parent)),
        "builtins.getattr": code,
        "operator.attrgetter": _text("system"),
        "collections.Counter": code,
        "_codecs.encode": code,
        "builtins.bytearray": code,
        "torch._utils._rebuild_sparse_tensor": code,
        "torch._tensor._rebuild_from_type_v2": code,
    }
    pickles = {f"GLOBAL {name}": head + _global(name) + argument + call for name, argument in names.items()}
    pickles |= {
        "STACK_GLOBAL": b"\x80\x04" + b"\x8c\x05posix\x8c\x06system\x93" + shell + call,
        "STACK_GLOBAL through the memo": b"\x80\x04\x8c\x05posix\x94\x8c\x06system\x94h\x00h\x01\x93" + shell + call,
        "INST": b"(" + shell + b"iposix\nsystem\n.",
        "OBJ": head + b"(" + _global("os.system") + shell + b"o.",
        "NEWOBJ": head + _global("posix.system") + shell + b"\x85\x81.",
        "NEWOBJ_EX": b"\x80\x04" + _global("posix.system") + shell + b"\x85}\x92.",
        "inside a state dict": head + b"}" + _text("cfg") + _global("os.system") + shell + b"\x85Rs.",
        "after a state dict": head + b"}0" + _global("os.system") + shell + call,
        "behind a STOP": head + b"}." + _global("os.system") + shell + call,
        "extension code": head + b"\x82\x01)R.",
        "a persistent id": head + _text("storage") + b"Q.",
        "BUILD": head
        + _global("collections.OrderedDict")
        + b")R}"
        + _text("__class__")
        + _global("os.system")
        + b"sb.",
        "a name of dots": head + b"ctorch\nserialization.os.system\n" + shell + call,
        **{f"protocol {p}": pickle.dumps({"cfg": _Reduces(canary)}, protocol=p) for p in range(6)},
    }
    return pickles


def _zipped(pickled: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as target:
        target.writestr("archive/data.pkl", pickled)
        target.writestr("archive/version", b"3\n")
    return out.getvalue()


def _beside(pickled: bytes) -> bytes:
    """The pickle in every other place where a reader might look for one, and a harmless one in the right place."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as target:
        target.writestr("archive/data.pkl", b"\x80\x02}.")
        for name in ("constants.pkl", "code/data.pkl", "data/data.pkl", ".data.pkl"):
            target.writestr(f"archive/{name}", pickled)
    return out.getvalue()


CONTAINERS = {"torch zip": _zipped, "bare": lambda pickled: pickled, "beside data.pkl": _beside}
NAMES = sorted(corpus(Path("/canary")))


@pytest.mark.parametrize("container", CONTAINERS)
def test_no_pickle_runs(tmp_path: Path, container: str):
    canary, path = tmp_path / "canary", tmp_path / "model.pt"
    for name, pickled in corpus(canary).items():
        path.write_bytes(CONTAINERS[container](pickled))
        with pytest.raises(GrokError) as refusal:
            checkpoint.load(path)
        assert not canary.exists(), name
        assert str(refusal.value).startswith(f"{path}: "), name


def test_the_corpus_is_live(tmp_path: Path):
    """Without the guard, it does run: else the test above would show nothing."""
    canary = tmp_path / "canary"
    live = (
        "GLOBAL os.system",
        "GLOBAL builtins.exec",
        "INST",
        "OBJ",
        "STACK_GLOBAL",
        "inside a state dict",
        "protocol 2",
    )
    for name in live:
        pickle.loads(corpus(canary)[name])
        assert canary.exists(), name
        canary.unlink()


def test_what_the_file_holds_and_how_to_save_it_again_is_said(tmp_path: Path):
    path = tmp_path / "model.pt"
    torch.save({"model": {"W_E": torch.ones(2)}, "cfg": _Reduces(tmp_path / "canary")}, path)
    with pytest.raises(GrokError) as refusal:
        checkpoint.load(path)
    told = str(refusal.value).splitlines()
    assert "objects beside tensors: builtins.exec" in told[0] or "__builtin__.exec" in told[0]
    assert told[2:] == [
        f'  x = torch.load({str(path)!r}, map_location="cpu", weights_only=False)',
        '  torch.save(x["model"], "weights.pt")  # or x.state_dict() if x is a module',
    ]


def test_a_whole_module_is_refused_by_its_class(tmp_path: Path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "model.pt")
    with pytest.raises(GrokError, match=r"torch.nn.modules.linear.Linear"):
        checkpoint.load(tmp_path / "model.pt")


def test_the_guard_has_no_way_around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """torch.load is called once, with weights_only=True, also after it has refused."""
    asked = []

    def refuse(*_args: object, **options: object) -> None:
        asked.append(options)
        raise pickle.UnpicklingError("no")

    monkeypatch.setattr(torch, "load", refuse)
    (tmp_path / "model.pt").write_bytes(_zipped(b"\x80\x02}."))
    with pytest.raises(GrokError, match="weights_only=True"):
        checkpoint.load(tmp_path / "model.pt")
    assert [options["weights_only"] for options in asked] == [True]
