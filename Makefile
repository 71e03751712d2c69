# A thin face over the scripts of package.json.
.DEFAULT_GOAL := help
.PHONY: help setup migrate shell demo test run clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## Install the packages and make the database ready
	@npm run --silent migrate

migrate: ## Bring the database to this version's schema
	@npm run --silent migrate

shell: ## A console with the services loaded
	@npm run --silent shell

demo: ## The whole path of payments, shown and checked
	@npm run --silent demo

test: ## Types, lint and all tests
	@npm test

run: ## Start database, PSP simulator and service, and keep them running
	@npm start

clean: ## Remove containers, volumes and the embedded database with all its data
	@if command -v docker > /dev/null 2>&1; then \
		DB_PASSWORD=- SECRET_KEY=- PSP_STRIPE_SECRET_KEY=- docker compose down --volumes --remove-orphans; fi
	@node scripts/clean.mjs
