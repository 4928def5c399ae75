# Two commands for users: `make lab` and `make test`. `make help` lists the rest.

# Python 3.11 is the tested one: take it where it is found. Another one:  make lab PYTHON=python3.12
PYTHON ?= $(shell command -v python3.11 || echo python3)
VENV ?= .venv

BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --no-input --disable-pip-version-check -c constraints.txt
NOTEBOOK_FOLDERS := $(wildcard lessons solutions)
# Trainers run in the cell itself, and a progress picture is drawn once, at the end. Two processes of one thread each are
# quicker than one of two, come to the same numbers on any machine, and do not wait for each other's threads.
WORKERS ?= 2
TEST := GANEDU_DRIVER=sync OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help lab test test-quick lesson new check publish notebooks exercises readme claims lint clean

help: ## List these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1|\2/' \
		| awk -F'|' '{ printf "  make %-16s %s\n", $$1, $$2 }'

lab: $(VENV)/.course ## Set up what is missing and open JupyterLab on the lessons
	$(BIN)/ganedu lab

test: $(VENV)/.dev ## Set up what is missing and run every test, each notebook of lessons and solutions once
	$(TEST) tests $(NOTEBOOK_FOLDERS) --nbval-lax --nbval-current-env

test-quick: $(VENV)/.dev ## The tests that take seconds: no notebooks, no browser, one wrong answer a check
	$(TEST) tests -m "not slow and not browser"

lesson: $(VENV)/.course ## Run one lesson, N=04; its notebook and an HTML page land in build/lessons/
	@test -n "$(N)" || { echo "N: got nothing, wants the number of a lesson: make lesson N=04" >&2; exit 2; }
	$(BIN)/ganedu lesson $(N) --out build/lessons

new: $(VENV)/.dev ## Write the four files of a new lesson: N=13 NAME=cgan TITLE="The conditional GAN"
	$(BIN)/python tools/new.py "$(N)" "$(NAME)" "$(TITLE)"

check: $(VENV)/.dev ## Check one lesson, N=13: style, generated files, structure, its tests, all its wrong answers
	GANEDU_DRIVER=sync OMP_NUM_THREADS=1 $(BIN)/python tools/check.py "$(N)"

publish: $(VENV)/.dev ## Run one lesson, N=13, and write its notebooks, exercise, claims and README row
	GANEDU_DRIVER=sync OMP_NUM_THREADS=1 $(BIN)/python tools/publish.py "$(N)"

notebooks: $(VENV)/.dev ## Write the .ipynb beside every edited .py; N=04 (or N=all) runs it and keeps the new outputs
	$(BIN)/python tools/notebooks.py $(if $(N),--execute $(filter-out all,$(N)))

exercises: $(VENV)/.dev ## Write exercises/ from solutions/
	$(BIN)/python tools/exercises.py

readme: $(VENV)/.dev ## Write the README's table of lessons from the lessons' headers
	$(BIN)/python tools/readme.py

claims: $(VENV)/.dev ## Run LESSON=02 on six seeds and renew its table in docs/claims.md
	@test -n "$(LESSON)" || { echo "LESSON: got nothing, wants the number of a lesson: make claims LESSON=02" >&2; exit 2; }
	$(BIN)/python tools/claims.py $(LESSON)

lint: $(VENV)/.dev ## Check style, and that generated files are in step
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python tools/notebooks.py --check
	$(BIN)/python tools/exercises.py --check
	$(BIN)/python tools/readme.py --check

clean: ## Delete the environment and everything built
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache

# --- the environment: installed when missing, again when what it is made from has changed -----------------------

$(BIN)/python:
	@command -v "$(PYTHON)" >/dev/null || { \
		echo "PYTHON: got $(PYTHON), which is not found; wants Python 3.11, 3.12 or 3.13" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v < (3, 14) or sys.exit("PYTHON: got $(PYTHON), \
	which is Python %d.%d; wants Python 3.11, 3.12 or 3.13 (make PYTHON=python3.11)" % v)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.course: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) -e ".[course]"
	@touch $@

# the development environment holds the students' one
$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) -e ".[dev]"
	@touch $(VENV)/.course $@
