"""What a result depends on besides its settings: versions, and the class of machine."""

import os
import platform
from importlib.metadata import version

import torch

from datainf.__about__ import __version__

_LIBRARIES = ("torch", "transformers", "peft", "numpy")


def surroundings() -> dict[str, str]:
    """Describe this process, without naming the machine or a place on it.

    Returns:
        Versions, and the machine such as "2-core x86_64 CPU, 1 thread".
    """
    cores, threads = os.cpu_count(), torch.get_num_threads()
    machine = f"{cores}-core {platform.machine()} CPU, {threads} thread"
    machine += "s" if threads != 1 else ""
    if torch.cuda.is_available():
        machine += f", {torch.cuda.get_device_name()}"
    versions = {name: version(name) for name in _LIBRARIES}
    return {"datainf": __version__, **versions, "machine": machine}
