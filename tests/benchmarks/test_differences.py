"""What differs between two runs is told in one readable line."""

from benchmarks.schema.differences import differing


def test_what_came_and_went_and_what_nobody_said_is_told():
    then = {"steps": ["one", "two"], "machine": "a", "cores": 2, "order": [1, 2]}
    now = {"steps": ["two", "three"], "machine": "b", "order": [2, 1], "python": "3"}
    assert differing(then, now) == [
        "steps without one and with three",
        "machine is 'b', was 'a'",
        "cores is not said, was 2",
        "order is [2, 1], was [1, 2]",
        "python is '3', was not said",
    ]
    assert differing(then, now, ["machine", "absent"]) == ["machine is 'b', was 'a'"]
    assert differing(then, then) == []


def test_of_many_names_and_of_a_long_value_a_part_is_told():
    then = {"steps": [f"step {n}" for n in range(100)], "flags": 1000 * "-"}
    steps, flags = differing(then, {"steps": [], "flags": ""})
    assert steps.startswith("steps without step 0, step 1, ")
    assert steps.endswith(", 90 more")
    assert len(flags) < 300
