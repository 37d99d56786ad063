"""The example file: every setting, commented, with its default, meaning and unit."""

from collections.abc import Iterator
from typing import Any, get_args

import tomlkit
from pydantic.fields import FieldInfo

from refiner.config.settings import Section, Settings

_HEAD = """\
# Settings of refiner, each with its default. Remove the # in front of a line to change it: "#name = value" is a
# default, "# name = value" an example for a setting that is unset.
#
# A flag beats the environment (REFINER_MODEL, REFINER_VOTE__MOST), which beats the nearest refiner.toml of the working
# directory and above, which beats the user's own file (`refiner config path`). [guarded]: in a project's refiner.toml
# only if the user's own file lists its folder in `trusted`."""


def template() -> str:
    """The text of an example `refiner.toml`. With each "#name" uncommented it sets what is the default anyway."""
    return "\n".join([_HEAD, *_table(Settings, "")]) + "\n"


def _table(table: type[Section], name: str) -> Iterator[str]:
    fields = table.model_fields.items()
    values = [(key, field) for key, field in fields if not _is_table(field)]
    for key, field in values:
        yield from _setting(key, field, spaced=table is Settings)
    for key, field in fields:
        if _is_table(field):
            yield from _subtable(f"{name}.{key}".lstrip("."), field)


def _subtable(name: str, field: FieldInfo) -> Iterator[str]:
    kind = field.annotation
    if isinstance(kind, type) and issubclass(kind, Section):
        if not all(_is_table(under) for under in kind.model_fields.values()):
            yield from ("", f"# {field.description or kind.__doc__}", f"#[{name}]")
        yield from _table(kind, name)
    elif named := next((each for each in get_args(kind) if isinstance(each, type) and issubclass(each, Section)), None):
        yield from ("", f"# {named.__doc__}", f"# [{name}.NAME]")
        yield from _table(named, f"{name}.NAME")
    else:
        yield from ("", f"# {field.description}") if field.description else ()
        yield f"# [{name}]" if ".NAME" in name else f"#[{name}]"
        yield from (f"# {key} = {_toml(value)}" for key, value in _extra(field)["example"].items())


def _setting(key: str, field: FieldInfo, *, spaced: bool) -> Iterator[str]:
    extra = _extra(field)
    unit = f" ({extra['unit']})" if extra["unit"] else ""
    guarded = " [guarded]" if extra["guarded"] else ""
    if spaced:
        yield ""
    yield f"# {str(field.description).rstrip('.')}{unit}{guarded}"
    default = field.get_default(call_default_factory=True, validated_data={})
    yield f"# {key} = {_toml(extra['example'])}" if default is None else f"#{key} = {_toml(default)}"


def _extra(field: FieldInfo) -> dict[str, Any]:
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def _is_table(field: FieldInfo) -> bool:
    kind = field.annotation
    return (isinstance(kind, type) and issubclass(kind, Section)) or str(kind).startswith("dict")


def _toml(value: object) -> str:
    return tomlkit.item(list(value) if isinstance(value, tuple) else value).as_string()
