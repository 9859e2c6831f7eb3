"""A short storm over the real thing: every process killed, both servers twice, and all planted bugs caught."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from smolit.process.roster import PROCESSES

KILLS, SEED = 16, 7  # the fewest by far with which nobody is left out, and Kafka is away for longer than a publisher waits
_LIMIT_S = 1_500  # three minutes on two calm cores


@pytest.mark.timeout(_LIMIT_S + 60)
def test_kills_lose_nothing_and_make_nothing_happen_twice(tmp_path: Path) -> None:
    """Killed at random and at named points, with servers killed and processes asleep, all is as the log says."""
    figures = tmp_path / "chaos.json"
    arguments = ["chaos", "--kills", str(KILLS), "--seed", str(SEED), "--json", str(figures)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SMOLIT_")}

    done = subprocess.run(
        [sys.executable, "-P", "-m", "smolit", *arguments],
        env={**environment, "SMOLIT_DATA_DIR": str(tmp_path / "data")},
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-3_000:]
    told = msgspec.json.decode(figures.read_bytes())
    assert (told["kills"], told["lost"], told["effects_repeated"], told["order_inversions"]) == (KILLS, 0, 0, 0)
    assert told["digests_equal"]
    assert (told["plans"] > 0, told["plan_flaws"]) == (True, 0)
    assert told["learner_equal"]
    assert told["planted"] == told["planted_caught"] >= 8
    assert 0 < told["recover_s_p50"] <= told["recover_s_max"]
    assert {one["who"].rpartition("-")[0] or one["who"] for one in told["struck"]} == {*PROCESSES, "kafka", "postgres"}
    assert {one["who"].rpartition("-")[0] for one in told["slept"]} == {"worker", "relay", "learning", "intake"}
    assert done.stdout.count("\n") == 1
    assert not (tmp_path / "data" / "chaos").exists()
