"""A RoutePlan in Envoy's own words (v3 API): clusters and routes, as plain JSON values.

The route version is part of the content, because Envoy's own version only moves when content does.
Each route carries metadata (rollout, weight), so that every line of the access log says by itself
which coin was thrown for it.
"""

from typing import Any

from mlops_pipeline.delivery.assignment import TOTAL_WEIGHT
from mlops_pipeline.delivery.envoy_v2 import server_routes, version_routes
from mlops_pipeline.delivery.router import Arms, RoutePlan, cluster_name, shadow_name

Json = dict[str, Any]
TYPE = "type.googleapis.com/envoy."
ROUTES = "models"
ROUTE_PROBE = "/-/route"  # answered by the router itself, with its route version
MAX_REQUEST_BYTES = 1_048_576
DEFAULT_TIMEOUT_MS = 2000
TESTER_HEADERS = ("x-tester", "x-model-variant")  # the key, and the version that is wanted


def resource_file(version: str, resources: list[Json]) -> Json:
    """One file of the file-based xDS."""
    return {"version_info": version, "resources": resources}


def clusters(plan: RoutePlan) -> list[Json]:
    """One cluster a version, and one more for each version that takes mirrored requests."""
    found: list[Json] = []
    for arms in plan.arms:
        found.append(_stable_cluster(plan, arms))
        if arms.candidate is not None:
            found.append(_candidate_cluster(plan, arms.model, arms.candidate))
            if arms.shadow:
                found.append(_shadow_cluster(plan, arms.model, arms.candidate))
    return found


def route_table(plan: RoutePlan) -> Json:
    """`/<model>/…` goes to the model's server as `/…`, `/v2/…` as it is, see `envoy_v2`."""
    routes: list[Json] = [
        {
            "match": {"path": ROUTE_PROBE},
            "direct_response": {"status": 200, "body": {"inline_string": plan.route_version}},
        }
    ]
    splits: dict[str, Json] = {}
    for arms in plan.arms:
        timeout = plan.timeouts_ms.get(arms.model, DEFAULT_TIMEOUT_MS)
        split = splits[arms.model] = _split(arms, timeout)
        if plan.tester_key and arms.candidate is not None:
            routes += _for_testers(arms, split, plan.tester_key)
        mark = {"filter_metadata": {"mlops": {"rollout": arms.salt, "weight": arms.weight}}}
        routes.append(
            {
                "match": {"prefix": f"/{arms.model}/"},
                "metadata": mark,
                "route": {**split, "prefix_rewrite": "/"},
            }
        )
        routes += version_routes(arms, split["timeout"], plan.tester_key)
        routes.append(
            {
                "match": {"path_separated_prefix": f"/v2/models/{arms.model}"},
                "metadata": mark,
                "route": split,
            }
        )
    routes += server_routes(plan, splits)
    return {
        "@type": TYPE + "config.route.v3.RouteConfiguration",
        "name": ROUTES,
        "validate_clusters": True,
        "request_headers_to_remove": ["x-shadow", *TESTER_HEADERS],  # ours alone
        "response_headers_to_add": [
            _header("x-route-version", plan.route_version),
            _header("x-served-by", "%UPSTREAM_CLUSTER%"),
            _header("x-trace-id", "%TRACE_ID%"),
        ],
        "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}],
    }


def _for_testers(arms: Arms, split: Json, key: str) -> list[Json]:
    """Who knows the key chooses a version; nobody's choice is evidence: it was not by the coin."""
    known = {"name": "x-tester", "string_match": {"exact": key}}
    chosen = {"candidate": str(arms.candidate), "stable": arms.stable}
    found = []
    for variant, version in chosen.items():
        asked = {"name": "x-model-variant", "string_match": {"exact": variant}}
        kept = {name: value for name, value in split.items() if name == "timeout"}
        found.append(
            {
                "match": {"prefix": f"/{arms.model}/", "headers": [known, asked]},
                "metadata": {"filter_metadata": {"mlops": {"rollout": "tester", "weight": 0}}},
                "route": {
                    **kept,
                    "cluster": cluster_name(arms.model, version),
                    "prefix_rewrite": "/",
                },
            }
        )
    return found


