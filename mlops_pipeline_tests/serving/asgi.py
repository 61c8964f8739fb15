"""An application in this process, and how a test speaks to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from mlops_pipeline.contract.model import ModelContract
from mlops_pipeline.features.online import publish
from mlops_pipeline.serving.app import ServingApp
from mlops_pipeline.serving.faults import Faults
from mlops_pipeline.serving.lookups import Lookups
from mlops_pipeline.serving.predictor import Predictor
from mlops_pipeline.serving.request_log import RequestLog, RequestRecord, read_records
from mlops_pipeline.serving.scorers import Scorer, load_scorer
from mlops_pipeline_tests.serving import world

JSON = {"content-type": "application/json"}


@dataclass(slots=True)
class Service:
    """One version, answering in this process."""

    app: ServingApp
    predictor: Predictor
    lookups: Lookups
    log: RequestLog
    folder: Path

    async def send(
        self, method: str, path: str, content: Any = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://version") as client:
            return await client.request(method, path, content=content, headers=headers)

    async def predict(self, content: Any, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.send("POST", "/predict", content, JSON | named)

    def records(self) -> list[RequestRecord]:
        self.log.close()
        return list(read_records(self.folder / "log"))


def make_service(
    folder: Path,
    *,
    contract: ModelContract | None = None,
    published: bool = True,
    faults: Faults | None = None,
    scorer: Scorer | None = None,
) -> Service:
    """The small version of `world`, with a log that runs until `records` is asked."""
    contract = contract or world.flights()
    bundle = world.make_bundle(folder / "bundle", contract)
    if published:
        publish(folder / "features", world.snapshot(contract))
    lookups = Lookups(folder / "features", contract, bundle.manifest.definition_digest)
    lookups.look()
    predictor = Predictor(bundle, scorer or load_scorer(bundle), lookups)
    log = RequestLog(folder / "log")
    log.start()
    app = ServingApp(
        version="7", predictor=predictor, log=log, faults=faults, clock=lambda: 1_700_000_000.5
    )
    return Service(app, predictor, lookups, log, folder)
