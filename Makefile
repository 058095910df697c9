PYTHON  ?= python3
VENV    ?= .venv
WORKERS ?= 2

# PY is the Python that everything runs with. An environment of your own is left as it is.
ifneq ($(strip $(PY)),)
READY :=
else ifeq ($(strip $(VENV)),)
PY := python
READY :=
else
PY := $(VENV)/bin/python
READY := setup
endif

# Each check runs, also when one before it fails; the contracts of imports stand in pyproject.toml.
IMPORTS := -c 'from importlinter.cli import lint_imports_command as run; run()' --no-cache --no-logo
define LINT
$(PY) -m ruff check || failed="$$failed ruff check,"; \
$(PY) -m ruff format --check || failed="$$failed ruff format,"; \
$(PY) $(IMPORTS) || failed="$$failed imports,";
endef

.PHONY: help setup demo test lint clean
.DEFAULT_GOAL := help

help:
	@echo "make setup   make $(VENV): PyTorch, Detectron2, rcf_vis; quick when it is there already"
	@echo "make demo    the whole system at work, on synthetic videos; results in output/demo"
	@echo "make test    pytest, and what make lint does"
	@echo "make lint    ruff check, ruff format --check, and which package may import which"
	@echo "make clean   remove caches and output/demo"
	@echo
	@echo "make demo and make test call make setup when it is needed. Settings, NAME=value after make:"
	@echo "  PYTHON=python3.11     the Python (3.10 to 3.14) that setup makes the environment with"
	@echo "  VENV=folder           another folder than .venv"
	@echo "  VENV=                 no setup: the environment that is active (pip install -e '.[dev]')"
	@echo "  PY=path/to/python     no setup: the environment of this Python"
	@echo "  WORKERS=2             processes that pytest runs in"
	@echo "  PYTEST_ARGS='...'     more arguments for pytest, e.g. tests/tracking or -k identity"
	@echo "pip's own settings (PIP_INDEX_URL and others) hold for setup."

setup:
ifeq ($(READY),setup)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 7))' 2>/dev/null || { \
	  echo "setup: Python 3.10 to 3.14 is needed; $(PYTHON) does not run or is too old."; \
	  echo "Try: make setup PYTHON=python3.11"; exit 1; }
	@$(PYTHON) scripts/setup_venv.py $(VENV)
else
	@echo "setup: $(PY) is an environment of your own. It needs PyTorch, then"
	@echo "  $(PY) scripts/install_detectron2.py && $(PY) -m pip install -e '.[dev]'"
endif

demo: $(READY)
	@$(PY) tools/make_demo.py --output output/demo

# One thread a worker: torch would otherwise start as many in each as there are cores.
test: $(READY)
	@failed=; \
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} \
	  $(PY) -m pytest -n $(WORKERS) --dist loadfile $(PYTEST_ARGS) || failed="$$failed pytest,"; \
	$(LINT) \
	if [ -n "$$failed" ]; then echo "make test:$${failed%,} failed"; exit 1; fi

lint: $(READY)
	@failed=; \
	$(LINT) \
	if [ -n "$$failed" ]; then echo "make lint:$${failed%,} failed"; exit 1; fi

clean:
	rm -rf output/demo build .pytest_cache .ruff_cache
	find rcf_vis tests scripts tools datasets -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
