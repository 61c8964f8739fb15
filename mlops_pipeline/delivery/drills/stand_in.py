"""A model server in miniature: a real process, real HTTP, the real request log, no model.

    python -m mlops_pipeline.delivery.drills.stand_in --model M --version V --log FOLDER
        --uds PATH [--fault error=1,after=40,delay_ms=20,deaf=1]

`error` is the share of units that fail (the same unit always fares the same), `after` how many live
requests are served well first, `deaf` makes `/healthz` fail from then on.
"""

import argparse
import asyncio
import json
import time
from pathlib import Path
from typing import Any

import uvicorn
import xxhash

from mlops_pipeline.serving.request_log import Arm, Outcome, RequestLog, RequestRecord


class Stub:
    """The ASGI application of one version."""

    def __init__(self, model: str, version: str, log: RequestLog, fault: dict[str, float]) -> None:
        self.model, self.version, self.log, self.fault = model, version, log, fault
        self.live = 0

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        body = await self._body(receive)
        struck = self.live > self.fault.get("after", 0)
        if scope["path"] == "/healthz":
            status = 503 if struck and self.fault.get("deaf") else 200
        elif scope["path"].endswith("/predict") or scope["path"].endswith("/infer"):
            status = await self._predict(headers, struck)
        else:
            status = 404
        seen = {"version": self.version, "path": scope["path"], "headers": headers, "body": body}
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(b"content-type", b"application/json")],
            }
        )
        await send({"type": "http.response.body", "body": json.dumps(seen).encode()})

    async def _predict(self, headers: dict[str, str], struck: bool) -> int:
        began = time.time()
        shadow = headers.get("x-shadow") == "1"
        self.live += not shadow
        request = headers.get("x-request-id", "none")
        unit = headers.get("x-unit", request)
        if shadow and self.fault.get("shadow_delay_ms"):
            await asyncio.sleep(self.fault["shadow_delay_ms"] / 1000)
        if struck and self.fault.get("delay_ms"):
            await asyncio.sleep(self.fault["delay_ms"] / 1000)
        draw = xxhash.xxh64_intdigest(f"fault|{unit}".encode()) % 1000 / 1000
        status = 500 if struck and draw < self.fault.get("error", 0) else 200
        score = xxhash.xxh64_intdigest(request.encode()) % 1000 / 1000 * 0.5 + self.fault.get(
            "shift", 0
        )
        record = RequestRecord(
            id=request,
            at=began,
            model=self.model,
            version=self.version,
            arm=Arm.SHADOW if shadow else Arm.LIVE,
            unit=unit,
            status=status,
            outcome=Outcome.OK if status == 200 else Outcome.ERROR,
            score=score if status == 200 else None,
            latency_ms=(time.time() - began) * 1000,
            event_time=None,
            row={},
            features={},
        )
        self.log.append(lambda: record)
        return status

    async def _body(self, receive: Any) -> str:
        parts = []
        more = True
        while more:
            message = await receive()
            parts.append(message.get("body", b""))
            more = message.get("more_body", False)
        return b"".join(parts).decode()

    async def _lifespan(self, receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                self.log.close()
                return


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser()
    for name in ("--model", "--version", "--log", "--uds"):
        parser.add_argument(name, required=True)
    parser.add_argument("--fault", default="")
    said = parser.parse_args()
    pairs = (part.split("=") for part in said.fault.split(",") if part)
    fault = {name: float(value) for name, value in pairs}
    log = RequestLog(Path(said.log))
    log.start()
    app = Stub(said.model, said.version, log, fault)
    uvicorn.run(app, uds=said.uds, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
