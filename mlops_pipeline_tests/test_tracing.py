"""Where spans go is read from the environment, or refused."""

import pytest

from mlops_pipeline.errors import SettingsError
from mlops_pipeline.settings import read_settings
from mlops_pipeline.tracing import Collector


def test_without_an_endpoint_no_span_leaves_the_machine() -> None:
    assert read_settings({}).collector is None


def test_a_collector_gets_one_trace_of_a_hundred_unless_another_share_is_said() -> None:
    said = {"MLOPS_OTLP_ENDPOINT": "http://collector"}
    assert read_settings(said).collector == Collector("collector", 4318, "/v1/traces", 0.01)
    more = {"MLOPS_OTLP_ENDPOINT": "http://127.0.0.1:9/otlp/", "MLOPS_OTLP_SHARE": "1"}
    assert read_settings(more).collector == Collector("127.0.0.1", 9, "/otlp/v1/traces", 1.0)


@pytest.mark.parametrize(
    ("endpoint", "share", "said"),
    [
        ("https://far.away", "1", "http://127.0.0.1:4318"),
        ("collector:4318", "1", "MLOPS_OTLP_ENDPOINT='collector:4318'"),
        ("http://collector:high", "1", "MLOPS_OTLP_ENDPOINT"),
        ("http://collector", "0", "MLOPS_OTLP_SHARE='0'"),
        ("http://collector", "1.1", "MLOPS_OTLP_SHARE='1.1'"),
        ("http://collector", "half", "MLOPS_OTLP_SHARE='half'"),
    ],
)
def test_an_unusable_collector_is_refused(endpoint: str, share: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        read_settings({"MLOPS_OTLP_ENDPOINT": endpoint, "MLOPS_OTLP_SHARE": share})
