# An active environment is used and set up if it is not; otherwise .venv is made. Everything here is one pip and
# one pytest line, written out in README.md.
ENV := $(or $(VIRTUAL_ENV),$(CONDA_PREFIX),.venv)
BIN := $(ENV)/bin
READY := $(ENV)/.grok-claims-ready
WORKERS := -n auto --dist loadgroup # a network is loaded by one worker only

.PHONY: claims accept test check site bench gpu rehearse

claims: $(READY)
	$(BIN)/pytest claims/ $(WORKERS) --claims-html claims.html --claims-json verdicts.json

# What a change of claims or verdicts rewrites: the expected verdicts, then the tables that are made from a run. An error
# stops it. Look at the difference before you commit it.
accept: $(READY)
	$(BIN)/pytest claims/ $(WORKERS) --update-expected --claims-json verdicts.json
	$(BIN)/grok report verdicts.json --out docs/claims.md
	$(BIN)/pytest claims/ $(WORKERS) --seeds all --claims-json verdicts-all-seeds.json
	$(BIN)/python -m grok.sweep.replication verdicts-all-seeds.json --fixtures fixtures --out docs/replication.md

test: $(READY)
	$(BIN)/pytest tests/ -n auto

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# From the verdicts of the last run of the claims; without one they run first.
site: $(READY) verdicts.json
	$(BIN)/python -m grok.site verdicts.json --out site

verdicts.json:
	$(MAKE) claims

bench: $(READY)
	$(BIN)/python -m benchmarks.run

gpu: $(READY)
	$(BIN)/python -m benchmarks.gpu.suite --out gpu-results

# The GPU suite on a CPU in an environment of its own, as a machine with a GPU may have it: nothing but what the suite
# needs, the torch of constraints.txt, and the newest triton and numpy that pip finds for this Python. Another one:
#   make rehearse PYTHON=python3.12 TORCH=torch==2.11.0
PYTHON := python3
TORCH := -c constraints.txt torch
rehearse:
	$(PYTHON) -m venv --clear .venv-rehearse
	.venv-rehearse/bin/python -m pip install --quiet --upgrade $(TORCH) \
		triton numpy einops safetensors tqdm pytest hypothesis pytest-benchmark
	.venv-rehearse/bin/python -m pip list
	.venv-rehearse/bin/python -m benchmarks.gpu.suite --rehearse --tests --out gpu-results/rehearsal

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || python3 -m venv $(ENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[test]'
	touch $@
