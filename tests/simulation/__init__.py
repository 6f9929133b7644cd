"""A chain of stores in a box: seeded, on a virtual clock, thousands of steps in seconds (see test_simulation.py)."""
