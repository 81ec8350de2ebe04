"""What another version of the suite measured is counted and left out: it stops no verdict."""

import json

import pytest
from click.testing import CliRunner

from reports.__main__ import main
from reports.sources.results import read_results
from tests.reports.written import CALL, PROGRAM, TEMPORARY, asv, pytest_benchmark

pytestmark = pytest.mark.usefixtures("without_plots")


def build(folder, *paths):
    """The exit code, what is said, and the page."""
    arguments = [f"--results={path}" for path in paths]
    result = CliRunner().invoke(main, ["build", *arguments, f"--output={folder / 'page'}"])
    return result.exit_code, result.output, (folder / "page" / "index.html").read_text()


def changed(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def removed_benchmark(path):
    changed(path, TEMPORARY, "bench_memory.Memory.track_gone_bytes")
    return "bench_memory.Memory.track_gone_bytes is no benchmark of this suite"


def removed_benchmark_of_another_shape(path):
    content = json.loads(path.read_text())
    content["results"] = {"old.Suite.track_speed": [7]}
    path.write_text(json.dumps(content))
    return "old.Suite.track_speed is no benchmark of this suite"


def dropped_device(path):
    changed(path, "'gpu'", "'tpu'")
    return "measurements of device 'tpu', which this suite does not have"


def dropped_transform(path):
    changed(path, "simpson:value", "simpson:hessian")
    return "measurements of program 'simpson:hessian', which this suite does not have"


def later_version(path):
    changed(path, '"1", 0, 1.0', '"7", 0, 1.0')
    return f"{TEMPORARY} of version 7"


def hashed_version(path):
    """asv's own, of a time in which benchmarks had no version of their own."""
    changed(path, '"1", 0, 1.0', '"9f86d081884c7d65", 0, 1.0')
    return f"{TEMPORARY} of version 9f86d081884c7d65"


def renamed_benchmark(path):
    """asv measures an old commit again with the suite of today, into the same file."""
    content = json.loads(path.read_text())
    old = [[9.0 if x == 1.0 else x for x in content["results"][TEMPORARY][0]]]
    old += content["results"][TEMPORARY][1:]
    content["results"]["bench_old.Memory.track_temp_bytes"] = old
    content["results"][TEMPORARY][3] = 1000
    path.write_text(json.dumps(content))
    return "measurements that another benchmark of the same commit measured later"


OLD = [
    removed_benchmark, removed_benchmark_of_another_shape, dropped_device, dropped_transform,
    later_version, hashed_version, renamed_benchmark,
]  # fmt: skip


@pytest.mark.parametrize("make_old", OLD)
def test_old_history_is_counted_and_stops_no_verdict(tmp_path, make_old):
    path = asv(tmp_path / "asv", "a", 0, {TEMPORARY: {PROGRAM: 1.0}})
    told = make_old(path)
    asv(tmp_path / "asv", "b", 1, {CALL: {PROGRAM: 1.0}, TEMPORARY: {"shannon:value": 1.0}})
    exit_code, said, page = build(tmp_path, tmp_path / "asv")
    assert exit_code == 0, said
    assert told in said
    assert told in page.replace("&#39;", "'")
    read = read_results([tmp_path / "asv"]).measurements
    assert (read.complaints, [*read.left_out]) == ((), [told])
    assert 9.0 not in set(read.frame["value"])


def test_what_is_left_out_of_many_commits_is_one_line(tmp_path):
    for day, name in enumerate("abc"):
        path = asv(tmp_path / "asv", name, day, {TEMPORARY: {PROGRAM: 1}, CALL: {PROGRAM: 1.0}})
        removed_benchmark(path)
        dropped_device(path)
    _, said, _ = build(tmp_path, tmp_path / "asv")
    assert said.count("left out") == 2
    assert "left out, 3 times: bench_memory.Memory.track_gone_bytes is no benchmark" in said


@pytest.mark.parametrize("make_old", [removed_benchmark, later_version])
def test_a_history_of_which_nothing_is_left_is_no_pass(tmp_path, make_old):
    make_old(asv(tmp_path / "asv", "a", 0, {TEMPORARY: {PROGRAM: 1}}))
    exit_code, said, _ = build(tmp_path, tmp_path / "asv")
    assert exit_code == 2
    assert "the folder holds no results of asv that are of this suite" in said


def test_without_a_sweep_the_failures_decide(tmp_path):
    asv(tmp_path / "asv", "a", 0, {TEMPORARY: {PROGRAM: 1}})
    exit_code, said, _ = build(tmp_path, tmp_path / "asv")
    assert exit_code == 0
    assert "Agreement is not judged, since there is no sweep" in said
    assert "failed benchmarks: 0" in said
    asv(tmp_path / "asv", "b", 1, {TEMPORARY: {PROGRAM: None}})
    exit_code, said, page = build(tmp_path, tmp_path / "asv")
    assert (exit_code, "failed benchmarks: 1" in said) == (1, True)
    assert "the benchmark raised an error" in page


def test_hidden_files_in_a_folder_of_results_are_not_read(tmp_path):
    path = asv(tmp_path / "asv", "a", 0, {TEMPORARY: {PROGRAM: 1.0}})
    path.with_name(f"._{path.name}").write_bytes(b"\xff")
    read = read_results([tmp_path / "asv"]).measurements
    assert (len(read.frame), read.complaints) == (2, ())


def test_a_folder_that_is_none_of_asvs_is_named(tmp_path):
    (complaint,) = read_results([tmp_path]).measurements.complaints
    assert str(complaint).startswith(f"{tmp_path}: the folder holds no results")


def test_benchmarks_of_others_under_pytest_are_left_out_and_damaged_ones_named(tmp_path):
    path = pytest_benchmark(tmp_path / "pytest.json")
    content = json.loads(path.read_text())
    (own,) = content["benchmarks"]
    dropped = {**own, "name": "dropped", "extra_info": {**own["extra_info"], "device": "tpu"}}
    others = {"name": "others", "stats": {"median": 1.0}, "extra_info": {}}
    content["benchmarks"] += [others, dropped]
    path.write_text(json.dumps(content))
    read = read_results([path]).measurements
    assert len(read.frame) == 4
    assert read.complaints == ()
    assert [*read.left_out] == [
        "others is no benchmark of this suite",
        "dropped of device 'tpu', which this suite does not have",
    ]


def test_damage_is_still_no_pass(tmp_path):
    path = asv(tmp_path / "asv", "a", 0, {TEMPORARY: {PROGRAM: 1}})
    path.with_name("half.json").write_text("{")
    exit_code, said, _ = build(tmp_path, tmp_path / "asv")
    assert (exit_code, "half.json: not asv's results" in said) == (2, True)


def test_a_renamed_folder_of_a_machine_is_explained(tmp_path):
    asv(tmp_path / "asv", "a", 0, {TEMPORARY: {PROGRAM: 1}})
    (tmp_path / "asv" / "m").rename(tmp_path / "asv" / "renamed")
    exit_code, said, _ = build(tmp_path, tmp_path / "asv")
    assert exit_code == 2
    assert "params.machine: it is 'm', and the folder 'renamed'" in said
