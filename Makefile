# Everything one does with this repository. `make` alone lists it.
#
# Each target first sets up what it needs, in .venv, with the first suitable Python on the PATH. Set-up steps leave
# a stamp file there and run again only when what they depend on has changed.
#
#   make serve MODEL=microsoft/bitnet-b1.58-2B-4T ARGS="--port 9000"
#   make test ARGS="tests/engine -k scheduler"
#
# TORCH_INDEX: a package index with CPU builds of torch, for tests and training, such as
# https://download.pytorch.org/whl/cpu. PyPI's build for Linux on x86 includes several GB of CUDA, which Sterna does not use.

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(firstword $(foreach name,python3 python3.14 python3.13 python3.12 python3.11,\
  $(shell $(name) scripts/check_python.py >/dev/null 2>&1 && echo $(name))) python3)
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
TORCH_INDEX ?=
MODEL ?=
ARGS ?=
IMAGE ?= sterna
CPP_FILES := $(shell find engine/kernels/csrc -name "*.cpp" -o -name "*.h")
CPP_TESTS := $(wildcard tests/engine/kernels/*.cpp)

export CMAKE_BUILD_PARALLEL_LEVEL ?= $(shell nproc 2>/dev/null || echo 2)

.DEFAULT_GOAL := help
.PHONY: help setup serve test test-slow test-dashboards test-deploy test-eval test-image test-mutants test-ray test-sanitizers test-wheel soak check format bench train image wheel clean distclean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.dev $(VENV)/.native ## Set up everything, for an editor or a debugger

serve: $(VENV)/.native ## Serve MODEL (folder or Hugging Face id; default: built-in) on port 8000
	$(BIN)/sterna serve $(MODEL) $(ARGS)

test: $(VENV)/.dev $(VENV)/.native ## Run the tests
	$(BIN)/python -m pytest $(ARGS)

test-slow: $(VENV)/.dev $(VENV)/.native ## Run the tests that take minutes
	$(BIN)/python -m pytest -m "slow and not network" $(ARGS)

test-dashboards: $(VENV)/.dev $(VENV)/.native ## Test dashboards and alerts with Prometheus (must be installed)
	@command -v prometheus >/dev/null || \
	  { echo "make test-dashboards needs Prometheus: apt-get install --no-install-recommends prometheus" >&2; exit 1; }
	$(BIN)/python -m pytest -m dashboards tests/dashboards $(ARGS)

test-deploy: $(VENV)/.deploy $(VENV)/.native ## Lint, render and validate the files in deploy/
	$(BIN)/python -m pytest -m deploy tests/deploy $(ARGS)

test-eval: $(VENV)/.eval $(VENV)/.native ## Compare lm-eval's scores through the server and transformers
	$(BIN)/python -m pytest -m eval tests/lm_eval $(ARGS)

test-image: $(VENV)/.dev $(VENV)/.native ## Build the container image without a daemon and test it (Debian, root; minutes)
	$(BIN)/python -m pytest -m image tests/deploy $(ARGS)

test-mutants: $(VENV)/.dev $(VENV)/.native ## Make mistakes in a copy of the code, and see that tests notice each (minutes)
	$(BIN)/python -m pytest -m mutants tests/mutants $(ARGS)

test-ray: $(VENV)/.ray $(VENV)/.native ## Test a local Ray cluster of two replicas (installs Ray, 500 MB)
	@unshare --map-root-user --net ip link set lo up || \
	  { echo "make test-ray needs iproute2, and a kernel that lets us make a network namespace" >&2; exit 1; }
	unshare --map-root-user --net sh -c 'ip link set lo up && exec "$$@"' - \
	  $(BIN)/python -m pytest -m ray tests/deploy $(ARGS)

# Reports go to standard error while a test runs, so pytest must not capture it.
test-sanitizers: $(VENV)/.dev $(VENV)/.native ## Test the kernels for memory errors, undefined behaviour and data races (GCC)
	scripts/with_sanitizers.sh address,undefined libasan.so $(BIN)/python -m pytest --capture=no tests/engine/kernels $(ARGS)
	scripts/with_sanitizers.sh thread libtsan.so $(BIN)/python -m pytest --capture=no tests/engine/kernels $(ARGS)

test-wheel: $(VENV)/.dev $(VENV)/.native ## Build the wheel, install it elsewhere, and serve (installs from the index)
	$(BIN)/python -m pytest -m wheel tests/test_wheel.py $(ARGS)

soak: $(VENV)/.dev $(VENV)/.native ## Put mixed load and faults on a server for MINUTES (default: 15), and check every answer
	$(BIN)/python -m tests.soak --minutes $(or $(MINUTES),15) $(ARGS)

check: $(VENV)/.dev $(VENV)/.native ## Check style, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/clang-format --dry-run -Werror $(CPP_FILES) $(CPP_TESTS)

format: $(VENV)/.dev ## Format the code
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CPP_FILES) $(CPP_TESTS)

bench: $(VENV)/.native ## Measure kernels and the model, compared with the machine's limits
	$(BIN)/sterna bench kernels $(ARGS)
	$(BIN)/sterna bench model $(ARGS)

wheel: $(VENV)/.pip ## Build the wheel into dist/
	scripts/with_compiler.sh $(BIN)/python $(BIN)/python -m pip wheel --build-constraint constraints.txt --no-deps -w dist .

train: $(VENV)/.dev $(VENV)/.native ## Train the built-in model again into server/builtin_model (about two hours; resumes)
	$(BIN)/python -m training.train --run training/runs/ternary $(ARGS)
	$(BIN)/python -m training.export --run training/runs/ternary --to server/builtin_model

image: ## Build the container image, with docker, podman or buildah
	@for tool in docker podman buildah; do \
	  $$tool info >/dev/null 2>&1 && { set -x; exec $$tool build --tag $(IMAGE) $(ARGS) .; }; \
	done; echo "make image needs docker, podman or buildah" >&2; exit 1

clean: ## Remove build results, keep .venv
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache $(VENV)/.native

distclean: clean ## Remove .venv too
	rm -rf $(VENV)

# Set-up, step by step; one pip at a time.

.NOTPARALLEL:

$(VENV)/.pip:
	@$(PYTHON) scripts/check_python.py
	@echo "Making $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pip>=25.3' # which knows --build-constraint
	@touch $@

$(VENV)/.dev: $(VENV)/.pip pyproject.toml constraints.txt
	@echo "Installing the tools of the tests and checks"
	@$(if $(TORCH_INDEX),$(PIP_INSTALL) --index-url $(TORCH_INDEX) torch)
	@$(PIP_INSTALL) --group dev
	@touch $@

# To serve takes no build tools (90 MB): pip drops them after the build. Beside the tools of the tests they stay, and only
# what has changed is compiled again.
$(VENV)/.native: $(VENV)/.pip pyproject.toml constraints.txt $(CPP_FILES) engine/kernels/CMakeLists.txt
	@echo "Installing what Sterna needs and compiling its kernels: about a minute, the first time"
	@isolation=$$(test -e $(VENV)/.dev && echo --no-build-isolation || echo --build-constraint constraints.txt); \
	  scripts/with_compiler.sh $(BIN)/python $(PIP_INSTALL) $$isolation --editable .
	@touch $@

$(VENV)/.deploy: $(VENV)/.dev
	@echo "Installing what checks charts and manifests: about 100 MB"
	@$(PIP_INSTALL) --group deploy
	@touch $@

$(VENV)/.ray: $(VENV)/.dev
	@echo "Installing Ray Serve: 500 MB"
	@$(PIP_INSTALL) --group ray
	@touch $@

$(VENV)/.eval: $(VENV)/.dev
	@echo "Installing lm-eval: about 600 MB"
	@$(PIP_INSTALL) --group eval
	@touch $@
