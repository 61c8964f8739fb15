"""Settings: defaults, every variable, and what is refused."""

import os
from pathlib import Path

import pytest

from mlops_pipeline.edge import ApiKey, Edge
from mlops_pipeline.errors import SettingsError
from mlops_pipeline.settings import (
    PACKAGE_MODELS,
    SOCKET_PATH_LIMIT,
    read_settings,
)


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


KEY = "k" * 16


def edge_of(folder: Path, keys: str = f"ana {KEY}\n", **more: str) -> Edge | None:
    """The edge that other machines may use, with changes to its settings."""
    named = {name: folder / name for name in ("keys", "chain", "key")}
    for path in named.values():
        path.write_text(keys if path.name == "keys" else "pem")
        path.chmod(0o600)
    given = {
        "MLOPS_EDGE": "0.0.0.0:8443",
        "MLOPS_EDGE_KEYS": str(named["keys"]),
        "MLOPS_EDGE_TLS": f"{named['chain']}:{named['key']}",
    }
    return read_settings({**given, **more}).edge


def test_an_edge_has_keys_tls_and_limits(tmp_path: Path) -> None:
    edge = edge_of(tmp_path, f"# ours\nana {KEY}\nbob {KEY}2 5\n", MLOPS_EDGE_RATE="20")
    assert edge is not None
    assert (edge.host, edge.port, edge.rate, edge.connections) == ("0.0.0.0", 8443, 20, 1000)
    assert edge.keys == (ApiKey("ana", KEY), ApiKey("bob", f"{KEY}2", 5))
    assert edge.certificate == tmp_path / "chain"
    assert KEY not in repr(edge)


def test_on_loopback_an_edge_needs_neither_keys_nor_tls() -> None:
    edge = read_settings({"MLOPS_EDGE": "127.0.0.1:8443"}).edge
    assert edge == Edge("127.0.0.1", 8443)
    assert read_settings({}).edge is None


@pytest.mark.parametrize(
    ("keys", "more", "said"),
    [
        ("", {}, "holds no key"),
        ("ana short\n", {}, r"keys:1: write `client key \[requests a second\]`"),
        (f"ana {KEY} fast\n", {}, r"keys:1: write"),
        (f"ana {KEY}\nbob {KEY}\n", {}, "or one twice"),
        (f"ana {KEY}\n", {"MLOPS_EDGE_KEYS": ""}, "lets other machines in"),
        (f"ana {KEY}\n", {"MLOPS_EDGE_TLS": ""}, "lets other machines in"),
        (f"ana {KEY}\n", {"MLOPS_EDGE_TLS": "/one"}, "name two files"),
        (f"ana {KEY}\n", {"MLOPS_EDGE_KEYS": "/nowhere"}, "No such file"),
        (f"ana {KEY}\n", {"MLOPS_EDGE": "8443"}, r"write it as 0\.0\.0\.0:8443"),
        (f"ana {KEY}\n", {"MLOPS_EDGE": "0.0.0.0:99999"}, "no number from 1 to 65535"),
        (f"ana {KEY}\n", {"MLOPS_EDGE_RATE": "0"}, "MLOPS_EDGE_RATE='0'"),
    ],
)
def test_an_edge_that_would_be_open_or_is_mistyped_is_refused(
    tmp_path: Path, keys: str, more: dict[str, str], said: str
) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        edge_of(tmp_path, keys, **more)
    assert KEY not in str(caught.value)


def test_a_file_of_keys_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"ana {KEY}\n")
    path.chmod(0o644)
    with pytest.raises(SettingsError, match="can be read by others: chmod 600"):
        read_settings({"MLOPS_EDGE": "127.0.0.1:1", "MLOPS_EDGE_KEYS": str(path)})
