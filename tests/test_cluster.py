"""The example for clusters: its files are sound, and its processes find each other."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "examples" / "cluster"
PROGRAM = "examples/cluster/train.py"
ARGUMENTS = ("--n-cells", "203", "--batch-size", "51")


def test_slurm_s_script_is_bash_and_starts_the_program():
    script = FOLDER / "slurm.sh"
    subprocess.run(["bash", "-n", script], check=True)
    (command,) = (line for line in script.read_text().splitlines() if line.startswith("srun "))
    assert f"python {PROGRAM}" in command


def test_kubernetes_job_and_service_belong_together():
    service, job = yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text())
    pods, name = job["spec"]["template"]["spec"], job["metadata"]["name"]
    (container,) = pods["containers"]
    given = {variable["name"]: variable["value"] for variable in container["env"]}
    assert service["kind"] == "Service"
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["selector"] == {"job-name": name}
    assert pods["subdomain"] == service["metadata"]["name"]
    assert job["spec"]["completionMode"] == "Indexed"
    assert job["spec"]["completions"] == job["spec"]["parallelism"] == int(given["N_PROCESSES"])
    assert given["COORDINATOR"].rpartition(":")[0] == f"{name}-0.{pods['subdomain']}"
    assert container["command"][:2] == ["python", PROGRAM]


def under_slurm(number):
    # JAX takes the port from the job's number, and the first of the nodes.
    return {
        "SLURM_JOB_ID": str(os.getpid()),
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_NTASKS": "2",
        "SLURM_PROCID": str(number),
        "SLURM_LOCALID": str(number),
    }


def on_kubernetes(number, port):
    return {
        "JOB_COMPLETION_INDEX": str(number),
        "N_PROCESSES": "2",
        "COORDINATOR": f"127.0.0.1:{port}",
        "KUBERNETES_SERVICE_HOST": "10.0.0.1",
    }


def start(*environments, n_steps=4):
    """Processes that train together over two virtual devices each."""
    common = {**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    common["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
    return [
        subprocess.Popen(
            [sys.executable, PROGRAM, *ARGUMENTS, "--n-steps", str(n_steps)],
            cwd=ROOT,
            env={**common, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for environment in environments
    ]


def run_processes(*environments):
    """What the processes print."""
    processes = start(*environments)
    outputs = [process.communicate() for process in processes]
    assert not any(process.returncode for process in processes), outputs
    return "".join(printed for printed, _ in outputs)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 1])
def test_a_process_ends_by_itself_when_another_is_killed(number):
    port = free_port()
    processes = start(on_kubernetes(0, port), on_kubernetes(1, port), n_steps=10**6)
    try:
        # Process 0 shows the progress of the training, which the first update begins.
        assert any(re.search(r"\b[1-9]\d*/1000000", line) for line in processes[0].stderr)
        processes[number].kill()
        _, said = processes[1 - number].communicate(timeout=90)
        assert processes[1 - number].returncode not in (0, None), said
    finally:
        for process in processes:
            process.kill()


@pytest.mark.slow
def test_the_example_trains_alone_under_slurm_and_on_kubernetes_to_the_same_losses():
    port = free_port()
    jobs = {
        "2 devices of 1 processes": [{}],
        "4 devices of 2 processes": [under_slurm(0), under_slurm(1)],
        "4 devices of 2 processes:": [on_kubernetes(0, port), on_kubernetes(1, port)],
    }
    losses = []
    for expected, environments in jobs.items():
        printed = run_processes(*environments)
        (line,) = (line for line in printed.splitlines() if "devices of" in line)
        assert line.startswith(expected)
        losses.append([float(word) for word in line.replace(",", "").split() if "." in word])
    assert len(losses[0]) == 2
    for found in losses[1:]:
        assert found == pytest.approx(losses[0], abs=1e-4)
