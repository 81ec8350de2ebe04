"""Numbers on pages: three significant digits, with a unit that fits."""

import math

import pytest

from reports.writing.quantities import number, percent, quantity


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.012345, "s", "12.3 ms"),
        (0.9996, "s", "1.00 s"),
        (7.224e-5, "s", "72.2 µs"),
        (123.456, "s", "123 s"),
        (1_234_567, "bytes", "1.23 MB"),
        (192, "bytes", "192 bytes"),
        (0, "bytes", "0 bytes"),
        (3_284_133.0, "flop", "3.28 Mflop"),
        (215, "instructions", "215 instructions"),
        (0.748123, "ratio", "0.748"),
        (1.234e-7, "relative", "1.2e-07"),
        (0x0123456789AB, "hash", "0123456789ab"),
        ("0123456789abcdef", "hash", "0123456789ab"),
        (math.nan, "s", "-"),
        (None, "bytes", "-"),
    ],
)
def test_a_quantity_has_three_digits_and_a_unit(value, unit, text):
    assert quantity(value, unit) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (16384, "16384"),
        (2.0, "2"),
        (1.7972, "1.80"),
        (123456.0, "123000"),
        (6.8e-8, "6.80e-08"),
        (math.inf, "inf"),
        (math.nan, "-"),
        (None, "-"),
        ("word", "word"),
    ],
)
def test_a_count_is_whole_and_another_number_has_three_digits(value, text):
    assert number(value) == text


def test_a_share_stays_on_one_line():
    shares = [percent(share).replace("\N{NO-BREAK SPACE}", "~") for share in (0.05, 0.97349, 1)]
    assert shares == ["5~%", "97.3~%", "100~%"]
