"""Worked examples: what a user's own vehicle, controller and test harness look like beside `sensor_sim`.

Nothing else imports this folder. `braking.py` is a vehicle that brakes for what its simulated depth camera
sees, `braking_scenario.py` the test that a user would write for it, `closed_loop_demo.py` runs all of it.
"""
