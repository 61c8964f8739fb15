"""Envoy's routes of the Open Inference Protocol, whose paths name models and versions themselves.

    /v2, /v2/health/live|ready      the one model's servers; with several models the router itself,
                                    which cannot ask them all: `/v2/models/M/ready` says it of one
    /v2/models/M/versions/V/…       straight to that version: no coin was thrown, so no evidence
    /v2/models/M/…                  by the coin, as `/M/…`

The candidate's version is for who knows the testers' key, as with their headers: a path is no way
around it. What is not served is a 404 that names it, in the protocol's own words.
"""

import json
from typing import Any

from mlops_pipeline.delivery.router import Arms, RoutePlan, cluster_name

Json = dict[str, Any]
DIRECT: Json = {"filter_metadata": {"mlops": {"rollout": "direct", "weight": 0}}}
SERVER = ("/v2", "/v2/health/live", "/v2/health/ready")


def version_routes(arms: Arms, timeout: str, tester_key: str) -> list[Json]:
    """The model's versions by their path: before the route of the model itself."""
    base = f"/v2/models/{arms.model}/versions"
    found = [_straight(f"{base}/{arms.stable}", arms.model, arms.stable, timeout)]
    if arms.candidate is not None and tester_key:
        known = {"name": "x-tester", "string_match": {"exact": tester_key}}
        route = _straight(f"{base}/{arms.candidate}", arms.model, arms.candidate, timeout)
        found.append({**route, "match": {**route["match"], "headers": [known]}})
    return [*found, _nowhere(f"{base}/", "version", arms.stable)]


def server_routes(plan: RoutePlan, splits: dict[str, Json]) -> list[Json]:
    """What the protocol asks of a server, and the end of its models; `splits` are by model."""
    if len(splits) == 1:
        (split,) = splits.values()
        asked: list[Json] = [{"match": {"path": path}, "route": split} for path in SERVER]
    else:
        about = {"name": "mlops_pipeline", "version": plan.route_version, "extensions": []}
        told: tuple[Json, ...] = (about, {"live": True}, {"ready": bool(splits)})
        ready = 200 if splits else 503
        asked = [
            _said({"path": path}, status, body)
            for path, status, body in zip(SERVER, (200, 200, ready), told, strict=True)
        ]
    return [*asked, _nowhere("/v2/models/", "model", ", ".join(splits) or "none")]


def _straight(path: str, model: str, version: str, timeout: str) -> Json:
    return {
        "match": {"path_separated_prefix": path},
        "metadata": DIRECT,
        "route": {"timeout": timeout, "cluster": cluster_name(model, version)},
    }


def _nowhere(prefix: str, field: str, allowed: str) -> Json:
    what = "is not served here"
    detail = {"field": field, "what": what, "allowed": allowed}
    error = {"error": f"{field}: {what}; allowed: {allowed}", "detail": detail}
    return _said({"prefix": prefix}, 404, error)


def _said(match: Json, status: int, body: Json) -> Json:
    """An answer of the router's own."""
    kind = {"key": "content-type", "value": "application/json"}
    return {
        "match": match,
        "direct_response": {"status": status, "body": {"inline_string": json.dumps(body)}},
        "response_headers_to_add": [
            {"header": kind, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"},
        ],
    }
