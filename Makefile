# Every target works on a fresh clone with python3, make and the package registries; the Kafka tests also need Java and Maven.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# How many test files run at once; each of so many processes starts the services it needs, such as a Kafka of 350 MB.
WORKERS ?= 2
STAMP := $(VENV)/.installed

.PHONY: install run test check docs format soak e2e bench bench-intake bench-update bench-start bench-gate bench-trust bench-learning bench-learning-quick clean help

help:            ## list the targets
	@grep -E '^[a-z0-9-]+:.*##' Makefile | sed 's/:.*##/\t/' | expand -t 16

install: $(STAMP) ## make .venv with adaptd, its training extra and the development tools

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v < (3, 14) else "adaptd needs Python 3.11 to 3.13; this is %d.%d. Try: make PYTHON=python3.12 install" % v[:2])'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade 'pip>=24'
	$(BIN)/pip install --quiet -e '.[train,dev]'
	touch $(STAMP)

run: install     ## the demo: a small model gets better from simulated feedback, in under five minutes
	$(BIN)/adaptd demo

check: install   ## lint, format, types, import rules, docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest tests/docs -m "not slow" -p no:randomly

docs: install    ## write the pages that are made from code: docs/reference/, docs/schemas/
	$(BIN)/python -m docs.generate

format: install  ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: install    ## unit, contracts, a short real Kafka; under 12 minutes
	$(BIN)/python -m pytest -m "not soak and not e2e" -n $(WORKERS) --dist loadfile

soak: install    ## 20 kills of the daemon on real Kafka, 5 while it trains; negative controls
	$(BIN)/python -m pytest -m soak -s --timeout=3600

e2e: install     ## the demo over seeds, with and without the hostile user
	$(BIN)/python -m pytest -m e2e -s --timeout=3600

bench: bench-start bench-intake bench-update ## the three speed benchmarks; docs/benchmarks.md says what they measure

bench-intake: install ## Kafka to durable scored rows; BENCH=--quick, or '--backlog 1000000'
	$(BIN)/python -m bench.intake $(BENCH)

bench-update: install ## what an update costs beyond training
	$(BIN)/python -m bench.update $(BENCH)

bench-start: install ## ready time and memory
	$(BIN)/python -m bench.start $(BENCH)

bench-gate: install ## what the gate sees and how often it errs, simulated and with real updates; into docs/gate.md. BENCH=--quick
	$(BIN)/python -m bench.gate --write $(BENCH)
	$(BIN)/python -m bench.gate_real --write $(BENCH)

bench-trust: install ## what rewards.trust is worth in simulated crowds; into docs/preference.md. BENCH=--quick
	$(BIN)/python -m bench.trust --write $(BENCH)

bench-learning: install ## what each learner does, under four hours and resumable; docs/results.md has the figures
	$(BIN)/python -m bench.learning $(BENCH)

bench-learning-quick: install ## does the learning benchmark work? a minute or two; part of make test
	$(BIN)/python -m bench.learning --quick

clean:           ## remove what these targets made
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .cache adaptd-demo
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
