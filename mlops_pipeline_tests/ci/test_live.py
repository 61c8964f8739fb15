"""`mlops ci` against a real dagster-webserver and dagster-daemon: every exit code, once."""

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from mlops_pipeline.cli.ci import ci
from mlops_pipeline_tests.ci.live import live_dagster

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def verdict(word: str) -> str:
    return json.dumps({"ops": {"m__evaluation": {"config": {"verdict": word}}}})


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with live_dagster(tmp_path_factory.mktemp("live") / "home") as address:
        yield address


def call(*words: str) -> Result:
    return CliRunner().invoke(ci, [*words])


def launched(url: str, *words: str) -> str:
    """The id of a run that was launched and left."""
    result = call("run", *words, "--no-wait", "--json", "--url", url)
    assert result.exit_code == 0, result.output
    run_id: str = json.loads(result.stdout)["run_id"]
    return run_id


def test_each_kind_of_run_has_its_exit_code(url: str) -> None:
    # All are launched first, so that their processes start side by side.
    expected = {
        launched(url, "m__train", "--config", verdict("promote")): (0, "the gate says promote"),
        launched(url, "m__train", "--config", verdict("reject")): (
            1,
            "the gate says reject: finding: as configured",
        ),
        launched(url, "m__load"): (1, "a blocking check failed: m/rows: nulls"),
        launched(url, "m__train", "--config", verdict("hold")): (2, "the gate says hold"),
        launched(url, "m__train", "--config", verdict("error")): (3, "the gate says error"),
        launched(url, "m__guarded", "--config", verdict("promote")): (
            2,
            "says cooling_down: until",
        ),
        launched(url, "m__guarded", "--past-controller", "a drill"): (0, "the gate says promote"),
        launched(url, "m__burn"): (3, "burn: RuntimeError: the disk is on fire"),
        launched(url, "m__ingest", "--partition", "2013-02-01"): (0, "gives no verdict"),
    }

    results = {run_id: call("wait", run_id, "--url", url) for run_id in expected}

    for run_id, (code, why) in expected.items():
        assert results[run_id].exit_code == code, results[run_id].output
        assert why in results[run_id].stdout.splitlines()[-1]
    blocked = results[list(expected)[2]].stdout
    assert "check m/rows: nulls: error 3 of 10 rows" in blocked


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["m__trian"], "no job is named 'm__trian' (did you mean 'm__train'?)"),
        (["m__ingest"], "'m__ingest' is partitioned: say --partition, 2013-01-01 to 2013-03-01"),
        (["m__ingest", "--partition", "2013-04-01"], "has no partition '2013-04-01'"),
        (["m__train", "--partition", "2013-01-01"], "'m__train' has no partitions"),
        (["m__train", "--config", '{"opz": {}}'], 'unexpected config entry "opz" at the root.'),
        (["m__train", "--config", verdict("x").replace('"x"', "3")], "Invalid scalar at path"),
    ],
)
def test_what_is_wrong_is_found_before_the_launch(url: str, words: list[str], said: str) -> None:
    result = call("run", *words, "--url", url)

    assert result.exit_code == 4
    assert said in result.stderr
    assert "Expected:" not in result.stderr


def test_a_run_that_is_not_there_is_usage(url: str) -> None:
    result = call("wait", "00000000-0000-0000-0000-000000000000", "--url", url)

    assert result.exit_code == 4
    assert "could not be found" in result.stderr


def test_the_same_key_gives_the_same_run(url: str) -> None:
    words = ["m__train", "--key", "commit abc/1", "--tag", "commit=abc", "--json", "--url", url]

    first, second = call("run", *words), call("run", *words)

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert json.loads(first.stdout)["run_id"] == json.loads(second.stdout)["run_id"]
    assert "m__train launched" in first.stderr
    assert "m__train found under key 'commit abc/1'" in second.stderr
