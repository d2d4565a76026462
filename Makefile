# `make` alone says what there is to make.

PYTHON ?= python3
# Which build of torch `make setup` installs: cpu, or cuda (several GB). TORCH='...', any
# arguments of pip (a version, an index), chooses another torch altogether. `make clean` first to change an earlier choice.
TORCH_BACKEND ?= cpu
TORCH ?=

BIN := .venv/bin
INSTALLED := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slurm reliability lint format bench mutate clean clean-results

help: ## say what there is to make
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name what; do \
	    printf '  make %-14s %s\n' "$$name" "$$what"; done

setup: $(INSTALLED) ## install everything into .venv (TORCH_BACKEND=cpu or cuda)

$(INSTALLED): pyproject.toml constraints.txt tools/install.sh
	@PYTHON='$(PYTHON)' TORCH_BACKEND='$(TORCH_BACKEND)' TORCH='$(TORCH)' sh tools/install.sh
	@touch $@

demo: setup ## run a small study of handwritten digits and make its report
	@touch .venv/.demo
	@$(BIN)/snakemake --profile profiles/demo
	@[ -n "$$(find results/demo -newer .venv/.demo -type f ! -name '*.lock')" ] || \
	    echo "The study is up to date: nothing had to run."
	@echo "Report: results/demo/report.html (how it was made: results/demo/snakemake-report.html)"

test: setup ## run the tests
	@# A process for each core, with one thread each; then what starts processes of its own.
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto -m "not workflow and not slurm"
	$(BIN)/pytest -m workflow
	$(BIN)/pytest -m slurm

test-slurm: setup ## run the tests on a Slurm of this machine, and fail without one
	RNNXAI_SLURM=required $(BIN)/pytest -m slurm

reliability: setup ## provoke every fault and write docs/reliability.md (needs Slurm)
	RNNXAI_SLURM=required $(BIN)/pytest tests/slurm tests/workflow/test_damage.py \
	    tests/workflow/test_faults.py --write-reliability

lint: setup ## check style, types and the workflow
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

format: setup ## lay the code out as `make lint` wants it
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/snakefmt Snakefile workflow

# BENCH='recurrent growth' runs some of them, FLAGS=--json prints one object per table.
BENCH ?= timing training explanations recurrent growth archive
bench: setup ## measure speed (benchmarks/), a few minutes for each part
	@for name in $(BENCH); do $(BIN)/python "benchmarks/$$name.py" $(FLAGS) || exit 1; done

mutate: setup ## make one mistake at a time in the code that explains: a test must fail (docs/mutation.md)
	$(BIN)/python tools/mutate.py

clean: ## remove .venv and caches; results and data stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	find src tests workflow -name __pycache__ -type d -prune -exec rm -rf {} +

clean-results: ## remove all results
	find results -mindepth 1 -maxdepth 1 ! -name README.md -exec rm -rf {} +
