"""Readers of what was measured: sweeps, asv's results, pytest-benchmark's JSON."""
