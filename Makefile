# MeshFabric: everything a developer or a curious newcomer runs. `make help` lists it.
SHELL := /bin/bash
CACHE ?= $(HOME)/.cache/meshfabric
CONFIGURATION ?= Release
SUITE ?=
KUBERNETES ?=
ONLY ?=
SEED ?= 1
STEPS ?= 200
ROUNDS ?=
export KUBERNETES ROUNDS

.DEFAULT_GOAL := help
# Programs that are killed would leave what debuggers connect to in /tmp.
export DOTNET_EnableDiagnostics ?= 0

.PHONY: images help build test test-kernel chaos bench demo demo-down lab lab-down format clean packages kubernetes-binaries previous

help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-22s %s\n", $$1, $$2}'

build: ## The four programs, runnable, in out/
	@scripts/build.sh $(CONFIGURATION)

demo: ## Three clusters become one flat network (KUBERNETES=yes: real Kubernetes clusters, agents as pods)
	@scripts/demo.sh up

demo-down: ## Removes every trace of the demo
	@scripts/demo.sh down

test: ## All tests, 50 minutes (SUITE=unit|server|host|e2e|cni|kubernetes runs one part; cni alone asks every row); ends with "N passed, N failed"
	@scripts/test.sh $(SUITE)

test-kernel: ## The WireGuard library against the kernel's own WireGuard, in QEMU (2 minutes; not part of `make test`)
	@scripts/test.sh kernel

chaos: ## Breaks things in random order and asks after each what must hold (SEED=1 STEPS=200; part of `make test` with a few steps)
	@CHAOS_SEED=$(SEED) CHAOS_STEPS=$(STEPS) scripts/chaos.sh

bench: ## Measures against peers on the same path and writes docs/benchmarks.md (ONLY=throughput|remap|join|planner|facts|drift|nodes|leaves|failover|gateways|hubs|devices|rotation|cutoff|nat, ROUNDS=N)
	@scripts/bench.sh $(ONLY)

lab: packages build ## A lab of three joined clusters that stays up to play with (KUBERNETES=yes: with real API servers)
	@out/mflab up lab --programs out --join $(if $(filter yes,$(KUBERNETES)),--kubernetes)
	@echo "out/mflab hosts lab | out/mflab exec lab aurora-w1-p1 -- ping 100.64.1.10 | out/mflab mfctl lab -- status | make lab-down"

lab-down: ## Removes the lab
	@[ ! -x out/mflab ] || out/mflab down lab

kubernetes-binaries: ## Real Kubernetes from Debian's source package, built once into the cache (8 to 20 minutes cold)
	@tests/kubernetes/build-binaries.sh $(CACHE)/kubernetes

previous: ## The version before this one (tests/previous-version), which upgrades are tested from, built once into the cache (1 minute cold)
	@scripts/build-previous.sh $(CACHE)/previous

images: ## Container images without a container engine: the agent's in out/images, those of the labs' pods in the cache
	@MESHFABRIC_CACHE=$(CACHE) deploy/images/build-image.sh pause echo agent

packages: ## Installs the Debian packages that build, demo and tests need
	@deploy/scripts/install-packages.sh gateway services lab$(if $(filter yes,$(KUBERNETES)), kubernetes)

format: ## Formats the code
	@dotnet format MeshFabric.sln

clean: ## Removes build output
	@rm -rf artifacts out
