"""What `make matrix` runs is what the package promises, and what the workflow runs."""

import re

import yaml

from noxfile import MATRIX, PROJECT, PYTHONS, oldest_versions
from tests.scratch import ROOT


def test_it_has_every_python_that_the_package_names():
    named = [each.rsplit(" ", 1)[1] for each in PROJECT["classifiers"] if ":: Python ::" in each]
    assert named == PYTHONS
    assert PROJECT["requires-python"] == f">={PYTHONS[0]}"


def test_the_workflow_runs_all_of_it():
    workflow = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text())
    listed = workflow["jobs"]["matrix"]["strategy"]["matrix"]["session"]
    assert listed == ["-".join(each) for each in MATRIX]


def test_the_oldest_versions_are_the_bounds_of_the_package_and_its_extras():
    oldest = dict(each.split("==") for each in oldest_versions())
    extras = PROJECT["optional-dependencies"]
    for need in [*PROJECT["dependencies"], *(need for needs in extras.values() for need in needs)]:
        name, kind, bound = re.fullmatch(r"([\w-]+)(?:\[[\w,]+\])?(?:(>=|==)(.+))?", need).groups()
        assert kind != ">=" or oldest[name] == bound, need
