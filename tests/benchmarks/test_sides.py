"""Each side of a comparison is installed into its own environment, whatever pip is told to do."""

import pytest

from benchmarks.rounds import sides


@pytest.mark.parametrize("where", ["variables", "file"])
def test_settings_of_pip_that_install_elsewhere_do_not_move_a_side(tmp_path, monkeypatch, where):
    elsewhere = {"user": "1", "target": str(tmp_path / "elsewhere")}
    if where == "variables":
        for name, value in elsewhere.items():
            monkeypatch.setenv(f"PIP_{name.upper()}", value)
    else:
        lines = [f"{name} = {value}" for name, value in elsewhere.items()]
        (tmp_path / "pip.conf").write_text("\n".join(["[install]", *lines]))
        monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    source = tmp_path / "side" / "source"
    source.mkdir(parents=True)
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "planted"\nversion = "1"\n'
    )
    (source / "planted.py").touch()
    sides._install(tmp_path / "side", None)
    assert len([*(tmp_path / "side" / "environment").rglob("planted.py")]) == 1
    assert not (tmp_path / "elsewhere").exists()
