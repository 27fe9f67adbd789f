.POSIX:
.SUFFIXES:
# None of them is a file, though some have the name of a folder.
.PHONY: help demo dev test check check.format check.text check.scripts check.notebook check.migrations check.doc check.openapi lint format openapi screenshots bench db.update db.revision db.reset db.seed db.seed.elexon db.test.migrations clean

# The commands of the project; `make help` lists them. What needs more than a line is in scripts/.
# Variables of the command line (NAME=, FORCE=, FULL=, KEEP_PG=, NATIVE=) reach the commands through their environment.

GRANARY = cargo run -q -p granary --

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z.]+:.*## / { printf "  %-20s %s\n", $$1, $$2 }' Makefile

demo: ## Build for release and run a registry full of made-up data
	cargo run --release -p granary -- demo

dev: ## Run the server: in containers with PostgreSQL where an engine answers, else on SQLite (NATIVE=1)
	@scripts/dev.sh

test: ## Install what the tests need, then run all of them (KEEP_PG=1 leaves PostgreSQL running)
	@scripts/test.sh

check: check.format check.text check.scripts check.notebook check.migrations lint check.doc check.openapi ## Everything that can be checked without running tests

check.format:
	cargo fmt --all --check

check.text:
	@scripts/check-text.sh

check.scripts:
	@scripts/check-scripts.sh

check.notebook:
	@python3 scripts/notebook.py check

check.migrations:
	@scripts/check-migrations.sh

check.doc:
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

check.openapi:
	@scripts/openapi.sh check

lint: ## Run clippy, warnings denied
	cargo clippy --workspace --all-targets -- -D warnings

format: ## Format the code
	cargo fmt --all

openapi: ## Write openapi.json anew from the code
	@scripts/openapi.sh write

screenshots: ## Make the pictures of the screens anew, from a demonstration
	@scripts/setup-tests.sh
	@SERVE="demo --days 30" scripts/with-server.sh .venv/bin/python scripts/screenshots.py

bench: ## Measure on both databases, durable, built for release (1 million bundles; FULL=1: 10 million)
	@scripts/bench.sh

db.update: ## Bring the development database up to date
	$(GRANARY) migrate

db.revision: ## Make a migration for both databases: NAME=add_something
	@scripts/db-revision.sh "$$NAME"

db.reset: ## Drop the development database, after asking (FORCE=1 does not ask)
	@scripts/db-reset.sh

db.seed: ## Fill the development database with made-up data
	$(GRANARY) demo --no-serve

db.seed.elexon: ## Fetch four days of five British wind farms into the development database (ACCOUNT=id or name)
	$(GRANARY) import elexon --from 2025-01-12 --to 2025-01-16 --register-into "$${ACCOUNT:-British wind}" \
		--units E_MARK-1,T_ABRBO-1,T_RATS-1,E_BLARW-1,C__PSMAR001

db.test.migrations: check.migrations ## Run all migrations on empty databases of both kinds
	@scripts/test-migrations.sh

clean: ## Remove everything that was built or installed into this folder (data/ stays)
	cargo clean
	rm -rf .venv .tools
