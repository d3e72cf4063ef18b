"""The test files that readers of the simulator's description run."""
