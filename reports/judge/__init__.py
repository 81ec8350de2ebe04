"""Verdicts: what changed, what agrees, what is reproduced; nothing here draws."""
