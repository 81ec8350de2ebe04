"""The verdicts on claims: each follows from the intervals of its margins."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import pandas as pd

from reports.claims.intervals import Interval, interval, intervals

__all__ = ["Condition", "Finding", "JudgedClaim", "judge_claims"]


class Finding(StrEnum):
    """The verdict on a claim."""

    HOLDS = "holds"
    HOLDS_ONLY_IF = "holds only if"
    DOES_NOT_HOLD = "does not hold"


@dataclass(frozen=True)
class Condition:
    """What was found under one condition of a claim.

    Attributes:
        text: the condition; empty where the claim has none.
        margin: by how much the claim held; None if an experiment failed.
        numbers: what was measured.
        error: the first failure; empty if there is none.
    """

    text: str
    margin: Interval | None
    numbers: Mapping[str, Interval]
    error: str

    @property
    def holds(self) -> bool:
        """Whether the whole interval of the margin is above 0."""
        return self.margin is not None and self.margin.low > 0


@dataclass(frozen=True)
class JudgedClaim:
    """A claim and what was found about it."""

    loss: str
    statement: str
    conditions: tuple[Condition, ...]

    @property
    def finding(self) -> Finding:
        """Holds under all conditions, under some of them, or under none."""
        held = [condition.holds for condition in self.conditions]
        if all(held):
            return Finding.HOLDS
        return Finding.HOLDS_ONLY_IF if any(held) else Finding.DOES_NOT_HOLD

    @property
    def verdict(self) -> str:
        """The finding, with the conditions that it names."""
        if self.finding != Finding.HOLDS_ONLY_IF:
            return str(self.finding)
        return f"{self.finding} {' or '.join(c.text for c in self.conditions if c.holds)}"


def judge_claims(margins: pd.DataFrame) -> list[JudgedClaim]:
    """One verdict per claim; those of a loss stand together."""
    ordered = margins.sort_values("loss", kind="stable")
    return [
        JudgedClaim(
            loss,
            statement,
            tuple(_condition(text, rows) for text, rows in claim.groupby("condition", sort=False)),
        )
        for (loss, statement), claim in ordered.groupby(["loss", "statement"], sort=False)
    ]


def _condition(text: str, rows: pd.DataFrame) -> Condition:
    failed = rows[rows["margin"].isna()]
    measured = rows[rows["margin"].notna()]
    return Condition(
        text,
        None if len(failed) else interval(measured["margin"]),
        intervals(measured["numbers"]),
        failed["error"].iloc[0] if len(failed) else "",
    )
