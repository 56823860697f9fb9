# make demo   set up, analyse the bundled lab incident, say where the report is
# make test   set up, then every check and test
# Everything lives in .venv and report/; nothing else on the machine is touched, but for Debian packages that
# the tests need, which are installed when you are root and named when you are not.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
TOOLS  := tshark tcpdump nfdump nfdump-sflow nftables bird2 gobgpd iptables ipset argus-client argus-server iproute2 ethtool nmap zmap busybox curl dnsmasq-base

.PHONY: demo test check bench accuracy fuzz docs lab setup tools clean

$(VENV)/.ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

setup: $(VENV)/.ready

demo: setup
	@echo "The first run compiles the kernels (about a minute, once)."
	$(BIN)/rearguard analyze lab/incident.pcapng --policy lab/rearguard.yaml --output report
	@echo "The report is at $(CURDIR)/report/report.html"

tools:
	@bash tools/debian-packages.sh $(TOOLS)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: setup tools check
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

bench: setup tools
	$(BIN)/python -m benchmarks.run
	$(BIN)/python -m benchmarks.flows
	$(BIN)/python -m benchmarks.datagrams
	$(BIN)/python -m benchmarks.proving --large
	$(BIN)/python -m benchmarks.lessons

accuracy: setup
	$(BIN)/python -m benchmarks.accuracy
	$(BIN)/python -m benchmarks.accuracy_flows

fuzz: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-fuzz.lock
	$(BIN)/python fuzz/run.py --seconds 60

docs: setup
	$(BIN)/python -m rearguard.catalogue.page docs/catalogue.md
	$(BIN)/python -m rearguard.policy.document docs/policy.md
	$(BIN)/python -m rearguard.catalogue.attacks_page docs/dialogues.md

lab: tools
	bash lab/record.sh lab

clean:
	rm -rf $(VENV) report build
