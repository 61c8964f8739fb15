"""How Envoy is started and listens: bootstrap, listener and access log, as plain JSON values."""

from dataclasses import dataclass
from pathlib import Path

from mlops_pipeline.delivery.envoy_edge import edge_listener
from mlops_pipeline.delivery.envoy_routes import (
    MAX_REQUEST_BYTES,
    ROUTES,
    TYPE,
    Json,
    clusters,
    route_table,
)
from mlops_pipeline.delivery.envoy_tracing import collectors, tracing
from mlops_pipeline.delivery.router import RoutePlan
from mlops_pipeline.edge import Edge
from mlops_pipeline.tracing import Collector

HEAP_BYTES = 1_073_741_824


@dataclass(frozen=True, slots=True)
class EnvoyPlace:
    """Where one Envoy listens, reads its configuration and writes its log."""

    port: int
    admin_socket: Path
    xds: Path
    access_log: Path
    edge: Edge | None = None  # where clients from elsewhere come in
    # A whole request must have come by then: bounds a body that dribbles, or never starts.
    request_seconds: int = 15
    collector: Collector | None = None  # of spans


def bootstrap(place: EnvoyPlace) -> Json:
    """What Envoy is started with: admin on a private socket, everything else from files."""
    return {
        **_skeleton(place),
        "static_resources": {"clusters": collectors(place.collector)},
        "dynamic_resources": {
            "lds_config": _file_source(place, "lds.json"),
            "cds_config": _file_source(place, "cds.json"),
        },
    }


def static_rendering(place: EnvoyPlace, plan: RoutePlan) -> Json:
    """The whole configuration in one piece, for `envoy --mode validate`."""
    listening = listeners(place)
    routes = {key: value for key, value in route_table(plan).items() if key != "@type"}
    for listen in listening:
        manager = listen["filter_chains"][0]["filters"][-1]["typed_config"]
        del manager["rds"]
        manager["route_config"] = routes
    return {
        **_skeleton(place),
        "static_resources": {
            "listeners": [
                {k: v for k, v in listen.items() if k != "@type"} for listen in listening
            ],
            "clusters": [
                {k: v for k, v in each.items() if k != "@type"}
                for each in [*clusters(plan), *collectors(place.collector)]
            ],
        },
    }


def listeners(place: EnvoyPlace) -> list[Json]:
    """One on loopback for this machine, and one at the edge where the settings name it."""
    found = [_ingress(place)]
    if place.edge is not None:
        found.append(edge_listener(place.edge, _connection_manager(place)))
    return found


def _ingress(place: EnvoyPlace) -> Json:
    return {
        "@type": TYPE + "config.listener.v3.Listener",
        "name": "ingress",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": place.port}},
        "per_connection_buffer_limit_bytes": MAX_REQUEST_BYTES,
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": _connection_manager(place),
                    }
                ]
            }
        ],
    }


def _skeleton(place: EnvoyPlace) -> Json:
    return {
        "node": {"id": "local-router", "cluster": "mlops"},
        "admin": {
            "address": {"pipe": {"path": str(place.admin_socket), "mode": 0o600}},
            "allow_paths": [
                {"exact": "/ready"},
                {"prefix": "/stats"},
                {"prefix": "/config_dump"},
                {"prefix": "/clusters"},
                {"exact": "/server_info"},
                {"exact": "/reopen_logs"},
            ],
        },
        "stats_flush_interval": "1s",
        "overload_manager": {
            "refresh_interval": "0.25s",
            "actions": [
                _when_heap_is("envoy.overload_actions.shrink_heap", 0.85),
                _when_heap_is("envoy.overload_actions.disable_http_keepalive", 0.9),
                _when_heap_is("envoy.overload_actions.stop_accepting_requests", 0.95),
            ],
            "resource_monitors": [
                {
                    "name": "envoy.resource_monitors.fixed_heap",
                    "typed_config": {
                        "@type": TYPE + "extensions.resource_monitors.fixed_heap.v3."
                        "FixedHeapConfig",
                        "max_heap_size_bytes": HEAP_BYTES,
                    },
                },
                {
                    "name": "envoy.resource_monitors.global_downstream_max_connections",
                    "typed_config": {
                        "@type": TYPE + "extensions.resource_monitors.downstream_connections.v3."
                        "DownstreamConnectionsConfig",
                        "max_active_downstream_connections": 2000,
                    },
                },
            ],
        },
    }


def _when_heap_is(action: str, share: float) -> Json:
    monitor = "envoy.resource_monitors.fixed_heap"
    return {"name": action, "triggers": [{"name": monitor, "threshold": {"value": share}}]}


def _file_source(place: EnvoyPlace, name: str) -> Json:
    return {
        "resource_api_version": "V3",
        "initial_fetch_timeout": "0s",
        "path_config_source": {
            "path": str(place.xds / name),
            "watched_directory": {"path": str(place.xds)},
        },
    }


def _connection_manager(place: EnvoyPlace) -> Json:
    rds = _file_source(place, "rds.json")
    return {
        "@type": TYPE + "extensions.filters.network.http_connection_manager.v3."
        "HttpConnectionManager",
        "stat_prefix": "ingress",
        "codec_type": "AUTO",
        "generate_request_id": True,
        "preserve_external_request_id": True,  # the client's id is the prediction's id
        "request_id_extension": {
            "typed_config": {
                "@type": TYPE + "extensions.request_id.uuid.v3.UuidRequestIdConfig",
                "pack_trace_reason": False,  # the id stays as the client wrote it
                "use_request_id_for_trace_sampling": False,
            }
        },
        "tracing": tracing(place.collector),
        "use_remote_address": True,
        "stream_idle_timeout": "30s",
        "request_timeout": f"{place.request_seconds}s",
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "max_request_headers_kb": 16,
        "http2_protocol_options": {
            "max_concurrent_streams": 100,
            "initial_stream_window_size": 65_536,
            "initial_connection_window_size": 1_048_576,
        },
        "request_headers_timeout": "5s",
        "common_http_protocol_options": {
            "idle_timeout": "60s",
            "headers_with_underscores_action": "REJECT_REQUEST",
        },
        "access_log": [_access_log(place)],
        "rds": {"route_config_name": ROUTES, "config_source": rds},
        "http_filters": [
            {
                "name": "envoy.filters.http.buffer",
                "typed_config": {
                    "@type": TYPE + "extensions.filters.http.buffer.v3.Buffer",
                    "max_request_bytes": MAX_REQUEST_BYTES,
                },
            },
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": TYPE + "extensions.filters.http.router.v3.Router"},
            },
        ],
    }


def _access_log(place: EnvoyPlace) -> Json:
    return {
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": TYPE + "extensions.access_loggers.file.v3.FileAccessLog",
            "path": str(place.access_log),
            "log_format": {
                "json_format": {
                    "at": "%START_TIME(%s.%6f)%",
                    "id": "%REQ(X-REQUEST-ID)%",
                    "trace": "%TRACE_ID%",
                    "unit": "%REQ(X-UNIT)%",
                    "client": "%REQ(X-CLIENT)%",
                    "method": "%REQ(:METHOD)%",
                    "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
                    "code": "%RESPONSE_CODE%",
                    "flags": "%RESPONSE_FLAGS%",
                    "cluster": "%UPSTREAM_CLUSTER%",
                    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
                    "ms": "%DURATION%",
                    "rollout": "%METADATA(ROUTE:mlops:rollout)%",
                    "weight": "%METADATA(ROUTE:mlops:weight)%",
                }
            },
        },
    }
