"""What a launcher told this process, and when it refuses to start."""

import re
import socket

import pytest

from datainf.core.errors import OptionError
from datainf.core.launch import Launch

TOLD = {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4"}


def test_without_a_launcher_there_is_one_process():
    launch = Launch.read({})
    assert (launch, launch.leads, launch.said) == (Launch(), True, "")
    assert Launch.read({"RANK": "3", "WORLD_SIZE": "all"}) == Launch()


def test_a_process_knows_its_place():
    host = socket.gethostname()
    launch = Launch.read(TOLD)
    assert launch == Launch(5, 8, 1, 4, host)
    assert not launch.leads
    assert (launch.name, launch.said) == (
        f"rank 5 of 8 ({host})",
        f"rank 5 of 8 ({host}): ",
    )
    assert Launch.read({"RANK": "0", "WORLD_SIZE": "1"}).said == ""


def test_another_number_of_processes_than_was_asked_for_is_refused():
    launch = Launch.read(TOLD)
    launch.require(None)
    launch.require(8)
    message = (
        "--world-size 4 asks for 4 processes, and the launcher started 8; start them "
        "together: torchrun --nproc-per-node 4 -m datainf ..."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        launch.require(4)
    with pytest.raises(OptionError, match=r"^--world-size must be at least 1"):
        launch.require(0)


def test_work_of_one_process_is_refused_in_several():
    Launch().require_alone("datainf train")
    message = (
        "datainf train works in one process, and the launcher started 8; run it "
        "without one. collect and score can be shared."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        Launch.read(TOLD).require_alone("datainf train")
