"""Results of every source are read; damage is named, gives a page, and costs nothing else."""

import json

import pytest
from click.testing import CliRunner

from benchmarks.schema.records import SCHEMA_VERSION
from benchmarks.schema.suite import LOSSES
from reports.__main__ import main
from reports.sources.published import pack
from reports.sources.results import read_results
from reports.sweep.history import histories
from tests.reports.written import (
    PROGRAM,
    all_records,
    asv,
    pytest_benchmark,
    record,
    sweep,
)

TRACKED = "bench_memory.Memory.track_temp_bytes"
TIMED = "bench_throughput.Call.time_call"


def build(folder, *paths):
    arguments = [f"--results={path}" for path in paths]
    result = CliRunner().invoke(main, ["build", *arguments, f"--output={folder / 'page'}"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result, (folder / "page" / "index.html").read_text()


@pytest.mark.usefixtures("without_plots")
def test_all_sources_fill_one_frame(tmp_path):
    asv(tmp_path / "asv", "a", 0, {TRACKED: {"simpson:value": 0}})
    asv(tmp_path / "asv", "b", 1, {TIMED: {"simpson:value": 0.0011}})
    paths = [
        tmp_path / "asv",
        sweep(tmp_path / "sweep.json", all_records()),
        pytest_benchmark(tmp_path / "pytest.json"),
    ]
    read = read_results(paths)
    assert read.measurements.complaints == ()
    frame = read.measurements.frame.set_index(["file", "metric", "device"]).sort_index()
    timed = frame[frame["commit"] == "b" * 40].reset_index()
    on_cpu = timed[timed["device"] == "cpu"].iloc[0]
    assert (on_cpu["benchmark"], on_cpu["n_cells"], on_cpu["value"]) == (
        "simpson:value",
        4096,
        0.0011,
    )
    assert (on_cpu["unit"], on_cpu["better"]) == ("s", "lower")
    assert list(timed[timed["device"] == "gpu"]["status"]) == ["skipped"]
    called = frame.loc[[(str(paths[2]), "call_seconds", "cpu")]].iloc[0]
    assert called["value"] == 0.002
    assert read.newest.path == paths[1]
    assert build(tmp_path, *paths)[0].exit_code == 0


def damaged_asv(folder, text):
    path = asv(folder, "c", 2, {TRACKED: {"simpson:value": 1}})
    path.write_text(text(path.read_text()))
    return folder


WHOLE = {
    "empty": lambda text: "",
    "blank": lambda text: " \n",
    "truncated": lambda text: text[: len(text) // 2],
    "foreign": lambda text: '{"answer": 42}',
    "no object": lambda text: "[1, 2]",
    "not text": lambda text: "\x00\x01",
    "nested too deep": lambda text: 100_000 * "[" + 100_000 * "]",
    "another version": lambda text: text.replace('"version": 2}', '"version": 99}').replace(
        f'"schema_version": {SCHEMA_VERSION}', '"schema_version": 99'
    ),
}


@pytest.mark.usefixtures("without_plots")
@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize("source", ["sweep", "asv"])
def test_a_damaged_file_is_named_and_the_rest_is_reported(tmp_path, source, kind):
    good = pytest_benchmark(tmp_path / "good.json")
    if source == "asv":
        bad = damaged_asv(tmp_path / "asv", WHOLE[kind])
        name = "cccccccc-virtualenv-py3.11.json"
    else:
        bad = sweep(tmp_path / "bad.json", [record("shannon", "flops", 1.0)])
        bad.write_text(WHOLE[kind](bad.read_text()))
        name = "bad.json"
    result, page = build(tmp_path, bad, good)
    assert result.exit_code == 2
    for text in (result.stderr, page):
        assert name in text
    assert "4 measurements of 1 commits" in result.output
    assert "1 complaint about the files" in result.output


@pytest.mark.usefixtures("without_plots")
@pytest.mark.parametrize("kind", WHOLE)
def test_nothing_but_damage_is_a_page_too(tmp_path, kind):
    path = sweep(tmp_path / "bad.json", [record("shannon", "flops", 1.0)])
    path.write_text(WHOLE[kind](path.read_text()))
    result, page = build(tmp_path, path)
    assert result.exit_code == 2
    assert "Nothing was measured" in result.output
    assert "bad.json" in page


PACKED = {
    "truncated": lambda content: content[: len(content) // 2],
    "not compressed": lambda content: b"{}",
    "changed": lambda content: content[:100] + bytes([content[100] ^ 1]) + content[101:],
}


@pytest.mark.parametrize("kind", PACKED)
def test_a_damaged_compressed_file_is_named(tmp_path, kind):
    path = sweep(tmp_path / "sweep.json", [record("shannon", "flops", 1.0)])
    packed = pack(path, tmp_path / "sweep.json.gz")
    assert not read_results([packed]).measurements.complaints
    packed.write_bytes(PACKED[kind](packed.read_bytes()))
    (complaint,) = read_results([packed]).measurements.complaints
    assert "sweep.json.gz: cannot be read" in str(complaint)


@pytest.mark.usefixtures("without_plots")
def test_a_row_of_asv_that_says_nothing_is_named(tmp_path):
    infinite = {TRACKED: {"simpson:value": float("inf")}, TIMED: {"simpson:value": 1.0}}
    asv(tmp_path / "asv", "a", 0, infinite)
    result, page = build(tmp_path, tmp_path / "asv")
    assert result.exit_code == 2
    assert "1 infinite values" in result.stderr
    assert "1 infinite values" in page
    assert (read_results([tmp_path / "asv"]).measurements.frame["metric"] == "call_seconds").any()


def test_steps_of_trainings_are_read_beside_calls_of_losses(tmp_path):
    tracked = "bench_training.Training.track_steps_per_second"
    asv(tmp_path / "asv", "a", 0, {tracked: {"soft_clusterer:step": 1200.0}})
    read = read_results([tmp_path / "asv"]).measurements
    assert not read.complaints
    row = read.frame[read.frame["status"] == "ok"].iloc[0]
    assert (row["loss"], row["transform"], row["unit"]) == ("soft_clusterer", "step", "steps/s")


@pytest.mark.filterwarnings("error::FutureWarning")
@pytest.mark.parametrize("nothing", [None, float("nan")])
def test_files_without_a_value_are_joined_with_others(tmp_path, nothing):
    """A column of nothing has the type that it has elsewhere."""
    for day, (commit, value) in enumerate({"a": 1.0, "b": nothing, "c": 2.0}.items()):
        asv(tmp_path / "asv", commit, day, {TRACKED: {"simpson:value": value}})
    found = read_results([tmp_path / "asv"]).measurements.frame
    assert found[found["device"] == "cpu"]["value"].dropna().tolist() == [1.0, 2.0]


@pytest.mark.parametrize("value", [10**400, -(10**400)])
@pytest.mark.parametrize("metric", ["value", "value_error", "temp_bytes"])
def test_a_whole_number_that_no_float_holds_is_named(tmp_path, metric, value):
    path = sweep(tmp_path / "sweep.json", [*all_records(), record("shannon", metric, 12345)])
    path.write_text(path.read_text().replace("12345", str(value)))
    (complaint,) = read_results([path]).measurements.complaints
    assert f"(metric '{metric}'" in complaint.problem
    tracked = TRACKED.replace("temp_bytes", metric)
    asv(tmp_path / "asv", "a", 0, {tracked: {"simpson:value": value}})
    (complaint,) = read_results([tmp_path / "asv"]).measurements.complaints
    assert f"{tracked} result: " in complaint.problem


def test_an_import_is_measured_without_cells_or_device(tmp_path):
    name = "bench_throughput.Import.timeraw_losses"
    path = asv(tmp_path / "asv", "a", 0, {name: {PROGRAM: 3.0}})
    content = json.loads(path.read_text())
    content["results"][name][:2] = [[3.0], []]
    path.write_text(json.dumps(content))
    (row,) = read_results([tmp_path / "asv"]).measurements.frame.itertuples()
    assert (row.benchmark, row.metric, row.value) == ("import:losses", "import_seconds", 3.0)


@pytest.mark.usefixtures("without_plots")
@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_bare_numbers_that_are_none_are_named(tmp_path, value):
    path = sweep(tmp_path / "sweep.json", [*all_records(), record("shannon", "flops", 12345.5)])
    path.write_text(path.read_text().replace("12345.5", value))
    result, page = build(tmp_path, path)
    assert result.exit_code != 0
    assert "flops of shannon:value_and_grad at 256 cells: the value is" in result.stderr
    assert f"All {len(LOSSES)} losses" not in result.output

    path = pytest_benchmark(tmp_path / "pytest.json", median=0.25)
    path.write_text(path.read_text().replace("0.25", value))
    result, page = build(tmp_path, path)
    assert "call_seconds of shannon:value: the value is" in page


def test_measurements_that_stand_twice_are_named_and_counted_once(tmp_path):
    path = sweep(tmp_path / "sweep.json", [*all_records(), record("shannon", "temp_bytes", 9.0)])
    read = read_results([path])
    rows = read.measurements.frame
    rows = rows[(rows["benchmark"] == "shannon:value_and_grad") & (rows["metric"] == "temp_bytes")]
    assert list(rows["value"]) == [9.0]
    (complaint,) = read.measurements.complaints
    assert "temp_bytes of shannon:value_and_grad at 256 cells" in complaint.problem


def test_a_jump_in_the_history_is_found_at_its_commit(tmp_path):
    values = [100, 101, 99, 100, 100, 130, 131, 129, 130, 130]
    for day, (commit, value) in enumerate(zip("0123456789", values, strict=True)):
        asv(tmp_path / "asv", commit, day, {TIMED: {"simpson:value": value}})
    _, page = build(tmp_path, tmp_path / "asv")
    (found,) = histories(read_results([tmp_path / "asv"]).measurements.frame)
    assert found.values == tuple(values)
    assert [jump.commit for jump in found.jumps] == ["5" * 40]
    assert "<code>55555555</code>" in page
    assert 'id="history"' in page


def test_environments_of_asv_have_short_names_of_their_own_without_paths(tmp_path):
    names = [f"virtualenv-py3.11-flax0.12.8-jax0.10.{patch}-numpy2.4.6" for patch in (1, 2)]
    names += ["existing-py_home_someone_venv_bin_python", "virtualenv-py3.11"]
    for name in names:
        asv(tmp_path / "asv", "a", 1, {"bench.time_call": {"shannon:value": 1.0}}, environment=name)
    found = set(read_results([tmp_path / "asv"]).measurements.frame["environment"])
    assert len(found) == len(names)
    assert "virtualenv-py3.11" in found
    assert all(len(name) < 30 and "someone" not in name for name in found)


def test_a_sweep_of_before_says_some_things_twice_and_what_a_model_said(tmp_path):
    path = sweep(tmp_path / "sweep.json", [record("shannon", "temp_bytes", 1.0)])
    content = json.loads(path.read_text())
    (one,) = content["records"]
    one |= {"loss": "shannon", "transform": "value_and_grad", "unit": "bytes", "better": "lower"}
    content["records"].append({**one, "metric": "modelled_temp_bytes"})
    path.write_text(json.dumps(content))
    read = read_results([path]).measurements
    assert (list(read.frame["metric"]), read.complaints) == (["temp_bytes"], ())


@pytest.mark.usefixtures("without_plots")
def test_a_failed_benchmark_of_asv_is_no_damage_but_a_failure(tmp_path):
    asv(tmp_path / "asv", "a", 0, {TRACKED: {"simpson:value": None}})
    result, page = build(tmp_path, tmp_path / "asv")
    assert result.exit_code == 1
    assert "failed benchmarks: 1" in result.output
    assert "the benchmark raised an error" in page


def test_json_nested_too_deep_is_damage(tmp_path):
    path = tmp_path / "deep.json"
    path.write_text(100_000 * "[" + 100_000 * "]")
    result, page = build(tmp_path, path)
    assert result.exit_code == 2
    assert "deep.json" in page
    assert "nested too deep" in result.stderr
