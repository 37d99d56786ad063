"""Where settings come from: flag > REFINER_* > refiner.toml found upwards > the user's file > default."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from refiner.config.layers import (
    Key,
    Layer,
    from_environment,
    from_file,
    from_flags,
    from_keywords,
    from_sets,
    leaves,
    merged,
)
from refiner.config.paths import Paths, exists
from refiner.config.settings import Settings, field, keys, section
from refiner.domain.errors import UsageError


@dataclass(frozen=True)
class Loaded:
    """Settings, the paths that follow from them, and the files that were read, the user's own first."""

    settings: Settings
    paths: Paths
    files: tuple[Path, ...]
    layers: tuple[Layer, ...]

    @cached_property
    def sources(self) -> dict[str, str]:
        """For every setting, as "vote.most", where its value was set: a file and line, a variable, a flag."""
        set_by = {key: layer for layer in self.layers for key, _ in leaves(layer.values)}
        every = (key for key, _ in leaves(self.settings.model_dump()))
        return {".".join(key): set_by[key].where(key) if key in set_by else "default" for key in every}

    def for_task(self, keywords: Mapping[str, object]) -> Settings:
        """The settings of a task that sets some of its own. Raises UsageError."""
        own = _checked(from_keywords(keywords))
        settings = _settled((*self.layers, own))
        _refuse_unheard(settings, own)
        return settings


def load(
    flags: Mapping[str, object] | None = None,
    *,
    config: Path | None = None,
    sets: Sequence[str] = (),
    keywords: Mapping[str, object] | None = None,
    cwd: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Loaded:
    """The settings in force.

    flags maps settings to what the command line says (None is unsaid), sets are texts such as "vote.most=5",
    keywords what a call of the library says, config is a file that stands in for the project's and is trusted as the
    user's own choice.

    Raises UsageError for a file that cannot be read, an unknown key, a wrong type, an address that no model is asked
    at, and a project's file that sets what its folder is not trusted with.
    """
    paths = Paths.find(environ)
    user_file, project_file = user_config(paths), config or project_config(cwd or Path.cwd())
    if user_file and project_file and user_file.resolve() == project_file.resolve():
        project_file = None
    user = _checked(from_file(user_file)) if user_file else None
    project = _checked(from_file(project_file)) if project_file else None
    trusted = user.values.get("trusted", ()) if user else ()
    if project and project_file and config is None:
        _refuse_guarded(project, project_file, trusted, user_file or paths.config / "config.toml")
    said = (from_environment(environ), from_sets(sets), from_flags(flags or {}), from_keywords(keywords or {}))
    own = [_checked(layer) for layer in said]
    for layer in filter(None, (project, *own)):
        if "trusted" in layer.values:
            raise UsageError(f"{layer.where(('trusted',))}: trusted can only be set in the user's own file")
    layers = tuple(layer for layer in (user, project, *own) if layer)
    settings = _settled(layers)
    _refuse_unheard(settings, *own[1:])
    return Loaded(
        settings,
        paths.moved(models=settings.local.models, database=settings.store.url),
        tuple(file for file in (user_file, project_file) if file),
        layers,
    )


def user_config(paths: Paths) -> Path | None:
    """The user's own file: config.toml, or refiner.toml, in the configuration folder."""
    found = [file for name in ("config.toml", "refiner.toml") if exists(file := paths.config / name)]
    if len(found) > 1:
        raise UsageError(f"both {found[0]} and {found[1].name} are there: keep one of them")
    return found[0] if found else None


def project_config(folder: Path) -> Path | None:
    """The nearest refiner.toml in the folder or above it."""
    files = (above / "refiner.toml" for above in (folder, *folder.parents))
    return next((file for file in files if exists(file)), None)


def _checked(layer: Layer) -> Layer:
    """The layer with typed values."""
    try:
        # strict=True would forbid a text for a path as well; None leaves it to each field.
        settings = Settings.model_validate(layer.values, strict=None if layer.strict else False)
    except ValidationError as error:
        first, *others = error.errors(include_url=False, include_input=False, include_context=False)
        more = f" (and {len(others)} more)" if others else ""
        key = tuple(str(part) for part in first["loc"])
        where, spelled = layer.where(key), layer.spell(key)
        problem = _problem(layer, key, first["type"], first["msg"])
        raise UsageError(f"{problem}{more}" if where == spelled else f"{where}: {problem}{more}") from None
    return replace(layer, values=_anchored(settings.model_dump(exclude_unset=True), layer.folder))


def _anchored(value: Any, folder: Path) -> Any:
    match value:
        case Path():
            return folder / value
        case dict():
            return {name: _anchored(under, folder) for name, under in value.items()}
        case tuple():
            return tuple(_anchored(under, folder) for under in value)
        case _:
            return value


def _problem(layer: Layer, key: Key, kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        near = _nearest(key)
        return f"unknown setting {layer.spell(key)}" + (f"; did you mean {layer.spell(near)}?" if near else "")
    said = {
        "model_type": "should be a table",
        "dict_type": "should be a table",
        "tuple_type": "should be a list",
        "path_type": "should be a path",
    }.get(kind, message.removeprefix("Value error, ").replace("Input should", "should"))
    return f"{layer.spell(key)} {'is ' if said.startswith('not ') else ''}{said}"


def _nearest(key: Key) -> Key | None:
    table = section(key[:-1])
    beside = get_close_matches(key[-1], table.model_fields, n=1) if table else []
    if beside:
        return (*key[:-1], beside[0])
    return next((other for other in keys() if other[-1] == key[-1]), None)


def _refuse_guarded(project: Layer, file: Path, trusted: Sequence[Path], user_file: Path) -> None:
    folder = file.resolve().parent
    if any(folder.is_relative_to(path.resolve()) for path in trusted):
        return
    for key, _ in leaves(project.values):
        found = field(key)
        extra = found.json_schema_extra if found else None
        if isinstance(extra, dict) and extra["guarded"]:
            raise UsageError(
                f"{project.where(key)}: a project may not set {'.'.join(key)}; "
                f'if you trust it, add "{folder}" to trusted in {user_file}, or pass --config {file}'
            )


def _settled(layers: Sequence[Layer]) -> Settings:
    values: dict[str, Any] = {}
    for layer in layers:
        values = merged(values, layer.values)
    settings = Settings.model_validate(values)
    _refuse_contradictions(settings)
    return settings


def _refuse_contradictions(settings: Settings) -> None:
    if settings.vote.least > settings.vote.most:
        raise UsageError(f"vote.least ({settings.vote.least}) is above vote.most ({settings.vote.most})")
    for name, server in settings.servers.items():
        if server.base_url is None:
            raise UsageError(f"servers.{name} has no base_url")


def _refuse_unheard(settings: Settings, *arguments: Layer) -> None:
    """A file's base_url may wait for another model; one that is said along with a task must not go unheard."""
    models = filter(None, (settings.model, settings.critic_model, settings.updater_model))
    if any(name.partition(":")[0] not in ("anthropic", "local") for name in models):
        return
    if said := next((layer for layer in arguments if "base_url" in layer.values), None):
        moved = "; providers.anthropic.base_url moves Anthropic's" if settings.model.startswith("anthropic:") else ""
        where = said.where(("base_url",))
        raise UsageError(f"{where} is for a model such as openai:NAME, and {settings.model} is asked elsewhere{moved}")
