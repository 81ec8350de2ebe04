"""The gate: quiet where nothing changed, loud about each kind of change, never unsure silently."""

import json
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from reports.__main__ import main
from reports.gate import baseline as files
from reports.sources.sweep_file import read_sweep
from tests.reports.written import record
from tests.reports.written import sweep as write

MEASUREMENTS = {
    "temp_bytes": 100_000,
    "flops": 1e6,
    "hlo_instructions": 200,
    "hlo_fingerprint": "aa",
    "retraces": 0,
    "value_error": 1e-7,
    "gradient_error": 1e-6,
}

TWICE = "a measurement stands twice"
TWICE_OTHERWISE = "a measurement stands twice, with another value"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_FOLDER", tmp_path / "baselines")
    return tmp_path


def sweep(
    folder, measurements=MEASUREMENTS, *, failed=(), skipped=(), left_out=(), more=(), **environment
):
    records = [
        measured(benchmark, metric, value)
        for benchmark in ("simpson:value", "shannon:value")
        if benchmark not in (*failed, *skipped, *left_out)
        for metric, value in (*measurements.items(), ("call_seconds", 1.0))
    ]
    records += [
        measured(name, "call_seconds", None, status=status, detail="boom")
        for status, names in (("failed", failed), ("skipped", skipped))
        for name in names
    ]
    scope = {"tier": "quick", "losses": ["shannon", "simpson"], "n_cells": [256]}
    return str(write(folder / "quick.json", [*records, *more], **{**scope, **environment}))


def measured(benchmark, metric, value, **more):
    loss, _, transform = benchmark.partition(":")
    return record(loss, metric, value, transform=transform, **more)


def run(command, path, *options):
    return CliRunner().invoke(main, [command, "--results", path, *options])


@pytest.fixture
def baseline(folder):
    result = run("baseline", sweep(folder))
    assert result.exit_code == 0, result.output
    assert [p.name for p in (folder / "baselines").iterdir()] == ["cpu-jaxlib-0.10.2.json"]


@pytest.mark.usefixtures("baseline")
def test_the_same_measurements_pass_however_long_they_took(folder):
    result = run("gate", sweep(folder))
    assert result.exit_code == 0
    assert result.output == "Passes: 0 regressed, 0 improved, 14 unchanged.\n"


@pytest.mark.usefixtures("baseline")
@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("temp_bytes", 400_000),
        ("temp_bytes", 106_000),
        ("flops", 2e6),
        ("hlo_instructions", 215),
        ("retraces", 1),
        ("value_error", 2e-5),
        ("value_error", 1.1e-6),
        ("gradient_error", 1e-2),
        ("gradient_error", 1e300),
    ],
)
def test_a_worse_measurement_is_named_and_fails(folder, metric, value):
    result = run("gate", sweep(folder, {**MEASUREMENTS, metric: value}))
    assert result.exit_code == 1
    assert f"worst: {metric} of " in result.output
    assert "2 regressed, 0 improved, 12 unchanged" in result.output


def over_eight_devices(communicated_bytes):
    place = {"n_cells": 65536, "device": "cpu x 8"}
    return [measured("simpson:value", "communicated_bytes", communicated_bytes, **place)]


def test_measurements_of_several_devices_gate_beside_those_of_one(folder):
    run("baseline", sweep(folder, more=over_eight_devices(4)))
    same = run("gate", sweep(folder, more=over_eight_devices(4)))
    assert "15 unchanged" in same.output
    worse = run("gate", sweep(folder, more=over_eight_devices(500_000)))
    assert worse.exit_code == 1
    assert "communicated_bytes of simpson:value at 65536 cells, cpu x 8, 4 bytes" in worse.output
    removed = run("gate", sweep(folder))
    assert removed.exit_code == 1
    assert "1 removed" in removed.output


def test_figures_of_another_backend_are_neither_held_nor_kept(folder):
    def on_gpu(flops):
        return [measured("simpson:value", "flops", flops, device="gpu")]

    run("baseline", sweep(folder, more=on_gpu(1.0)))
    assert "14 unchanged" in run("gate", sweep(folder, more=on_gpu(9.0))).output
    elsewhere = sweep(folder, devices=["gpu: one"])
    refused = run("baseline", elsewhere)
    assert (refused.exit_code, refused.stderr) == (2, "nothing was measured on this backend\n")
    assert len(list((folder / "baselines").iterdir())) == 1


@pytest.mark.usefixtures("baseline")
@pytest.mark.parametrize(
    ("metric", "value", "verdict"),
    [
        ("temp_bytes", 103_000, "unchanged"),
        ("hlo_instructions", 205, "unchanged"),
        ("value_error", 9e-7, "unchanged"),
        ("temp_bytes", 50_000, "improved"),
        ("hlo_fingerprint", "bb", "changed"),
    ],
)
def test_what_is_not_worse_passes(folder, metric, value, verdict):
    result = run("gate", sweep(folder, {**MEASUREMENTS, metric: value}))
    assert result.exit_code == 0
    assert f"{14 if verdict == 'unchanged' else 2} {verdict}" in result.output


