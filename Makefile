# make setup | demo | ros-demo | test | test-jazzy | lint | bench | clean
# Every target sets up what it needs. PYTHON= and TORCH_INDEX= are described in .ci/setup.

BIN := .venv/bin
READY := .venv/.ready
JOBS ?= 2
TESTS ?= test
INTERFACES := $(shell find gs_sim_msgs test/ros_interfaces -type f)
JAZZY := .venv-jazzy
export PYTHON TORCH_INDEX

.PHONY: setup demo ros-demo test test-jazzy lint bench clean

setup: $(READY)

# The lock keeps two makes from installing into one environment at the same time.
$(READY) $(JAZZY)/.ready: export ENVIRONMENT = $(@D)
$(JAZZY)/.ready: export ROS_PINS = .ci/constraints-jazzy.txt
$(JAZZY)/.ready: .ci/constraints-jazzy.txt
$(READY) $(JAZZY)/.ready: .ci/setup setup.py setup.cfg constraints.txt $(INTERFACES)
	@if command -v flock >/dev/null; then flock .ci/setup .ci/setup; else .ci/setup; fi
	@touch $@

# A synthetic drive becomes a scene, is measured on frames it never saw, on the path and beside it, and is looked at.
OFF_PATH := off_left_1m,off_left_2m,off_left_3m,off_right_1m,off_right_2m,off_right_3m,off_yaw_left_10,off_yaw_right_10
demo: setup
	rm -rf demo
	$(BIN)/gs-sim street -o demo/street --seed 7 --duration-s 3 --size 480x270
	$(BIN)/gs-sim reconstruct demo/street -o demo/scene --holdout 8 --budget-s 80
	$(BIN)/gs-sim evaluate demo/scene demo/street --cameras $(OFF_PATH) --report demo/displaced.html
	$(BIN)/gs-sim evaluate demo/scene demo/street --holdout 8 --json demo/evaluation.json
	$(BIN)/gs-sim render demo/scene -o demo/beside_the_path.mp4 --offset 0,1,0,0
	@echo "The report is demo/scene/report.html (beside the path: demo/displaced.html), the video is demo/beside_the_path.mp4."

# The same drive by ROS 2 nodes, up to a vehicle that brakes in its scene; fails if it does not stop. Takes demo/street if it is there.
ros-demo: setup
	$(BIN)/python -m gs_sim.nodes.examples.closed_loop_demo demo

test: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) $(TESTS)

# What talks over ROS 2 once more, on the oldest distribution that has wheels, in an environment of its own.
test-jazzy: $(JAZZY)/.ready
	OMP_NUM_THREADS=1 $(JAZZY)/bin/python -m pytest -n $(JOBS) -m ros test/nodes

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup
	$(BIN)/gs-sim bench rasterizer
	$(BIN)/gs-sim bench reconstruct

clean:
	rm -rf .venv $(JAZZY) build install log demo *.egg-info .pytest_cache .mypy_cache .ruff_cache
