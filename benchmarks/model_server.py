"""One embedded model for several clients: what NAME asks at /NAME/v1 is counted under that name, at /counts.

`python -m benchmarks.model_server MODEL MOST` prints its base URL. Every client's replies end after MOST tokens, and
all of them are answered by the same llama.cpp server, one call at a time or two.
"""

import os
import re
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from socket import socket
from typing import Any

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from refiner.config.paths import Paths
from refiner.providers.local.settings import cores
from refiner.providers.local.weights import locate

CONTEXT = 8192
COUNTED = {"evaluated": b"prompt_n", "cached": b"cache_n", "written": b"predicted_n"}
"""What llama.cpp says of each reply: tokens of the prompt that it evaluated or had already, and that it wrote."""


class Counting:
    """A reverse proxy in front of a llama.cpp server."""

    def __init__(self, model: httpx2.AsyncClient, most: int) -> None:
        self._model, self._most = model, most
        self._counts: defaultdict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(("calls", *COUNTED), 0))
        ask = Route("/{client}/v1/chat/completions", self._ask, methods=["POST"])
        self.app = Starlette(routes=[ask, Route("/{client}/v1/models", self._models), Route("/counts", self._said)])

    async def _ask(self, request: Request) -> StreamingResponse:
        body: dict[str, Any] = await request.json()
        body["max_tokens"] = min(self._most, body.get("max_tokens") or self._most)
        sent = self._model.build_request("POST", "/v1/chat/completions", json=body)
        got = await self._model.send(sent, stream=True)
        relayed = self._relayed(got, request.path_params["client"])
        return StreamingResponse(relayed, got.status_code, media_type=got.headers["content-type"])

    async def _relayed(self, got: httpx2.Response, client: str) -> AsyncIterator[bytes]:
        whole = b""
        async for piece in got.aiter_bytes():
            whole += piece
            yield piece
        counts = self._counts[client]
        counts["calls"] += 1
        for name, field in COUNTED.items():
            found = re.findall(rb'"%s":(\d+)' % field, whole)
            counts[name] += int(found[-1]) if found else 0

    async def _models(self, _: Request) -> JSONResponse:
        return JSONResponse({"object": "list", "data": [{"id": "served", "context_length": CONTEXT}]})

    async def _said(self, _: Request) -> JSONResponse:
        return JSONResponse(self._counts)


def main() -> None:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # as refiner's own server: else decoding starves beside others
    import xllamacpp  # type: ignore[import-untyped]

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(locate(sys.argv[1], Paths.find().models).path)
    parameters.hostnames, parameters.port = ["127.0.0.1"], 0
    parameters.n_parallel, parameters.n_ctx, parameters.kv_unified = 2, 2 * CONTEXT, True
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = cores()
    parameters.verbosity, parameters.fit_params = 0, False
    server = xllamacpp.Server(parameters)
    model = httpx2.AsyncClient(base_url=server.listening_address, timeout=600, trust_env=False)
    counting = Counting(model, int(sys.argv[2]))
    with socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        uvicorn.Server(uvicorn.Config(counting.app, log_level="critical")).run([listener])
    os._exit(0)  # a llama.cpp server that still answers would wait for itself


if __name__ == "__main__":
    main()
