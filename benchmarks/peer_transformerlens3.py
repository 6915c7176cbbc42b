"""A training step of TransformerLens 3's ``HookedTransformer`` beside ours: the ratio, on one machine in one sitting.

    python benchmarks/peer_transformerlens3.py [--venv FOLDER] [--steps 20] [--rounds 3] [--recipe modsub-transformer]

The peer runs in a virtual environment of its own, made if it is not there (transformer_lens 3 and 4 exclude each
other), with the sources' loop: all positions, float64 log-softmax, unfused AdamW, test loss at every step. Peer and
ours take turns, so that a machine that slows down slows both; a turn has two steps that are not counted. Both must
start from the same losses, or nothing is reported.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grok.recipe import Recipe

PEER = """
import json, sys, time
from importlib.metadata import version
import torch, transformer_lens
from transformer_lens import HookedTransformer, HookedTransformerConfig

job = json.load(open(sys.argv[1]))
device, p = job["device"], job["p"]
torch.set_num_threads(job["threads"])
config = HookedTransformerConfig(
    n_layers=1, n_heads=job["n_heads"], d_model=job["d_model"], d_head=job["d_head"], d_mlp=job["d_mlp"],
    act_fn="relu", normalization_type=None, d_vocab=p + 1, d_vocab_out=job["n_classes"], n_ctx=3,
    init_weights=True, device=device, seed=job["seed"],
)
model = HookedTransformer(config)
for name, parameter in model.named_parameters():
    if "b_" in name:
        parameter.requires_grad = False
data = {k: torch.tensor(job[k], device=device) for k in ("train", "test", "train_labels", "test_labels")}
optimiser = torch.optim.AdamW(model.parameters(), lr=job["lr"], weight_decay=job["weight_decay"], betas=job["betas"])

def loss(part):
    logits = model(data[part])[:, -1].to(torch.float64)
    return -logits.log_softmax(-1).gather(-1, data[part + "_labels"][:, None])[:, 0].mean()

def finished():
    if device != "cpu":
        torch.cuda.synchronize()

times, first = [], None
for i in range(job["steps"] + 2):
    began = time.perf_counter()
    train = loss("train")
    train.backward()
    optimiser.step()
    optimiser.zero_grad()
    with torch.inference_mode():
        test = loss("test")
    finished()
    times.append(time.perf_counter() - began)
    first = train.item() if first is None else first
print(json.dumps({"times": times[2:], "loss": first, "versions": [version("transformer_lens"), torch.__version__]}))
"""


def environment(folder: Path) -> Path:
    """The interpreter of a virtual environment with transformer_lens 3 and our torch; made if it is not there."""
    import torch

    python = folder / "bin" / "python"
    if not python.exists():
        print(f"making {folder}; this downloads transformer_lens 3", file=sys.stderr)
        venv.create(folder, with_pip=True)
    found = subprocess.run([python, "-c", "import transformer_lens"], capture_output=True)
    if found.returncode:
        version = torch.__version__.partition("+")[0]
        packages = ["transformer_lens>=3,<4", f"torch=={version}"]
        subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
    return python


def job_of(recipe: Recipe, device: str, threads: int) -> dict[str, Any]:
    """What ``PEER`` reads, but for the number of steps."""
    import torch

    task, split = recipe.task, recipe.split()
    pairs, labels = task.pairs(), task.labels()
    tokens = torch.cat([pairs, torch.full((len(pairs), 1), task.p)], dim=1)
    sizes = {k: getattr(recipe, k) for k in ("seed", "n_heads", "d_head", "d_model", "d_mlp", "lr", "weight_decay")}
    job = sizes | {
        "p": task.p,
        "n_classes": task.n_classes,
        "betas": recipe.betas,
        "device": device,
        "threads": threads,
    }
    for part, which in (("train", split.train), ("test", split.test)):
        job |= {part: tokens[which].tolist(), f"{part}_labels": labels[which].tolist()}
    return job


def our_turn(recipe, device: str, name: str, steps: int) -> dict:
    """Times of steps with their test loss, and the first train loss."""
    import torch

    from grok.train.engines import engine
    from grok.train.graph import Graphed
    from grok.train.state import State

    torch.set_flush_denormal(True)
    step = engine.make([recipe], name, State.fresh([recipe], device))
    first = float(step.train_loss())
    times = []
    if isinstance(step, Graphed):
        step.advance_chunk()
        for _ in range(max(1, steps // 10)):  # a hundred steps, each chunk launched before the one before has ended
            began = time.perf_counter()
            for t in range(0, 100, step.chunk):
                wait = step.start_chunk(t)
            wait()
            times.append((time.perf_counter() - began) / 100)
        return {"times": times, "loss": first}
    for _ in range(steps + 2):
        began = time.perf_counter()
        step.advance()
        step.test_loss()
        times.append(time.perf_counter() - began)
    return {"times": times[2:], "loss": first}


def main() -> int:
    import torch

    from grok.recipe import get_recipe

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venv", type=Path, default=Path(".venv-transformerlens3"))
    parser.add_argument("--recipe", default="modsub-transformer")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engine", help="default: manual on a CPU, triton on a GPU")
    options = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    name = options.engine or ("triton" if device == "cuda" else "manual")
    recipe, python = get_recipe(options.recipe), environment(options.venv)
    job = job_of(recipe, device, torch.get_num_threads()) | {"steps": options.steps}
    peers, ours = [], []
    with tempfile.TemporaryDirectory() as folder:
        script, data = Path(folder) / "peer.py", Path(folder) / "job.json"
        script.write_text(PEER)
        data.write_text(json.dumps(job))
        for _ in range(options.rounds):
            done = subprocess.run([python, script, data], stdout=subprocess.PIPE, text=True, check=True)
            peers.append(json.loads(done.stdout.strip().splitlines()[-1]))
            ours.append(our_turn(recipe, device, name, options.steps))
    if abs(peers[0]["loss"] / ours[0]["loss"] - 1) > 1e-6:
        print(f"not the same model: first losses {peers[0]['loss']} and {ours[0]['loss']}", file=sys.stderr)
        return 1
    found = {who: [statistics.median(turn["times"]) * 1e3 for turn in turns] for who, turns in
             ((f"transformer_lens {peers[0]['versions'][0]}", peers), (f"grok, {name}", ours))}  # fmt: skip
    where = torch.cuda.get_device_name() if device == "cuda" else f"cpu, {torch.get_num_threads()} threads"
    print(f"{recipe.name}: one step with its test loss, {where}, torch {torch.__version__}")
    for who, medians in found.items():
        print(f"  {who:28} {statistics.median(medians):9.3f} ms   turns: {', '.join(f'{m:.3f}' for m in medians)}")
    ratios = [a / b for a, b in zip(*found.values(), strict=True)]
    print(f"  ratio {statistics.median(ratios):.1f}   turns: {', '.join(f'{r:.1f}' for r in ratios)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
