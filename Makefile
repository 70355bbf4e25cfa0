# The vocabulary of this repository. `make help` lists it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PROFILE ?= release
CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
# Cargo's directory of a profile: dev is built into debug/.
BUILT = $(TARGET)/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))
VERSION = $(shell sed -n 's/^version = "\(.*\)"$$/\1/p' Cargo.toml | head -n 1)
CRATES := hsm-types hsm-drivers appliance-wire service-manager appliance watcher-client provisioning pkcs11-shim \
	faulty-disk reference integration-tests

# Beside which node the quickstart shows an exchange: litecoin or anvil; without one it shows a withdrawal.
WITH ?=
QUICKSTART ?= var/quickstart$(addprefix -,$(WITH))
demonstration = $(if $(WITH),exchange,withdrawal)
quickstart-flags = $(if $(filter 1,$(ONCE)),--once) $(if $(WITH),--with $(WITH)) $(if $(WATCHER_PORT),--watcher-port $(WATCHER_PORT)) \
	$(if $(MONITOR_PORT),--monitor-port $(MONITOR_PORT))

# As for the packages where their tools are here: what was built for the one is there for the other.
auditable := $(wildcard $(CURDIR)/var/tools/bin/cargo-auditable)
build = $(if $(auditable),PATH="$(dir $(auditable)):$$PATH" $(CARGO) auditable build,$(CARGO) build)

FUZZ_SECONDS ?= 60

.PHONY: help quickstart test check bench fuzz soak clients docs image deb sbom audit reproducible clean-quickstart programs

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

quickstart: programs ## a withdrawal signed on this machine, WITH=litecoin or anvil an exchange (ONCE=1, PROFILE=dev, WATCHER_PORT=, MONITOR_PORT=)
	@export SOFTHSM2_MODULE="$$(.ci/prerequisites --softhsm)"; \
	$(if $(filter anvil,$(WITH)),export CHANCERY_ANVIL="$$(.ci/prerequisites --anvil)";) \
	exec $(BUILT)/chancery-provision quickstart --directory $(QUICKSTART) $(quickstart-flags) \
		--demonstration $(BUILT)/examples/$(demonstration)

# Apart from what follows: built together, the appliance would hold what only provisioning asks of the drivers (making
# keys), and the watcher what only its example needs.
appliance-and-watcher = $(build) --profile $(PROFILE) -p appliance -p watcher-client --bins
programs:
	@.ci/prerequisites $(WITH)
	$(appliance-and-watcher)
	$(build) --profile $(PROFILE) -p provisioning --bins
	$(build) --profile $(PROFILE) -p watcher-client --example $(demonstration)

test: ## install what the tests need, and run all of them
	@.ci/prerequisites tests
	@.ci/test

check: ## formatting, and clippy on each crate by itself
	$(CARGO) fmt --all --check
	@for crate in $(CRATES); do \
		echo "$(CARGO) clippy -p $$crate --all-targets -- -D warnings"; \
		$(CARGO) clippy -p $$crate --all-targets -- -D warnings; \
	done

bench: ## signatures a second, end to end, one line a measurement
	@.ci/prerequisites
	@export SOFTHSM2_MODULE="$$(.ci/prerequisites --softhsm)"; \
	$(CARGO) bench -p integration-tests --bench end_to_end --bench worker; \
	exec $(CARGO) bench -p integration-tests --bench scale

# The tests of `make test` that take a number, with large ones. Built once, for a test that runs long must not be replaced.
# Not by nextest, which ends a test after minutes.
soak: ## faults, crashes, power cuts, mutations, rollbacks, signatures and withdrawals by the thousand (two hours)
	@.ci/prerequisites tests
	@export SOFTHSM2_MODULE="$$(.ci/prerequisites --softhsm)" FAULTS=1000 CHANCERY_TEST_SIGNATURES=100000 \
		CHANCERY_TEST_CYCLES=200 CHANCERY_TEST_CUTS=2000 CHANCERY_TEST_MUTATIONS=10000 CHANCERY_TEST_ROLLBACKS=200 \
		CHANCERY_TEST_WITHDRAWALS=1000; \
	exec $(CARGO) test -p integration-tests --test product -- device_faults:: device_log:: crash:: power_cut::a_cut_that \
		mutations:: rollback:: exactly_once:: --test-threads 1

