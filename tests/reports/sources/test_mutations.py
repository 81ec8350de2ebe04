"""One field of a results file made wrong: the file and the field are named, nothing is raised.

What is right all the same is listed with its reason, and no more than that passes.
"""

import json
import random
import re

import pytest

from benchmarks.schema.environment import JAX_SETTINGS
from reports.gate import baseline
from reports.gate.judge import compare_with_baseline
from reports.sources.measurements import DamagedError, IncomparableError
from reports.sources.published import SWEEP, manifest_of, pack, read_published
from reports.sources.results import read_results
from reports.sources.sweep_file import ReadSweep, read_sweep
from reports.sweep import agreement
from reports.sweep.history import histories
from reports.sweep.page import build_report
from tests.reports.written import PROGRAM, asv, pytest_benchmark, record, sweep

MISSING = object()
MUTATIONS = {
    "null": None,
    "text": "text",
    "list": [],
    "negative": -1,
    "infinite": float("inf"),
    "huge": 10**19,
    "missing": MISSING,
}
MOST, JUDGED_ONE_IN = 250, 50
EVERY = set(MUTATIONS)
ANY_TEXT = {"text"}

_FREE_TEXTS = r"command|machine|os|cpu|architecture|python|xla_flags|jax_platforms|changes"
_ENVIRONMENT = {
    rf"environment\.({_FREE_TEXTS})": (ANY_TEXT, "any text says something"),
    r"environment\.vector_extensions": ({"list"}, "a processor may have none"),
    r"environment\.vector_extensions\.\d": (ANY_TEXT, "other processors have others"),
    r"environment\.packages\.\w+": (ANY_TEXT, "versions are named as packages like"),
    r"environment\.commit": ({"null"}, "outside of a repository"),
    r"environment\.changes": ({"null", "missing"}, "nothing is uncommitted; older sweeps"),
    r"environment\.(jax_platforms|jax_\w+_x64|jax_disable_\w+)": ({"missing"}, "older sweeps"),
    r"environment\.jax_\w+_precision": ({"text", "null", "missing"}, "any; older sweeps"),
    r"environment\.blas": ({"list", "missing"}, "none was found; older sweeps"),
}
_SCOPE = {
    r"environment\.tier": ({"text", "null", "missing"}, "another tier; older sweeps"),
    r"environment\.(losses|n_cells)": ({"list", "missing"}, "nothing; older sweeps"),
    r"environment\.losses\.\d": (ANY_TEXT, "losses come and go"),
}
_RATIOS = {
    r"ratios\.\d\.(loss|other)": (ANY_TEXT, "losses and peers come and go"),
    r"ratios": ({"list"}, "none was measured"),
}
LEGAL = {
    "sweep": {
        **_ENVIRONMENT,
        **_SCOPE,
        **_RATIOS,
        r"data_digests\.\w+": ({"missing"}, "one set of cells less"),
        r"records\.\d\.detail": (ANY_TEXT, "a reason is free text"),
        r"records\.\d\.samples": ({"list"}, "one call, no samples"),
        r"records\.0\.value": ({"negative", "huge"}, "a loss is any number"),
        r"records\.1\.value": ({"huge"}, "an error has no largest value"),
        r"v_curves": ({"list"}, "no gradient was checked"),
        r"v_curves\.\d\.loss": (ANY_TEXT, "losses come and go"),
        r"v_curves\.\d\.errors\.\d": ({"huge"}, "an error has no largest value"),
        r"steps\.\d": (ANY_TEXT, "steps are named as they like"),
        r"steps": ({"list"}, "a sweep of no steps has none unfinished"),
        r"unfinished": ({"list"}, "the sweep is finished"),
    },
    "ratios": {**_ENVIRONMENT, **_RATIOS},
    "asv": {
        r"(python|requirements|env_vars|durations).*": (EVERY, "not read"),
        r"params\.python": (EVERY, "not read"),
        r"env_name": (ANY_TEXT, "environments are named as they like"),
        r"results\.[A-Za-z_.]+\.2": ({"text", "null"}, "another version is left out"),
        r"results\.[A-Za-z_.]+\.0": ({"null"}, "all combinations failed"),
        r"results\.[A-Za-z_.]+\.0\.\d": ({"null"}, "the benchmark failed"),
        r"results\.[A-Za-z_.]+\.3": ({"null"}, "asv may not say when it was measured"),
        r"results\.[A-Za-z_.]+\.4": (EVERY, "not read"),
        r"results\.[A-Za-z_.]+": ({"missing"}, "one benchmark less"),
        r"result_columns\.[34]": (ANY_TEXT, "a column that may be missing"),
    },
    "pytest": {
        r"machine_info\.(node|python_version)": (ANY_TEXT, "any text says something"),
        r"commit_info\.id": ({"null", "missing"}, "outside of a repository"),
        r"benchmarks": ({"list"}, "no benchmark was chosen"),
        r"benchmarks\.\d\.extra_info\.(program|device)": (ANY_TEXT, "they come and go"),
        r"benchmarks\.\d\.name": (EVERY, "not read where the rest is right"),
        r"benchmarks\.\d\.stats\.data.*": (EVERY, "not read"),
    },
    "manifest": {
        r"headline|command": (ANY_TEXT, "any text says something"),
        r"environment\.(changes|blas|jax_\w+)": ({"missing"}, "as the sweep beside it says"),
    },
    "baseline": {r"commit": ({"null"}, "outside of a repository")},
}
# Fields that complaints call by the name of their column.
RENAMED = {"benchmarks": {"median": "call_seconds"}}
SCOPE = {"tier": "quick", "losses": ["shannon", "simpson"], "n_cells": [256]}
TRACKED, TIMED = "bench_memory.Memory.track_temp_bytes", "bench_throughput.Call.time_call"


