"""Pages: what a server says of itself when it is asked by GET, in each protocol's own words.

/healthz  /v2/health/ready  /v2/models/{m}/ready   200 when warmed, with look-ups, not draining
/ping                                              MLflow's word for the same
/livez  /v2/health/live                            200 while the process runs
/version                                           what is served, by which contract, features
/metrics                                           Prometheus
/openapi.json                                      this interface, with the contract's fields
/v2  /v2/models/{m}                                the Open Inference Protocol's metadata
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version as installed

import msgspec

from mlops_pipeline.serving.faults import Faults
from mlops_pipeline.serving.inference import OpenInference
from mlops_pipeline.serving.metrics import CONTENT_TYPE, Metrics
from mlops_pipeline.serving.openapi import openapi
from mlops_pipeline.serving.predictor import Predictor

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"
NO_SNAPSHOT = "no feature snapshot was published yet"


@dataclass(frozen=True, slots=True)
class Page:
    """One answer to a GET."""

    status: int
    kind: bytes
    content: bytes


class Pages:
    """The pages of one version; `draining` is set once a signal asked the server to end."""

    def __init__(
        self,
        *,
        version: str,
        predictor: Predictor,
        metrics: Metrics,
        protocol: OpenInference,
        faults: Faults | None,
    ) -> None:
        self.draining = False
        self._version = version
        self._predictor = predictor
        self._metrics = metrics
        self._protocol = protocol
        self._faults = faults
        self._encode = msgspec.json.Encoder().encode
        self._openapi: bytes | None = None
        model = predictor.manifest.model
        self.models = (f"/v2/models/{model}", f"/v2/models/{model}/versions/{version}")
        self._pages: dict[str, Callable[[], Page]] = {
            "/healthz": self._health,
            "/livez": lambda: Page(200, JSON, b'{"live":true}'),
            "/version": self._about,
            "/metrics": self._measured,
            "/openapi.json": self._interface,
            "/ping": self._ping,
            "/v2": self._server,
            "/v2/health/live": lambda: Page(200, JSON, b'{"live":true}'),
            "/v2/health/ready": self._health,
        }
        for path in self.models:
            self._pages[path] = self._model
            self._pages[f"{path}/ready"] = self._health

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path that has a page."""
        return tuple(self._pages)

    def get(self, path: str) -> Page | None:
        """The page at that path; None where there is none."""
        page = self._pages.get(path)
        return None if page is None else page()

    def unready(self) -> str | None:
        """Why no request should come here now; None when ready."""
        if self.draining:
            return "draining"
        if self._faults is not None and self._faults.spec.deaf and self._faults.begun:
            return "a fault drill"
        if self._predictor.lookups.current is None:
            return NO_SNAPSHOT
        return None

    def _health(self) -> Page:
        why = self.unready()
        return self._json(
            200 if why is None else 503,
            {
                "ready": why is None,
                "why": why,
                "features_as_of": self._predictor.lookups.as_of,
                "features_age_days": self._predictor.age_days,
            },
        )

    def _ping(self) -> Page:
        why = self.unready()
        return Page(200 if why is None else 503, TEXT, b"\n" if why is None else why.encode())

    def _about(self) -> Page:
        manifest = self._predictor.manifest
        return self._json(
            200,
            {
                "model": manifest.model,
                "version": self._version,
                "candidate": manifest.candidate,
                "trainer": manifest.trainer,
                "threshold": manifest.threshold,
                "lineage": manifest.lineage_digest,
                "contract": manifest.contract_digest,
                "features": manifest.definition_digest,
                "features_as_of": self._predictor.lookups.as_of,
                "fault": self._faults.spec if self._faults else None,
                "pid": os.getpid(),
            },
        )

    def _measured(self) -> Page:
        self._metrics.ready = self.unready() is None
        return Page(200, CONTENT_TYPE, self._metrics.text())

    def _interface(self) -> Page:
        if self._openapi is None:
            self._openapi = self._encode(openapi(self._predictor.contract, self._version))
        return Page(200, JSON, self._openapi)

    def _server(self) -> Page:
        about = {"name": "mlops_pipeline", "version": installed("mlops-pipeline")}
        return self._json(200, {**about, "extensions": ["binary_tensor_data"]})

    def _model(self) -> Page:
        manifest = self._predictor.manifest
        return self._json(
            200,
            {
                "name": manifest.model,
                "versions": [self._version],
                "platform": manifest.trainer,
                "inputs": self._protocol.inputs,
                "outputs": self._protocol.outputs,
            },
        )

    def _json(self, status: int, value: object) -> Page:
        return Page(status, JSON, self._encode(value))
