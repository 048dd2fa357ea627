# The commands of the course. `make` alone lists them.
# Windows: run it in a shell that has the usual Unix tools, such as Git Bash.

WINDOWS := $(filter Windows_NT,$(OS))
PYTHON ?= $(if $(WINDOWS),python,python3)
BIN := .venv/$(if $(WINDOWS),Scripts,bin)
OLDEST := .venv-oldest/$(if $(WINDOWS),Scripts,bin)

# What stands for a finished installation: of the extra `lab` alone, of all that the tests
# need, and of the mutation tester.
LAB := .venv/ready-lab
ALL := .venv/ready-all
MUTANTS := .venv/ready-mutants

# The language of the chapters that `make lab` opens: the system's, or the one asked for.
LOCALE := $(firstword $(LC_ALL) $(LC_MESSAGES) $(LANG))
EDITION ?= $(if $(filter zh%,$(LOCALE)),zh,$(if $(wildcard notebooks/en/SUMMARY.md),en,zh))

.PHONY: help lab reset test test-oldest mutants bench notebooks parity sync book book-serve slides
.PHONY: present class doctor format
.NOTPARALLEL:  # one installation at a time

help:                ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## /make \1 - /p' Makefile

# The variable leads to notebooks/jupyter_server_config.py.
lab: $(LAB)          ## open your copy of the course in JupyterLab; EDITION=zh; ARGS="--no-browser"
	$(BIN)/python notebooks/copies.py
	EDITION=$(EDITION) JUPYTER_CONFIG_PATH=notebooks $(BIN)/jupyter lab $(ARGS)

reset: $(LAB)        ## make your copy of a chapter anew, and keep the old one; CHAPTER=03_params
	$(BIN)/python notebooks/copies.py $(EDITION) --reset $(CHAPTER)

test: $(ALL)         ## run every test; ARGS="-k entropy" adds options
	$(BIN)/pytest $(ARGS)

test-oldest:         ## run the unit tests on the oldest versions; TORCH=2.13.0 takes that torch
	$(PYTHON) -m venv .venv-oldest
	$(OLDEST)/python tests/oldest.py $(addprefix torch==,$(TORCH)) > .venv-oldest/constraints.txt
	$(OLDEST)/python -m pip install -c .venv-oldest/constraints.txt -e ".[lab,test,book]"
	$(OLDEST)/pytest quantcore tests --ignore-glob="tests/test_b*.py" --ignore=tests/test_style.py

mutants: $(MUTANTS)  ## count the mutants of the core that the tests kill; MODULE=schemes takes one
	$(BIN)/python -m mutants $(MODULE)

bench: $(ALL)        ## measure speed as ratios, and the memory of each chapter
	$(BIN)/python -m benchmarks

notebooks: $(ALL)    ## execute the notebooks from their .py sources
	$(BIN)/python notebooks/build.py

parity: $(ALL)       ## compare the editions, cell for cell; CHAPTER=03_params takes one
	$(BIN)/python notebooks/parity.py $(CHAPTER)

sync: $(ALL)         ## bring the code of one edition into the other; FROM=zh CHAPTER=03_params
	$(BIN)/python notebooks/sync.py $(FROM) $(CHAPTER)

book: $(ALL)         ## build the book, every edition, into _book
	$(BIN)/python book/build.py

book-serve: $(ALL)   ## serve the book with live reload; ARGS="--port 3001" adds options
	$(BIN)/python book/build.py --serve $(ARGS)

slides: book         ## build the decks, into _book/LANG/slides, with the book that they belong to

present: $(LAB)      ## open a chapter for a class, with large letters; CHAPTER=04_quantizer
	$(BIN)/python notebooks/present.py $(EDITION) $(CHAPTER) $(ARGS)

class: book          ## write what an instructor takes to class, into _class, and one zip of it
	$(BIN)/python notebooks/classroom.py

doctor: $(LAB)       ## say whether the class can start on this machine, and what to do if not
	$(BIN)/python notebooks/doctor.py

format: $(ALL)       ## format the code, and fix what ruff can fix
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

$(LAB): EXTRAS := lab
$(ALL): EXTRAS := lab,test,book,class
$(MUTANTS): EXTRAS := lab,test,mutants

# The stamps go first and come last, so an installation that was cut short is taken up again.
# Every installation has lab in it, so each answers for that stamp too.
$(LAB) $(ALL) $(MUTANTS): pyproject.toml constraints.txt
	rm -f $(LAB) $@
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -c constraints.txt -e ".[$(EXTRAS)]"
	touch $(LAB) $@
