"""The edge: the listener for clients from elsewhere, with keys, rates, limits and TLS.

What a client meets, in this order: a bound on connections, TLS, API keys (`x-api-key`, or
`authorization: Bearer …`), a token bucket of its own, a bound on the body and on the time in which
it must arrive, and only then the routes. All of it are Envoy's own filters. The key never reaches a
server; the name of its client does, as `x-client`, which no client can choose for itself.

The listener on loopback stays for this machine's own probes and has none of the first four.
"""

from mlops_pipeline.delivery.envoy_routes import TYPE, Json
from mlops_pipeline.edge import Edge

HTTP = TYPE + "extensions.filters.http."
ALWAYS: Json = {"numerator": 100, "denominator": "HUNDRED"}
CLIENT = "x-client"
UNKNOWN_CLIENTS = 10_000  # addresses with a bucket of their own, where there are no keys


def edge_listener(edge: Edge, manager: Json) -> Json:
    """The listener at the edge's address; `manager` is the connection manager within."""
    guarded = {**manager, "http_filters": [*_filters(edge), *manager["http_filters"]]}
    guarded["local_reply_config"] = {
        "body_format": {
            "json_format": {"error": {"field": "request", "what": "%LOCAL_REPLY_BODY%"}},
        }
    }
    chain: Json = {
        "filters": [
            {
                "name": "envoy.filters.network.connection_limit",
                "typed_config": {
                    "@type": TYPE + "extensions.filters.network.connection_limit.v3."
                    "ConnectionLimit",
                    "stat_prefix": "edge_connections",
                    "max_connections": edge.connections,
                },
            },
            {
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": guarded,
            },
        ]
    }
    if edge.certificate is not None:
        chain["transport_socket"] = _tls(edge)
    return {
        "@type": TYPE + "config.listener.v3.Listener",
        "name": "edge",
        "address": {"socket_address": {"address": edge.host, "port_value": edge.port}},
        "per_connection_buffer_limit_bytes": 1_048_576,
        "listener_filters_timeout": "5s",
        "filter_chains": [chain],
    }


def _filters(edge: Edge) -> list[Json]:
    found = [_no_metrics(), _keys(edge) if edge.keys else _nameless(), _rates(edge)]
    return [
        {"name": f"envoy.filters.http.{name}", "typed_config": {"@type": HTTP + kind, **config}}
        for name, kind, config in found
    ]


def _no_metrics() -> tuple[str, str, Json]:
    """Metrics are for this machine's scraper."""
    paths: Json = {"url_path": {"path": {"suffix": "/metrics"}}}
    policy = {"permissions": [paths], "principals": [{"any": True}]}
    return "rbac", "rbac.v3.RBAC", {"rules": {"action": "DENY", "policies": {"metrics": policy}}}


def _nameless() -> tuple[str, str, Json]:
    mutation: Json = {"request_mutations": [{"remove": CLIENT}]}
    return "header_mutation", "header_mutation.v3.HeaderMutation", {"mutations": mutation}


def _keys(edge: Edge) -> tuple[str, str, Json]:
    credentials = [{"key": key.secret, "client": key.client} for key in edge.keys]
    config = {
        "credentials": credentials,
        "key_sources": [{"header": "x-api-key"}, {"header": "authorization"}],
        "forwarding": {"header": CLIENT, "hide_credentials": True},
    }
    return "api_key_auth", "api_key_auth.v3.ApiKeyAuth", config


def _rates(edge: Edge) -> tuple[str, str, Json]:
    """A bucket for each client by its key's name, or by its address where there are no keys."""
    if edge.keys:
        action: Json = {"request_headers": {"header_name": CLIENT, "descriptor_key": "client"}}
        buckets = [
            {
                "entries": [{"key": "client", "value": key.client}],
                "token_bucket": _bucket(key.rate or edge.rate),
            }
            for key in {key.client: key for key in edge.keys}.values()
        ]
    else:
        action = {"remote_address": {}}
        buckets = [{"entries": [{"key": "remote_address"}], "token_bucket": _bucket(edge.rate)}]
    config: Json = {
        "stat_prefix": "edge_rate",
        "token_bucket": _bucket(1_000_000),  # whoever has no bucket of their own
        "filter_enabled": {"default_value": ALWAYS},
        "filter_enforced": {"default_value": ALWAYS},
        "rate_limits": [{"actions": [action]}],
        "descriptors": buckets,
        "max_dynamic_descriptors": UNKNOWN_CLIENTS,
        "enable_x_ratelimit_headers": "DRAFT_VERSION_03",
        "response_headers_to_add": [
            {"header": {"key": "retry-after", "value": "1"}, "append_action": "ADD_IF_ABSENT"}
        ],
    }
    return "local_ratelimit", "local_ratelimit.v3.LocalRateLimit", config


def _bucket(rate: float) -> Json:
    """A second's worth at once, filled twenty times a second."""
    fills = max(1, round(rate / 20))
    seconds = fills / rate
    most = max(1, round(rate), fills)
    return {"max_tokens": most, "tokens_per_fill": fills, "fill_interval": f"{seconds:.6f}s"}


def _tls(edge: Edge) -> Json:
    files = {
        "certificate_chain": {"filename": str(edge.certificate)},
        "private_key": {"filename": str(edge.private_key)},
    }
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": TYPE + "extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
                "tls_certificates": [files],
                "alpn_protocols": ["h2", "http/1.1"],
            },
        },
    }
