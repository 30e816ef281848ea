"""What students cost: memory and processor time of the processes that a hub started for them."""

import re
from pathlib import Path

import psutil


def of(*names):
    """The processes on this machine that carry one of these students' names; a kernel inherits its server's."""
    running = psutil.process_iter(["environ", "cmdline"])
    return [process for process in running if (process.info["environ"] or {}).get("JUPYTERHUB_USER") in names]


def server_and_kernel(student):
    """A student's server, and the kernel of the notebook that they opened last."""
    found = {" ".join(process.info["cmdline"]): process for process in of(student.name)}
    (kernel,) = (process for command, process in found.items() if student.kernel in command)
    (server,) = (process for process in found.values() if not is_kernel(process))
    return server, kernel


def is_kernel(process):
    return "ipykernel" in " ".join(process.info["cmdline"])


def memory(processes):
    """Their memory in MB: what is theirs alone, and their share of what they have in common with others (PSS)."""
    return sum(process.memory_full_info().pss for process in processes) / 2**20


def peak(processes):
    """The most memory in MB that each ever had, added up, everything counted that it shares with others."""
    statuses = [Path(f"/proc/{process.pid}/status").read_text() for process in processes]
    return sum(int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) for status in statuses) / 1024