@pytest.mark.usefixtures("baseline")
def test_a_benchmark_that_fails_gates_and_its_error_is_printed(folder):
    result = run("gate", sweep(folder, failed=["simpson:value"]))
    assert result.exit_code == 1
    assert "7 failing" in result.output
    assert "flops" in result.output
    assert "simpson:value at 256 cells: boom" in result.output


@pytest.mark.usefixtures("baseline")
def test_what_vanishes_gates_until_the_baseline_is_renewed(folder):
    """A measurement, a benchmark, and a benchmark that is skipped now."""
    fewer = {metric: value for metric, value in MEASUREMENTS.items() if metric != "flops"}
    changes = {
        "2 removed": (fewer, {}),
        "7 removed": (MEASUREMENTS, {"left_out": ["simpson:value"]}),
        "7 skipped": (MEASUREMENTS, {"skipped": ["simpson:value"]}),
    }
    for words, (measurements, change) in changes.items():
        result = run("gate", sweep(folder, measurements, **change))
        assert (result.exit_code, words in result.output) == (1, True), result.output
        assert result.output.splitlines()[-1].startswith("Fails: ")
    path = sweep(folder, left_out=["simpson:value"])
    assert run("baseline", path, "--shrink").exit_code == 0
    assert run("gate", path).exit_code == 0


@pytest.mark.usefixtures("baseline")
@pytest.mark.parametrize(
    ("measurements", "change", "lost"),
    [
        (MEASUREMENTS, {"left_out": ["simpson:value"], "losses": ["shannon"]}, "7 of 14"),
        (MEASUREMENTS, {"skipped": ["simpson:value"]}, "7 of 14"),
        ({"temp_bytes": 1, "flops": 1e6}, {}, "10 of 14"),
    ],
)
def test_a_baseline_that_would_shrink_is_refused_without_a_flag(folder, measurements, change, lost):
    path = folder / "baselines" / "cpu-jaxlib-0.10.2.json"
    before = path.read_text()
    fewer = sweep(folder, measurements, **change)
    refused = run("baseline", fewer)
    assert (refused.exit_code, path.read_text()) == (2, before), refused.output
    assert f"{path.name}: not replaced without --shrink, it would lose {lost}" in refused.stderr
    assert run("baseline", fewer, "--shrink").exit_code == 0
    assert run("gate", fewer).exit_code == 0


def test_a_baseline_keeps_every_size_of_a_figure(folder):
    run("baseline", sweep(folder, more=[measured("simpson:value", "flops", 9e6, n_cells=4096)]))
    refused = run("baseline", sweep(folder))
    lost = "1 of 15 measurements, first flops of simpson:value at 4096 cells"
    assert (refused.exit_code, lost in refused.stderr) == (2, True)


@pytest.mark.usefixtures("baseline")
def test_a_baseline_grows_without_a_flag(folder):
    more = sweep(folder, {**MEASUREMENTS, "transcendentals": 3})
    assert run("baseline", more).exit_code == 0
    assert "16 unchanged" in run("gate", more).output


@pytest.mark.usefixtures("baseline")
def test_a_baseline_that_cannot_be_read_is_not_replaced_without_a_flag(folder):
    path = folder / "baselines" / "cpu-jaxlib-0.10.2.json"
    path.write_text(path.read_text().replace('"tier"', '"tear"'))
    refused = run("baseline", sweep(folder))
    assert (refused.exit_code, "not replaced without --shrink" in refused.stderr) == (2, True)
    assert run("baseline", sweep(folder), "--shrink").exit_code == 0


@pytest.mark.usefixtures("baseline")
@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"tier": "smoke"}, "tier is 'smoke', was 'quick'"),
        ({"tier": None}, "says no tier"),
        ({"losses": ["simpson"]}, "losses without shannon"),
        ({"losses": ["shannon", "simpson", "velocity"]}, "losses with velocity"),
        ({"n_cells": [64]}, "n_cells without 256 and with 64"),
        ({"jax_disable_jit": True}, "jax_disable_jit is True, was False"),
        ({"jax_disable_most_optimizations": True}, "jax_disable_most_optimizations is True"),
        ({"jax_enable_x64": True}, "jax_enable_x64 is True, was False"),
        ({"jax_default_matmul_precision": "bfloat16"}, "matmul_precision is 'bfloat16', was None"),
    ],
)
def test_what_was_asked_of_the_sweep_is_not_the_changes_doing(folder, environment, said):
    """However much worse or fewer the measurements are."""
    worse = {"temp_bytes": 10**6}
    result = run("gate", sweep(folder, worse, left_out=["shannon:value"], **environment))
    assert (result.exit_code, said in result.stderr) == (2, True), result.output
    assert "Traceback" not in result.stderr


@pytest.mark.usefixtures("baseline")
@pytest.mark.parametrize("value", [100_000, 400_000])
def test_a_sweep_with_a_measurement_that_stands_twice_is_no_sweep(folder, value):
    """Whichever of the two came first, and whether or not they agree."""
    again = measured("simpson:value", "temp_bytes", value)
    for command in ("gate", "baseline"):
        result = run(command, sweep(folder, more=[again]))
        assert (result.exit_code, "1 measurements stand twice" in result.stderr) == (2, True)


