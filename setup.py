"""Puts the published claims into the package that is built: the claims, the networks they need, the expected verdicts.

Everything else is in pyproject.toml. In an editable installation nothing is copied, because the checkout has it all.
"""

import hashlib
import json
import re
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

ROOT = Path(__file__).parent

# The networks of a wheel, each with the checkpoints that it keeps. They are the canonical runs, their controls, and of
# the further seeds those whose memorised network decides a verdict (F8 and F17, N9b). Claim S1 reads initial weights.
# tests/test_wheel.py checks that every verdict is the same on these as on all networks of the checkout.
KEPT = {
    "modadd-mlp/seed0": ("memorised",),
    "modadd-transformer/seed999": ("memorised",),
    "modadd-transformer/seed1": ("memorised",),
    "modsub-transformer/seed999": ("initial", "memorised"),  # initial weights are drawn from the seed
    "add-transformer/seed999": ("memorised",),
    "add-transformer/seed4": ("memorised",),
    "pizza-a/seed0": ("initial",),
    "pizza-b/seed0": ("initial",),
    "quad-mlp/seed0": ("initial",),
    "s5-mlp/seed1": ("initial",),
    "modadd-mlp-wd0/seed0": (),
    "modadd-transformer-wd0/seed999": (),
    "modsub-transformer-wd0/seed999": (),
}
CARD, CHECKPOINTS = "card.json", "checkpoints.safetensors"


class BuildWithClaims(build_py):
    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            for name, data in published().items():
                path = Path(self.build_lib) / "grok" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)


class SourcesWithClaims(sdist):
    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        fixtures = [path for fixture in KEPT for path in (ROOT / "fixtures" / fixture).iterdir()]
        fixtures += (ROOT / "fixtures" / "sweeps").iterdir()
        more = [*(ROOT / "claims").glob("*.py"), *fixtures, ROOT / "reports" / "expected.json"]
        super().make_release_tree(base_dir, [*files, *sorted(str(path.relative_to(ROOT)) for path in more)])


def published() -> dict[str, bytes]:
    """The files to add, by their names in the package."""
    files = {f"claims/{path.name}": path.read_bytes() for path in sorted((ROOT / "claims").glob("*.py"))}
    files["claims/__init__.py"] = b'"""The published claims: pytest --pyargs grok.claims"""\n'
    for path in sorted((ROOT / "fixtures" / "sweeps").iterdir()):
        files[f"fixtures/sweeps/{path.name}"] = path.read_bytes()
    for fixture, roles in KEPT.items():
        read = {path.name: path.read_bytes() for path in sorted((ROOT / "fixtures" / fixture).iterdir())}
        files |= {f"fixtures/{fixture}/{name}": data for name, data in (read | kept(read, roles)).items()}
    expected = json.loads((ROOT / "reports" / "expected.json").read_text(encoding="utf-8"))
    files["reports/expected.json"] = as_json({**expected, "claims": without_absent(expected["claims"])})
    return files


def kept(read: dict[str, bytes], roles: tuple[str, ...]) -> dict[str, bytes]:
    """The card and the checkpoints of a fixture with these roles only. The card gets new digests, and says so."""
    card = json.loads(read[CARD])
    card["checkpoints"] = {role: card["checkpoints"][role] for role in roles}
    held = set(card["checkpoints"].values()) - ({0} if "initial_sha256" in card else set())  # else drawn from the seed
    checkpoints = of_steps(read[CHECKPOINTS], held)
    card["sha256"][CHECKPOINTS] = hashlib.sha256(checkpoints).hexdigest()
    card["notes"] = [*card.get("notes", []), "the copy in the package: some checkpoints are in the repository only"]
    blank = as_json(card | {"digest": "0" * 64})
    return {CARD: as_json(card | {"digest": hashlib.sha256(blank).hexdigest()}), CHECKPOINTS: checkpoints}


def of_steps(safetensors: bytes, steps: set[int]) -> bytes:
    """The tensors ``<step>/<matrix>`` of these steps. The format: the length of the header, the header, the data."""
    start = 8 + int.from_bytes(safetensors[:8], "little")
    header: dict[str, dict] = {}
    data = b""
    for name, entry in json.loads(safetensors[8:start]).items():
        if name != "__metadata__" and int(name.split("/")[0]) in steps:
            low, high = entry["data_offsets"]
            header[name] = entry | {"data_offsets": [len(data), len(data) + high - low]}
            data += safetensors[start + low : start + high]
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the data begins at a multiple of eight bytes
    return len(text).to_bytes(8, "little") + text + data


def without_absent(entries: dict[str, dict]) -> dict[str, dict]:
    """The expected verdicts without the seeds that are left out, and without claims about all seeds."""
    found = {}
    for claim, entry in entries.items():
        subjects = {name: holds for name, holds in entry["subjects"].items() if is_there(name)}
        left_out = entry["subjects"].keys() - subjects.keys()
        if not any(re.search(r"/(seed\d+|all-seeds)$", name) for name in left_out):  # the trained ones
            found[claim] = entry | {"subjects": subjects}
    return found


def is_there(subject: str) -> bool:
    """Whether the network, or the run, of this name is in the package, or made by it."""
    if match := re.fullmatch(r"(.*)/(?:memorised-)?(seed\d+)", subject):
        return f"{match[1]}/{match[2]}" in KEPT
    if match := re.fullmatch(r".*/trained-(.*)", subject):  # the network of another family as a rival
        return any(fixture.startswith(f"{match[1]}/") for fixture in KEPT)
    return not subject.endswith("-seeds")


def as_json(value: dict) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()


setup(cmdclass={"build_py": BuildWithClaims, "sdist": SourcesWithClaims})
