# Two commands for a fresh machine: `make quickstart` and `make test`. The others assume one of them ran.
PYTHON_BIN := .venv/bin
# Every domain that this release plays, and the tools: the tests run the real simulators.
TEST_EXTRAS := dmcontrol,metaworld,maniskill,mujoco,box2d,robodesk,ogbench,arcade,atari,agents,language,demos,minari,lerobot,media,ray,sb3,docs,dev

.PHONY: help quickstart test check format benchmark docs stills pictures clean

help:
	@echo "make quickstart   set up .venv, then train Newt on a small game: scores, learning curve and videos in quickstart/"
	@echo "make test         set up .venv, then run linters, type checker, import contracts and all tests"
	@echo "make check        linters, type checker, import contracts and the leaderboard only"
	@echo "make format       format the code"
	@echo "make benchmark    measure environment overhead, import time and the vector environment"
	@echo "make docs         build the site in docs/_build/html; warnings are errors"
	@echo "make stills       draw the small pictures that the site is kept with, anew, into docs/stills"
	@echo "make pictures     draw every task larger, and a clip of it, for the site (many minutes), into docs/pictures"
	@echo "make clean        remove .venv and build products"

quickstart:
	scripts/setup.sh arcade,agents,media
	$(PYTHON_BIN)/newt-bench quickstart

test:
	scripts/setup.sh $(TEST_EXTRAS)
	$(MAKE) --no-print-directory check
	$(PYTHON_BIN)/pytest -n 2 --dist loadfile

check:
	$(PYTHON_BIN)/ruff format --check .
	$(PYTHON_BIN)/ruff check .
	$(PYTHON_BIN)/mypy
	$(PYTHON_BIN)/lint-imports --no-logo
	$(PYTHON_BIN)/newt-bench leaderboard validate leaderboard

format:
	$(PYTHON_BIN)/ruff format .
	$(PYTHON_BIN)/ruff check --fix .

benchmark:
	$(PYTHON_BIN)/python benchmarks/env_overhead.py
	$(PYTHON_BIN)/python benchmarks/import_time.py
	$(PYTHON_BIN)/python benchmarks/vector.py

docs:
	$(PYTHON_BIN)/sphinx-build --fail-on-warning --keep-going --quiet --jobs auto docs docs/_build/html

stills:
	$(PYTHON_BIN)/newt-bench gallery --size 192 --format webp --no-sheets --out docs/stills

pictures:
	$(PYTHON_BIN)/newt-bench gallery --clips 60 --out docs/pictures

clean:
	rm -rf .venv build dist *.egg-info docs/_build docs/generated docs/tasks
