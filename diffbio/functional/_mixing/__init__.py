"""Batch mixing's parts: its settings, the proportions aimed at, and the mixing of one cell."""