@pytest.mark.usefixtures("baseline")
def test_a_measurement_that_was_never_there_may_be_skipped(folder):
    result = run("gate", sweep(folder, skipped=["velocity:value"]))
    assert (result.exit_code, "1 skipped on both sides" in result.output) == (0, True)


@pytest.mark.usefixtures("baseline")
def test_a_negative_error_is_no_error_and_no_pass(folder):
    result = run("gate", sweep(folder, {**MEASUREMENTS, "value_error": -1e-9}))
    assert (result.exit_code, "value_error" in result.stderr) == (2, True), result.stderr


@pytest.mark.usefixtures("baseline")
def test_other_versions_and_flags_are_not_comparable_and_other_cores_but_for_the_hash(folder):
    newer = {"jax": "0.11.2", "jaxlib": "0.11.2"}
    result = run("gate", sweep(folder, packages=newer))
    assert (result.exit_code, "no baseline cpu-jaxlib-0.11.2.json" in result.output) == (2, True)
    result = run("gate", sweep(folder, xla_flags="--xla_cpu_max_isa=AVX2"))
    assert (result.exit_code, "not comparable" in result.output) == (2, True)
    result = run("gate", sweep(folder, {**MEASUREMENTS, "hlo_fingerprint": "bb"}, cores=4))
    assert (result.exit_code, "2 changed" in result.output) == (0, False)


@pytest.mark.usefixtures("baseline")
@pytest.mark.parametrize(
    "damage",
    [
        "",
        "{",
        "[]",
        '{"schema_version": 9}',
        '{"schema_version": 2}',
        TWICE,
        TWICE_OTHERWISE,
    ],
)
def test_what_cannot_be_read_is_no_pass(folder, damage):
    path = sweep(folder)
    baseline = files.baseline_path(read_sweep(folder / "quick.json"))
    if damage in (TWICE, TWICE_OTHERWISE):
        content = json.loads(baseline.read_text())
        *named, value = content["rows"][-1]
        again = [*named, value if damage == TWICE else 2 * value]
        damage = json.dumps({**content, "rows": [*content["rows"], again]})
    baseline.write_text(damage)
    result = run("gate", path)
    assert result.exit_code == 2
    assert "cpu-jaxlib-0.10.2.json: " in result.output
    (folder / "quick.json").write_text(damage)
    assert run("gate", path).exit_code == 2


@pytest.mark.usefixtures("baseline")
def test_a_baseline_is_not_made_of_failures_and_nothing_measured_is_no_pass(folder):
    before = files.baseline_path(read_sweep(folder / "quick.json")).read_text()
    result = run("baseline", sweep(folder, failed=["simpson:value"]), "--shrink")
    assert (result.exit_code, "these failed: simpson:value" in result.output) == (2, True)
    path = files.baseline_path(read_sweep(folder / "quick.json"))
    assert path.read_text() == before
    assert json.loads(before)["cores"] == 2
    (folder / "quick.json").write_text(json.dumps({"schema_version": 5}))
    result = run("gate", str(folder / "quick.json"))
    assert (result.exit_code, "not a complete sweep" in result.output) == (2, True)
    result = run("gate", sweep(folder, {}))
    assert (result.exit_code, "nothing was measured" in result.output) == (2, True)


@pytest.mark.parametrize("command", ["gate", "baseline"])
def test_without_a_sweep_that_of_the_tier_is_run(folder, monkeypatch, command):
    asked = []

    def ended(command, env):
        asked.append((command[command.index("--output") :], env["DIFFBIO_BENCH_TIER"]))
        return SimpleNamespace(returncode=2)

    monkeypatch.setattr("reports.sources.measuring.run_child", ended)
    found = CliRunner().invoke(main, [command, "--tier=smoke"])
    assert (found.exit_code, found.stderr) == (2, "benchmarks sweep did not finish\n")
    assert asked == [(["--output", "results/smoke.json", "--no-times"], "smoke")]


@pytest.mark.usefixtures("baseline")
def test_what_is_no_baseline_is_not_replaced_whatever_flag_is_given(folder):
    path = folder / "baselines" / "cpu-jaxlib-0.10.2.json"
    path.write_text("years of notes")
    refused = run("baseline", sweep(folder), "--shrink")
    assert (refused.exit_code, "does not hold a baseline" in refused.stderr) == (2, True)
    assert path.read_text() == "years of notes"


@pytest.mark.usefixtures("baseline")
@pytest.mark.parametrize("error", [KeyError("oops"), KeyboardInterrupt()])
def test_whatever_stops_a_command_is_no_regression(folder, monkeypatch, error):
    def stop(_):
        raise error

    monkeypatch.setattr("reports.__main__.compare_with_baseline", stop)
    result = run("gate", sweep(folder))
    assert result.exit_code == 2
    assert ("oops" in result.stderr) == isinstance(error, KeyError)
    assert ("Traceback" in result.stderr) == isinstance(error, KeyError)