def write_sweep(folder):
    records = [
        record("shannon", "value", -1.5, samples=[1.0]),
        record("shannon", "value_error", 1e-7),
        record("shannon", "hlo_fingerprint", "ab"),
        record("shannon", "call_seconds", None, status="skipped", detail="no memory"),
        record("simpson", "flops", None, status="failed", detail="boom"),
    ]
    said = {"changes": None, "jax_platforms": "", "jax_disable_jit": False, **SCOPE}
    path = sweep(folder / "sweep.json", records, **said)
    content = json.loads(path.read_text())
    for name in ("v_curves", "ratios"):
        del content[name][1:]
    return path, {**content, "unfinished": [], "steps": ["one", "two"]}


def write_ratios(folder):
    path, content = write_sweep(folder)
    environment = {name: held for name, held in content["environment"].items() if name not in SCOPE}
    return path, {"environment": environment, "ratios": content["ratios"]}


def write_asv(folder):
    path = asv(folder / "asv", "a", 0, {TRACKED: {PROGRAM: 7}, TIMED: {PROGRAM: 1.5}})
    return path, json.loads(path.read_text())


def write_pytest(folder):
    path = pytest_benchmark(folder / "pytest.json")
    return path, json.loads(path.read_text())


def write_manifest(folder):
    path, content = write_sweep(folder)
    path.write_text(json.dumps(content))
    kept = pack(path, folder / SWEEP)
    return folder / "manifest.json", manifest_of(read_sweep(kept), "All is well.", [kept])


def write_baseline(folder):
    rows = [
        ["shannon:value", "simulated", 256, "cpu", "flops", 1.5],
        ["shannon:value", "simulated", 256, "cpu", "hlo_fingerprint", "ab"],
    ]
    key = {"backend": "cpu", "jax": "0.10.2", "jaxlib": "0.10.2", "xla_flags": ""}
    key |= {**dict.fromkeys(JAX_SETTINGS, False), "jax_default_matmul_precision": None}
    content = {"schema_version": 2, "key": key, **SCOPE, "cores": 2, "commit": "ab", "rows": rows}
    return folder / "cpu-jaxlib-0.10.2.json", content


