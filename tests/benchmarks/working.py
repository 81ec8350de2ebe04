"""What processes do in the tests of the launcher; it imports nothing that takes time."""

import time


def squares(member, numbers):
    """Process 0 answers with the squares, and the others with something else."""
    for number in numbers:
        yield number**2 if member.process_id == 0 else "not heard"


def wait_for_ever(member, folder):
    """One answer, when every process has said that it waits, and then no end."""
    print(f"process {member.process_id} waits", flush=True)
    (folder / str(member.process_id)).touch()
    while len(list(folder.iterdir())) < member.n_processes:
        time.sleep(0.01)
    yield member
    time.sleep(600)


def fail_in_process_1(member):
    """Process 1 fails while process 0 waits for it."""
    yield member
    if member.process_id == 1:
        raise ArithmeticError("no such number")
    time.sleep(600)
