"""asv's configuration holds no key that asv would silently ignore."""

import inspect
import json
from pathlib import Path

from asv.config import Config

ROOT = Path(__file__).resolve().parents[2]


def test_every_key_is_one_that_asv_knows():
    known = set(vars(Config())) | {"version"}
    assert set(json.loads((ROOT / "asv.conf.json").read_text())) <= known
    assert "benchmark_dir" in inspect.getsource(Config)
