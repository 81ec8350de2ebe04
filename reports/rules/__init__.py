"""Verdicts and thresholds: pure functions over tables of measurements."""
