from benchmarks.measure import checkout


def pytest_benchmark_update_commit_info(commit_info):
    """The commit and its changes as the sweeps record them: untracked files are changes, too."""
    name = checkout.commit() or "unversioned"
    commit_info.update(id=name, dirty=checkout.is_dirty(checkout.uncommitted_code()))
