"""The canary benchmark: its shortcut through whole runs says what the judge says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "canary.py"


@pytest.mark.slow
def test_the_judge_errs_less_than_alpha_and_is_within_twice_walds_bound():
    done = subprocess.run(
        [sys.executable, str(BENCHMARK), "--quick", "--json"],
        capture_output=True,
        text=True,
        check=True,
        timeout=180,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    for scenario in ("aa_false_rollback", "aa_repeating_users", "aa_drifting_baseline"):
        assert found[scenario] <= found["alpha"]
    assert found["median_vs_wald_5pct"] <= 2
    assert found["false_rollbacks_of_others"]["z"] > found["alpha"]
