# Everything one does with this repository. `make` alone lists it.
#
# Each target first sets up what it needs, in .venv, with the first suitable Python on the PATH. Set-up steps leave
# a stamp file there and run again only when what they depend on has changed.
#
#   make serve MODEL=microsoft/bitnet-b1.58-2B-4T ARGS="--port 9000"
#   make test ARGS="tests/engine -k scheduler"
#
# TORCH_INDEX: a package index with CPU builds of torch. PyPI's build for Linux on x86 carries CUDA, several GB that
# are of no use here; PyTorch's own is https://download.pytorch.org/whl/cpu.

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

export CMAKE_BUILD_PARALLEL_LEVEL ?= $(shell nproc 2>/dev/null || echo 2)

.DEFAULT_GOAL := help
.PHONY: help setup serve test test-slow test-dashboards test-deploy test-eval test-image test-ray test-sanitizers test-wheel soak check format bench train image wheel clean distclean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.native $(VENV)/.dev ## Set up everything, for an editor or a debugger

serve: $(VENV)/.native ## Serve MODEL (a folder or a hub id; none: the built-in model) on port 8000
	$(BIN)/sterna serve $(MODEL) $(ARGS)

test: $(VENV)/.native $(VENV)/.dev ## Run the tests
	$(BIN)/python -m pytest $(ARGS)

test-slow: $(VENV)/.native $(VENV)/.dev ## Run the tests that take minutes
	$(BIN)/python -m pytest -m "slow and not network" $(ARGS)

test-dashboards: $(VENV)/.native $(VENV)/.dev ## Check dashboards and alerts in a real Prometheus (which must be there)
	@command -v prometheus >/dev/null || \
	  { echo "make test-dashboards needs Prometheus: apt-get install --no-install-recommends prometheus" >&2; exit 1; }
	$(BIN)/python -m pytest -m dashboards tests/dashboards $(ARGS)

test-deploy: $(VENV)/.native $(VENV)/.deploy ## Lint, render and check what is in deploy/
	$(BIN)/python -m pytest -m deploy tests/deploy $(ARGS)

test-eval: $(VENV)/.native $(VENV)/.eval ## Compare lm-eval through the server and through transformers
	$(BIN)/python -m pytest -m eval tests/lm_eval $(ARGS)

test-image: $(VENV)/.native $(VENV)/.dev ## Build the container image without a daemon and try it (Debian, root; minutes)
	$(BIN)/python -m pytest -m image tests/deploy $(ARGS)

test-ray: $(VENV)/.native $(VENV)/.ray ## Try a Ray cluster of two replicas on this machine (installs Ray, 500 MB)
	@unshare --map-root-user --net ip link set lo up || \
	  { echo "make test-ray needs iproute2, and a kernel that lets us make a network namespace" >&2; exit 1; }
	unshare --map-root-user --net sh -c 'ip link set lo up && exec "$$@"' - \
	  $(BIN)/python -m pytest -m ray tests/deploy $(ARGS)

# Their reports go to standard error while a test runs: nothing must hold it back.
test-sanitizers: $(VENV)/.native $(VENV)/.dev ## Test the kernels for memory errors, undefined behaviour and data races (GCC)
	scripts/with_sanitizers.sh address,undefined libasan.so $(BIN)/python -m pytest --capture=no tests/engine/kernels $(ARGS)
	scripts/with_sanitizers.sh thread libtsan.so $(BIN)/python -m pytest --capture=no tests/engine/kernels $(ARGS)

test-wheel: $(VENV)/.native $(VENV)/.dev ## Build the wheel, install it elsewhere, and serve (installs from the index)
	$(BIN)/python -m pytest -m wheel tests/test_wheel.py $(ARGS)

soak: $(VENV)/.native $(VENV)/.dev ## Put mixed load and faults on a server for MINUTES (none: 15), and check every answer
	$(BIN)/python -m tests.soak --minutes $(or $(MINUTES),15) $(ARGS)

check: $(VENV)/.native $(VENV)/.dev ## Check style, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/clang-format --dry-run -Werror $(CPP_FILES)

format: $(VENV)/.dev ## Rewrite the code in the house style
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CPP_FILES)

bench: $(VENV)/.native ## Measure kernels, then the model: figures against the machine's own limits
	$(BIN)/sterna bench kernels $(ARGS)
	$(BIN)/sterna bench model $(ARGS)

wheel: $(VENV)/.build ## Build the wheel into dist/
	scripts/with_compiler.sh $(BIN)/python $(BIN)/python -m pip wheel --no-build-isolation --no-deps -w dist .

train: $(VENV)/.native ## Train the built-in model anew (about two hours; resumes) into server/builtin_model
	$(BIN)/python -m training.train --run training/runs/ternary $(ARGS)
	$(BIN)/python -m training.export --run training/runs/ternary --to server/builtin_model

image: ## Build the container image, with docker, podman or buildah
	@for tool in docker podman buildah; do \
	  $$tool info >/dev/null 2>&1 && { set -x; exec $$tool build --tag $(IMAGE) --build-arg TORCH_INDEX=$(TORCH_INDEX) $(ARGS) .; }; \
	done; echo "make image needs docker, podman or buildah" >&2; exit 1

clean: ## Remove what was built, keep .venv
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache $(VENV)/.native

distclean: clean ## Remove .venv too
	rm -rf $(VENV)

# Set-up, step by step.

$(VENV)/.pip:
	@$(PYTHON) scripts/check_python.py
	@echo "Making $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1' # which knows dependency groups
	@touch $@

$(VENV)/.build: $(VENV)/.pip pyproject.toml constraints.txt
	@echo "Installing what builds the kernels"
	@$(PIP_INSTALL) --group build
	@$(if $(TORCH_INDEX),$(PIP_INSTALL) --index-url $(TORCH_INDEX) torch)
	@touch $@

$(VENV)/.native: $(VENV)/.build $(CPP_FILES) engine/kernels/CMakeLists.txt
	@echo "Installing what Sterna needs and compiling its kernels: minutes, the first time"
	@scripts/with_compiler.sh $(BIN)/python $(PIP_INSTALL) --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.build
	@echo "Installing the tools of the tests and checks"
	@$(PIP_INSTALL) --group lint --group test
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