# On the stable compiler: coverage is instrumented all the same, and the code has no unsafe for a sanitizer to watch.
fuzz: ## each fuzz target for FUZZ_SECONDS (needs `cargo install cargo-fuzz --locked`)
	@cd appliance/wire/fuzz && $(CARGO) run --quiet --bin seeds corpus
	@cd appliance/wire/fuzz && for target in psbt eip2718 request; do \
		RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run -s none $$target -- -max_total_time=$(FUZZ_SECONDS) -max_len=65536; \
	done

# Into a directory of one's own: CLIENTS=. The tools are in var/, see .ci/prerequisites.
CLIENTS ?= var/clients
clients: ## clients for Python and TypeScript, made from docs/openapi.json into var/clients
	@.ci/prerequisites clients
	@rm -rf -- "$(CLIENTS)/python" "$(CLIENTS)/typescript"; mkdir -p "$(CLIENTS)/python" "$(CLIENTS)/typescript"
	@PYTHONPATH="$$PWD/var/python" PATH="$$PWD/var/python/bin:$$PATH" python3 -B -m openapi_python_client generate \
		--path docs/openapi.json --config watcher-client/clients/python/config.yaml --meta none --fail-on-warning \
		--output-path "$(CLIENTS)/python/chancery_client"
	@cp watcher-client/clients/typescript/{package.json,tsconfig.json,example.ts} "$(CLIENTS)/typescript"
	@ln -s "$$PWD/var/npm/node_modules" "$(CLIENTS)/typescript/node_modules"
	@node var/npm/node_modules/openapi-typescript/bin/cli.js docs/openapi.json --output "$(CLIENTS)/typescript/chancery.d.ts"
	@node var/npm/node_modules/typescript/bin/tsc --project "$(CLIENTS)/typescript"

# The appliance alone: what makes keys is in no image.
image: ## the appliance's container image, target/PROFILE/chancery.oci.tar, without engine and network (PROFILE=dev)
	@$(appliance-and-watcher)
	@appliance/package/container/image $(BUILT)/chancery $(VERSION) $(BUILT)/chancery.oci.tar
	@echo $(BUILT)/chancery.oci.tar

docs: ## the book, into target/book
	@.ci/prerequisites book
	@book="$$(realpath -m $(TARGET)/book)"; PATH="$$PWD/var/tools/bin:$$PATH" exec mdbook build docs -d "$$book"

deb: ## the Debian packages chancery and chancery-watcher, in TARGET/debian (PROFILE=dev)
	@.ci/prerequisites packages
	@.ci/package $(PROFILE)

sbom: ## what the programs are made of (CycloneDX), in TARGET/sbom
	@.ci/prerequisites packages
	@.ci/package --sbom

# Not in `make test`: what is known changes from day to day, and is asked over the network. ADVISORIES= a folder with it.
audit: ## known holes in what the programs are made of (RustSec's advisories, ADVISORIES=)
	@.ci/prerequisites audit
	@exec var/tools/bin/cargo-audit audit --deny warnings $(if $(ADVISORIES),--db "$(ADVISORIES)" --no-fetch --stale)

# Not in `make test`: two release builds.
reproducible: ## release packages built in two places, which must be equal to the bit (PROFILE=dev)
	@.ci/prerequisites packages
	@.ci/reproducible $(PROFILE)

clean-quickstart: ## throw away what the quickstart made (WITH= that one), its keys included
	rm -rf -- $(QUICKSTART)