WRITERS = {
    "sweep": write_sweep,
    "ratios": write_ratios,
    "asv": write_asv,
    "pytest": write_pytest,
    "manifest": write_manifest,
    "baseline": write_baseline,
}


def fields(content, path=()):
    """Every field of the content, of a list's elements the first and the second."""
    if path:
        yield path
    below = content.items() if isinstance(content, dict) else ()
    if isinstance(content, list):
        below = enumerate(content[:5] if path == ("records",) or "results" in path else content[:2])
    for name, held in below:
        yield from fields(held, (*path, name))


def mutated(content, path, value):
    """A copy of the content with another value in one field, or without the field."""
    found = content.copy()
    if len(path) > 1:
        found[path[0]] = mutated(content[path[0]], path[1:], value)
    elif value is MISSING:
        del found[path[0]]
    else:
        found[path[0]] = value
    return found


def mutations(content):
    for path in fields(content):
        for kind, value in MUTATIONS.items():
            in_a_list = isinstance(path[-1], int)
            if not (value is MISSING and in_a_list):
                changed = mutated(content, path, value)
                if changed != content:
                    yield ".".join(map(str, path)), kind, changed


def reasons(kind, field, mutation):
    """Why the mutation is no damage, if it is none."""
    return [
        reason
        for pattern, (which, reason) in LEGAL[kind].items()
        if re.fullmatch(pattern, field) and mutation in which
    ]


def names_of(field):
    names = [name for name in re.split(r"[. ]", field) if not name.isdigit()]
    return {names[-1], RENAMED.get(names[0], {}).get(names[-1], names[-1])}


def complaints(kind, path):
    """What the readers say of the file."""
    try:
        if kind == "manifest":
            read_published(path)
        elif kind == "baseline":
            compare_with_baseline(GATED[0])
        else:
            return [str(one) for one in read_results([given(path)]).measurements.complaints]
    except (DamagedError, IncomparableError) as error:
        return [str(error)]
    return []


def given(path):
    return path.parent.parent if path.parent.name == "m" else path


def use(path, page):
    """Let every judge, and the page without its plots, have what was read."""
    read = read_results([given(path)])
    agreement.report_headline(read)
    agreement.answer(read)
    histories(read.measurements.frame)
    build_report(read, page)


GATED: list[ReadSweep] = []


pytestmark = pytest.mark.usefixtures("without_plots")


@pytest.fixture(autouse=True)
def gated(tmp_path, monkeypatch):
    """A sweep to hold against baselines."""
    monkeypatch.setattr(baseline, "_FOLDER", tmp_path)
    path = sweep(tmp_path / "gated.json", [record("shannon", "flops", 1.5)], **SCOPE)
    GATED[:] = [read_sweep(path)]


@pytest.mark.parametrize("kind", WRITERS)
def test_a_wrong_field_is_named_with_its_file_and_nothing_is_raised(tmp_path, kind):
    path, content = WRITERS[kind](tmp_path)
    path.write_text(json.dumps(content))
    assert complaints(kind, path) == []
    wrong, found = [], list(mutations(content))
    drawn = random.Random(0).sample(found, min(len(found), MOST))
    for at, (field, mutation, changed) in enumerate(drawn):
        path.write_text(json.dumps(changed))
        legal = reasons(kind, field, mutation)
        said = complaints(kind, path)
        text = " ".join(said)
        named = path.name in text or str(path.parent) in text
        named &= any(name in text for name in names_of(field))
        if bool(said) == bool(legal) or (said and not named):
            wrong.append((field, mutation, said, legal))
        if at % JUDGED_ONE_IN == 0 and kind not in ("manifest", "baseline"):
            use(path, tmp_path / "page")
    assert wrong == []
    assert at > 80