def _split(arms: Arms, timeout_ms: int) -> Json:
    """The candidate's buckets come first, so that a growing weight moves nobody back."""
    parts = []
    if arms.candidate is not None:
        parts.append({"name": cluster_name(arms.model, arms.candidate), "weight": arms.weight})
    stable = TOTAL_WEIGHT - arms.weight
    parts.append({"name": cluster_name(arms.model, arms.stable), "weight": stable})
    return {
        "timeout": f"{timeout_ms / 1000:.3f}s",
        "hash_policy": [_hashed("x-unit", arms.salt), _hashed("x-request-id", arms.salt)],
        "weighted_clusters": {"use_hash_policy": True, "clusters": parts},
        "retry_policy": {  # connections only: a slow or failing inference is never run again
            "retry_on": "connect-failure,refused-stream,reset-before-request",
            "num_retries": 1,
        },
    }


def _hashed(header: str, salt: str) -> Json:
    return {
        "terminal": True,
        "header": {
            "header_name": header,
            "regex_rewrite": {
                "pattern": {"regex": "^(.*)$"},
                "substitution": f"{salt}|\\1",
            },
        },
    }


def _header(key: str, value: str) -> Json:
    return {
        "header": {"key": key, "value": value},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }


def _stable_cluster(plan: RoutePlan, arms: Arms) -> Json:
    http: Json = {}
    if arms.shadow and arms.candidate is not None:
        http["request_mirror_policies"] = [
            {
                "cluster": shadow_name(arms.model, arms.candidate),
                "runtime_fraction": {"default_value": {"numerator": 100, "denominator": "HUNDRED"}},
                "disable_shadow_host_suffix_append": True,
                "request_headers_mutations": [{"append": _header("x-shadow", "1")}],
            }
        ]
    name = cluster_name(arms.model, arms.stable)
    return _cluster(name, plan.endpoints[arms.model, arms.stable], http)


def _candidate_cluster(plan: RoutePlan, model: str, version: str) -> Json:
    cluster = _cluster(cluster_name(model, version), plan.endpoints[model, version], {})
    cluster["common_lb_config"]["healthy_panic_threshold"] = {"value": 0}
    return cluster


def _shadow_cluster(plan: RoutePlan, model: str, version: str) -> Json:
    cluster = _cluster(shadow_name(model, version), plan.endpoints[model, version], {})
    del cluster["health_checks"]
    most = {"max_connections": 32, "max_pending_requests": 32, "max_requests": 32}
    cluster["circuit_breakers"] = {"thresholds": [most]}  # a slow shadow sheds, never queues
    return cluster


def _cluster(name: str, socket: str, http: Json) -> Json:
    return {
        "@type": TYPE + "config.cluster.v3.Cluster",
        "name": name,
        "type": "STATIC",
        "connect_timeout": "0.5s",
        "common_lb_config": {"update_merge_window": "0s"},  # a second's delay costs thousands
        "health_checks": [
            {
                "timeout": "1s",
                "interval": "0.5s",
                "no_traffic_interval": "0.5s",
                "initial_jitter": "0.001s",
                "unhealthy_threshold": 2,
                "healthy_threshold": 1,
                "http_health_check": {"path": "/healthz"},
            }
        ],
        "circuit_breakers": {
            "thresholds": [
                {"max_connections": 1024, "max_pending_requests": 1024, "max_requests": 1024}
            ]
        },
        "typed_extension_protocol_options": {
            TYPE.removeprefix("type.googleapis.com/")
            + "extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": TYPE + "extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http_protocol_options": {}},
                # Below a server's own keep-alive time, or a request meets a closing connection.
                "common_http_protocol_options": {"idle_timeout": "3s"},
                **http,
            }
        },
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [
                {"lb_endpoints": [{"endpoint": {"address": {"pipe": {"path": socket}}}}]}
            ],
        },
    }
