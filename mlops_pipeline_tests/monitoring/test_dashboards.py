"""Dashboards have the structure that Grafana's JSON model asks for.

Grafana is in no package of Debian, so no Grafana has opened them here: what is held is the model of
https://grafana.com/docs/grafana/latest/visualizations/dashboards/build-dashboards/view-dashboard-json-model/
and, in `e2e/test_monitoring_dashboards.py`, each query by a real Prometheus.
"""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from mlops_pipeline_tests.monitoring.prometheus import DEPLOY

FOLDER = DEPLOY / "grafana" / "dashboards"
DASHBOARDS = sorted(FOLDER.glob("*.json"))
COLUMNS = 24
PANELS = {"timeseries", "stat", "table", "gauge", "bargauge", "heatmap", "state-timeline"}


@pytest.fixture(params=DASHBOARDS, ids=lambda path: path.stem)
def dashboard(request: pytest.FixtureRequest) -> dict[str, Any]:
    path: Path = request.param
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_every_dashboard_has_its_own_name() -> None:
    uids = [json.loads(path.read_text())["uid"] for path in DASHBOARDS]
    assert len(set(uids)) == len(uids) == 5


def test_it_is_a_dashboard_of_its_own_that_grafana_may_number(dashboard: dict[str, Any]) -> None:
    assert dashboard["schemaVersion"] >= 36
    assert dashboard.get("id") is None
    assert dashboard["title"]
    assert {"from", "to"} <= dashboard["time"].keys()


def test_panels_are_of_a_known_kind_and_lie_side_by_side(dashboard: dict[str, Any]) -> None:
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        place = panel["gridPos"]
        assert panel["type"] in PANELS
        assert place["x"] + place["w"] <= COLUMNS
    for one, other in itertools.combinations((panel["gridPos"] for panel in panels), 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)


def test_every_query_names_itself_and_a_data_source_that_is_asked_for(
    dashboard: dict[str, Any],
) -> None:
    variables = {each["name"]: each for each in dashboard["templating"]["list"]}
    for panel in dashboard["panels"]:
        refs = [target["refId"] for target in panel["targets"]]
        assert len(set(refs)) == len(refs)
        for target in panel["targets"]:
            source = (target.get("datasource") or panel["datasource"])["uid"]
            assert variables[source.strip("${}")]["query"] == "prometheus"
            assert target["expr"].strip()
