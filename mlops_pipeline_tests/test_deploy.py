"""What stands under `deploy/` says the same as what runs here."""

from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent


def test_the_instance_on_postgresql_differs_in_its_storage_alone() -> None:
    here = yaml.safe_load((ROOT / "dagster.yaml").read_text())
    there = yaml.safe_load((ROOT / "deploy" / "dagster.postgres.yaml").read_text())

    storage = there.pop("storage")

    assert there == here
    assert storage["postgres"]["postgres_db"]["scheme"] == "postgresql+psycopg2"


def test_the_workspace_and_the_project_name_one_code_location() -> None:
    workspace = yaml.safe_load((ROOT / "workspace.yaml").read_text())
    name = workspace["load_from"][0]["python_module"]["location_name"]

    assert f'code_location_name = "{name}"' in (ROOT / "pyproject.toml").read_text()


def test_the_lock_pins_every_package_and_names_no_address() -> None:
    lines = (ROOT / "requirements.lock").read_text().split()

    assert len(lines) > 150
    assert [line for line in lines if line.count("==") != 1 or "/" in line or "@" in line] == []
