"""Traces: every request has an id that clients, the router's log and the servers' records share.

Envoy takes the id from a W3C `traceparent` or makes one, hands it on to the server and tells it to
the client as `x-trace-id`, whatever answers. Its spans go to a collector where there is one. Which
of them go is decided by the trace's id alone: a client's own `sampled` flag costs us nothing.

Sources: https://www.w3.org/TR/trace-context/, Envoy's `envoy.tracers.opentelemetry`.
"""

from mlops_pipeline.delivery.envoy_routes import TYPE, Json
from mlops_pipeline.tracing import Collector

CLUSTER = "otlp"
MILLION = 1_000_000
NOBODY = Collector("nowhere", 0, "/v1/traces", 0.0)  # Envoy asks for an exporter, used or not


def tracing(collector: Collector | None) -> Json:
    """The part of a connection manager that makes ids and, for a collector, spans."""
    to = collector or NOBODY
    share: Json = {"numerator": round(to.share * MILLION), "denominator": "MILLION"}
    sampler = "extensions.tracers.opentelemetry.samplers.v3.TraceIdRatioBasedSamplerConfig"
    return {
        "provider": {
            "name": "envoy.tracers.opentelemetry",
            "typed_config": {
                "@type": TYPE + "config.trace.v3.OpenTelemetryConfig",
                "service_name": "mlops-router",
                "http_service": {
                    "http_uri": {
                        "uri": f"http://{to.host}:{to.port}{to.path}",
                        "cluster": CLUSTER,
                        "timeout": "1s",
                    }
                },
                "sampler": {
                    "name": "envoy.tracers.opentelemetry.samplers.trace_id_ratio_based",
                    "typed_config": {"@type": TYPE + sampler, "sampling_percentage": share},
                },
            },
        }
    }


def collectors(collector: Collector | None) -> list[Json]:
    """The cluster that spans go to, where there is a collector."""
    if collector is None:
        return []
    address: Json = {"address": collector.host, "port_value": collector.port}
    endpoint: Json = {"endpoint": {"address": {"socket_address": address}}}
    return [
        {
            "name": CLUSTER,
            "type": "STRICT_DNS",
            "connect_timeout": "1s",
            "load_assignment": {
                "cluster_name": CLUSTER,
                "endpoints": [{"lb_endpoints": [endpoint]}],
            },
        }
    ]
