"""Settings: defaults, every variable, and what is refused."""

import os
from pathlib import Path

import pytest

from mlops_pipeline.errors import SettingsError
from mlops_pipeline.settings import PACKAGE_MODELS, SOCKET_PATH_LIMIT, read_settings


def test_an_empty_environment_gives_one_folder_below_the_working_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    settings = read_settings({})

    home = tmp_path / ".mlops"
    assert settings.home == home
    assert settings.ledger_url == f"sqlite:///{home}/ledger.db"
    assert settings.mlflow_uri == f"sqlite:///{home}/mlflow/mlflow.db"
    assert settings.contract_folders == (PACKAGE_MODELS,)
    assert (settings.port, settings.profile) == (8080, "production")
    assert settings.dagster_url == "http://127.0.0.1:3000"
    assert settings.alert_urls == ()
    assert not home.exists()


def test_all_state_lies_below_the_home(tmp_path: Path) -> None:
    settings = read_settings({"MLOPS_HOME": str(tmp_path)})

    places = [
        settings.objects,
        settings.mlflow_artifacts,
        settings.bundles,
        settings.feature_snapshots,
        settings.request_log,
        settings.labels,
        settings.keys,
        settings.dagster_home,
    ]
    assert all(place.is_relative_to(tmp_path) for place in places)
    assert len(set(places)) == len(places)


def test_every_variable_is_read(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()

    settings = read_settings(
        {
            "MLOPS_HOME": str(tmp_path),
            "MLOPS_LEDGER_URL": "postgresql+psycopg2://me@db/ledger",
            "MLFLOW_TRACKING_URI": "http://mlflow:5000",
            "MLOPS_CONTRACTS": f"{one}:{two}:",
            "MLOPS_RUNTIME_DIR": "/tmp/short",
            "MLOPS_PORT": "9090",
            "MLOPS_ALERT_URLS": "json://a  json://b",
            "DAGSTER_URL": "http://dagster:3000/",
            "MLOPS_PROFILE": "scratch",
        }
    )

    assert settings.ledger_url == "postgresql+psycopg2://me@db/ledger"
    assert settings.mlflow_uri == "http://mlflow:5000"
    assert settings.contract_folders == (one, two)
    assert settings.node_socket == Path("/tmp/short/node.sock")
    assert settings.port == 9090
    assert settings.alert_urls == ("json://a", "json://b")
    assert settings.dagster_url == "http://dagster:3000"
    assert settings.profile == "scratch"


def test_paths_are_absolute_and_know_the_users_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")

    assert read_settings({"MLOPS_HOME": "~/state"}).home == Path("/home/somebody/state")


def test_two_homes_have_two_runtime_folders_of_the_same_user(tmp_path: Path) -> None:
    one, again, two = (
        read_settings({"MLOPS_HOME": str(tmp_path / name)}).runtime_dir for name in "aab"
    )

    assert one == again != two
    assert f"-{os.getuid()}-" in one.name


def test_the_users_own_runtime_folder_is_preferred_where_it_is_usable(tmp_path: Path) -> None:
    run = tmp_path / "r"
    run.mkdir(mode=0o700)
    home = {"MLOPS_HOME": str(tmp_path / "a")}
    assert read_settings({**home, "XDG_RUNTIME_DIR": str(run)}).runtime_dir.parent == run
    for unusable in ("", str(tmp_path / "missing"), f"{run}/{'x' * 90}", "relative"):
        found = read_settings({**home, "XDG_RUNTIME_DIR": unusable}).runtime_dir
        assert found == read_settings(home).runtime_dir


def test_the_longest_runtime_folder_that_is_taken_holds_its_longest_socket() -> None:
    room = SOCKET_PATH_LIMIT - len("/envoy-admin.sock")
    longest = "/" + "x" * (room - 1)

    assert read_settings({"MLOPS_RUNTIME_DIR": longest}).runtime_dir == Path(longest)
    with pytest.raises(SettingsError, match=f"is {room + 1} bytes long; .* at most {room}"):
        read_settings({"MLOPS_RUNTIME_DIR": longest + "x"})


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("MLOPS_HOME", "{file}", "is a file; name a folder"),
        ("MLOPS_CONTRACTS", "/no/such/folder", "names /no/such/folder, which is no folder"),
        ("MLOPS_PORT", "http", "'http' is no port: give a number from 1 to 65535"),
        ("MLOPS_PORT", "0", "'0' is no port"),
        ("MLOPS_PORT", "65536", "'65536' is no port"),
        ("MLOPS_PORT", "-1", "'-1' is no port"),
        ("MLOPS_PROFILE", "prod", "'prod': say 'production' or 'scratch'"),
    ],
)
def test_an_unusable_value_is_named_with_its_variable(
    tmp_path: Path, variable: str, value: str, said: str
) -> None:
    file = tmp_path / "file"
    file.touch()

    with pytest.raises(SettingsError, match=said) as caught:
        read_settings({variable: value.format(file=file)})
    assert variable in str(caught.value)


def test_credentials_are_never_shown(tmp_path: Path) -> None:
    settings = read_settings(
        {
            "MLOPS_HOME": str(tmp_path),
            "MLOPS_LEDGER_URL": "postgresql+psycopg2://me:secret@db/ledger",
            "MLOPS_ALERT_URLS": "slack://secret",
        }
    )

    assert "secret" not in repr(settings)
