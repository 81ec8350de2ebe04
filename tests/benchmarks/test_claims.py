"""The document's claims: those known to be wrong, and no others, do not hold."""

from benchmarks.claims import CLAIMS, Claim, examine

REFUTED = {"Negate it to maximize mixing", "Avoids that all cells fall into one cluster"}


def test_every_claim_but_the_known_ones_holds():
    rows = [examine(claim) for claim in CLAIMS]
    assert {row["statement"] for row in rows if not row["holds"]} == REFUTED, rows
    assert all(row["numbers"] and "Error" not in row["numbers"] for row in rows)


def test_an_error_is_no_evidence_for_a_claim():
    row = examine(Claim("shannon", "It divides by zero", lambda: 1 / 0))
    assert (row["holds"], row["numbers"]) == (False, "ZeroDivisionError: division by zero")
