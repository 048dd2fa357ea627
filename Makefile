# The commands of the course. `make` alone lists them.
# Windows: run it in a shell that has the usual Unix tools, such as Git Bash.

WINDOWS := $(filter Windows_NT,$(OS))
PYTHON ?= $(if $(WINDOWS),python,python3)
BIN := .venv/$(if $(WINDOWS),Scripts,bin)
READY := .venv/ready

.PHONY: help lab test mutants bench notebooks book book-serve format

help:                ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## /make \1 - /p' Makefile

lab: $(READY)        ## open the course in JupyterLab; ARGS="--no-browser --port 8899" adds options
	$(BIN)/jupyter lab --allow-root --LabApp.default_url=/lab/tree/notebooks/zh/00_start.ipynb $(ARGS)

test: $(READY)       ## run every test
	$(BIN)/pytest

mutants: $(READY)    ## test the tests: change the core, see what notices; MODULE=schemes: one module
	$(BIN)/python -m pip install -q -c constraints.txt -e ".[mutants]"
	$(BIN)/python -m mutants $(MODULE)

bench: $(READY)      ## measure speed against torch, side by side
	$(BIN)/python -m benchmarks

notebooks: $(READY)  ## execute the notebooks from their .py sources
	$(BIN)/python notebooks/build.py

book: $(READY)       ## build the book, every edition, into _book
	$(BIN)/python book/build.py

book-serve: $(READY) ## serve the book with live reload; ARGS="--port 3001" adds options
	$(BIN)/python book/build.py --serve $(ARGS)

format: $(READY)     ## format the code, and fix what ruff can fix
	$(BIN)/ruff format quantcore tests mutants benchmarks book notebooks/build.py
	$(BIN)/ruff check --fix quantcore tests mutants benchmarks book notebooks/build.py

# The stamp is written last, so an installation that was cut short is taken up again.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -c constraints.txt -e ".[lab,test,book]"
	touch $(READY)
