"""The two tiers of tests: ``make test`` runs the quick ones, ``make test-all`` the slow ones too.

A law is quick for the fewest values of its parameters that show it, at the least cost, and slow
for all others.
"""

import pytest


def slow_unless(is_quick):
    """The marks of a test that belongs to the quick tier only if it is quick."""
    return () if is_quick else pytest.mark.slow


def tiered(values, *, quick):
    """The values of a parameter, of which those in ``quick`` belong to the quick tier."""
    return [pytest.param(value, marks=slow_unless(value in quick)) for value in values]


def tiered_rows(rows, *, quick):
    """The same for several parameters at once, whose values are the rows."""
    return [pytest.param(*row, marks=slow_unless(row in quick)) for row in rows]
