"""The service's log: a line for each thing that happens, with ids and figures, never prompts, answers or keys."""

import logging
import os
import re
import sys
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from refiner.config.secrets import without_keys
from refiner.config.settings import Settings
from refiner.domain.calls import Usage
from refiner.domain.events import CallFailed, CallFinished, CallStarted, Note, Recorded, RunFinished, RunResumed
from refiner.service.faults import own_words

PARKED = "parked: "
"""How the note of a parked run begins."""

log: structlog.typing.FilteringBoundLogger = structlog.get_logger("refiner.service")

RECENT: deque[str] = deque(maxlen=200)
"""The latest lines of this process's log."""

_OURS = ("refiner", "uvicorn")
_HARMFUL = re.compile(r"[^\x20-\x7e\n\u00a1-\u02ff\u0370-\u05ff]")


def configure(settings: Settings, *, quiet: bool = False, verbose: bool = False) -> None:
    """Log to standard error, this process over: key=value on a terminal, JSON elsewhere; uvicorn and asyncio too."""
    first: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", key="time"),
        structlog.processors.format_exc_info,
    ]
    line = structlog.processors.LogfmtRenderer(key_order=["time", "level", "event", "run"], drop_missing=True)
    render = line if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    keys = [key for key in _keys(settings) if key]

    def clean(_logger: Any, _name: str, text: Any) -> Any:
        for key in keys:
            text = text.replace(key, "***")
        return _HARMFUL.sub("?", without_keys(text))

    level = logging.ERROR if quiet else logging.DEBUG if verbose else logging.INFO
    handlers = {logging.StreamHandler(sys.stderr): render, _Remembering(): line}
    for handler, form in handlers.items():
        processors = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, form, clean]
        handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=first, processors=processors))
        # An SDK that is told to debug logs whole prompts.
        handler.addFilter(lambda record: record.name.startswith(_OURS) or record.levelno >= logging.WARNING)
        handler.setLevel(level)
    logging.basicConfig(handlers=handlers, level=logging.WARNING, force=True)
    logging.getLogger("refiner").setLevel(level)
    # asyncio warns of every reader that went away in mid-sentence.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    structlog.configure(
        processors=[*first, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )


class _Remembering(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        RECENT.append(self.format(record))


def _keys(settings: Settings) -> list[str | None]:
    """Keys that the environment does not hold under a key's name."""
    own = (settings.providers.openai.api_key, settings.providers.anthropic.api_key)
    named = [os.environ.get(server.api_key_env) for server in settings.servers.values() if server.api_key_env]
    return [key.get_secret_value() for key in own if key] + named


@dataclass(slots=True)
class Diary:
    """Tells of the runs that this service drives; the figures are those since it took the run."""

    _live: dict[str, tuple[datetime, Usage]] = field(default_factory=dict)

    def heard(self, recorded: Recorded) -> None:
        run, event = recorded.run, recorded.event
        if run not in self._live and not isinstance(event, Note | RunFinished):
            self._live[run] = recorded.at, Usage()
            # The first word of a run that was under way is of the call that was cut off, or that it goes on.
            log.info("run resumed" if isinstance(event, RunResumed | CallFailed) else "run begun", run=run)
        began, usage = self._live.get(run, (recorded.at, Usage()))
        log.debug(event.type, run=run, id=recorded.id)
        match event:
            case CallStarted(role=role, attempt=attempt) if attempt:
                log.info("call again", run=run, role=str(role), attempt=attempt)
            case CallFinished(reply=reply):
                self._live[run] = began, usage + reply.usage
            case CallFailed(key=key, attempt=attempt, error=error, booked=booked):
                self._live[run] = began, usage + booked
                log.warning("call failed", run=run, call=key, attempt=attempt, error=own_words(error))
            case Note(text=text) if text.startswith(PARKED):
                log.error("run parked", run=run)
            case RunFinished(status=status, exit=code, stop=stop):
                self._live.pop(run, None)
                log.info(
                    "run finished",
                    run=run,
                    status=status,
                    stop=str(stop.reason),
                    exit=code,
                    calls=usage.calls,
                    cost_usd=usage.cost_usd,
                    seconds=round((recorded.at - began).total_seconds(), 3),
                )


@dataclass(frozen=True, slots=True)
class Logged:
    """An application whose refusals and failures are logged; with -v, whatever it is asked."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                status = message["status"]
                level = logging.DEBUG if status < 400 else logging.ERROR if status == 500 else logging.WARNING
                path = scope["raw_path"].decode("ascii", "replace")[:200]
                log.log(level, "request", method=scope["method"], path=path, status=status)
            await send(message)

        await self.app(scope, receive, told)
