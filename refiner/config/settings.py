"""Every setting, with its type, default, unit and meaning. `refiner.toml` is made from this module."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeGuard, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic.fields import FieldInfo

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(value: object) -> object:
    """Seconds from a duration in words, such as "90", "10m" or "1h30m"; anything else is left to pydantic."""
    if not isinstance(value, str):
        return value
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", value)
    if parts and "".join(number + unit for number, unit in parts) == value.strip():
        return sum(float(number) * _UNITS[unit] for number, unit in parts)
    try:
        return float(value)
    except ValueError:
        raise ValueError('not a duration such as "90s", "10m" or "1h30m"') from None


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError("not a folder: that home is not there") from None


Duration = Annotated[float, BeforeValidator(seconds), Field(gt=0, allow_inf_nan=False)]
Folder = Annotated[Path, Field(strict=False), AfterValidator(_expanded)]
Count = Annotated[int, Field(ge=1)]
Chains = Annotated[int, Field(ge=1, le=1_000)]
"""All of them are held in memory, in a service beside those of others."""


def setting(
    default: Any, description: str, *, unit: str | None = None, example: object = None, guarded: bool = False
) -> Any:
    """A field with what the example file says of it.

    example is shown where the default is None. guarded: a project's file cannot set it unless the user trusts its
    folder, for it decides where keys, prompts and money go.
    """
    extra: dict[str, Any] = {"unit": unit, "example": example, "guarded": guarded}
    if isinstance(default, type):
        return Field(default_factory=default, description=description, json_schema_extra=extra)
    return Field(default, description=description, json_schema_extra=extra)


class Section(BaseModel):
    """A table of settings: unknown keys are errors, and files are read strictly ("3" is no number there)."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class Vote(Section):
    """Strategy `vote`: how many independent answers are asked for."""

    adaptive: bool = setting(True, "Stop when the lead is decided; false takes all chains.")
    least: Count = setting(3, "The fewest answers that are asked for.")
    most: Chains = setting(6, "The most answers that are asked for while the vote is contested.")


class Local(Section):
    """The embedded model."""

    threads: Count | None = setting(None, "Threads; unset takes one a core, and never more.", example=2)
    context: Count = setting(8192, "The most that prompt and reply fill together, for each call.", unit="tokens")
    parallel: Count = setting(4, "Calls that the model answers side by side.")
    keep_alive: Duration = setting(
        10.0, "How long a model stays loaded after its last user left.", unit="seconds, or 5m"
    )
    speculation: bool = setting(True, "Guess ahead where a reply repeats its prompt.")
    models: Folder | None = setting(
        None, "Where weights lie; unset is the user's cache.", example="/data/models", guarded=True
    )


class Endpoint(Section):
    """A provider, and how it may be asked."""

    api_key: SecretStr | None = setting(
        None, "The key; better in the provider's own environment variable.", example="…", guarded=True
    )
    base_url: str | None = setting(
        None, "Another address for the same protocol.", example="https://proxy.example/v1", guarded=True
    )
    timeout: Duration = setting(300.0, "How long one call may stay silent.", unit="seconds, or 2m")
    concurrency: Count = setting(8, "Calls at a time at the most; fewer while the provider is busy.")
    per_minute: Count | None = setting(None, "Calls a minute at the most.", example=60)


class Providers(Section):
    """The providers."""

    openai: Endpoint = setting(Endpoint, "OpenAI; its key is usually in OPENAI_API_KEY.")
    anthropic: Endpoint = setting(Endpoint, "Anthropic; its key is usually in ANTHROPIC_API_KEY.")


class Server(Section):
    """An OpenAI-compatible server of the user's own, named NAME in `--model NAME:MODEL`."""

    base_url: str | None = setting(None, "Where it listens.", example="http://localhost:8000/v1", guarded=True)
    api_key_env: str | None = setting(
        None, "The environment variable that holds its key.", example="MINE_API_KEY", guarded=True
    )


class Prompts(Section):
    """The texts that models are asked with."""

    folder: Folder | None = setting(
        None, "A folder whose files replace the prompts of the same names.", example="prompts"
    )


class Store(Section):
    """The database of runs."""

    url: str | None = setting(
        None,
        "An SQLAlchemy URL; REFINER_DB says the same.",
        example="postgresql+psycopg://localhost/refiner",
        guarded=True,
    )


class Retry(Section):
    """Calls that failed for a reason that may pass."""

    attempts: Count = setting(8, "Attempts at one call, the first included.")
    most_seconds: Duration = setting(120.0, "The longest that one call is retried.", unit="seconds, or 2m")


class Batch(Section):
    """`refiner eval run --batch`."""

    poll: Annotated[float, Field(gt=0, allow_inf_nan=False)] = setting(
        10.0,
        "Until a batch is first asked about; each further wait is half longer, up to five minutes.",
        unit="seconds",
    )


class Sandbox(Section):
    """Where code of a model runs, and what each execution may use."""

    layer: Literal["auto", "bubblewrap", "landlock", "off"] = setting(
        "auto", "The isolation: auto is the strongest that works; off is none, and warns on each run.", guarded=True
    )
    wall: Duration = setting(10.0, "How long an execution may take.", unit="seconds")
    cpu: Duration = setting(10.0, "Processor time.", unit="seconds")
    memory: Count = setting(512, "Memory of all its processes together.", unit="MiB")
    processes: Count = setting(48, "Processes at a time.")
    file_size: Count = setting(32, "The largest file.", unit="MiB")
    scratch: Count = setting(64, "All that it writes.", unit="MiB")
    inodes: Count = setting(4096, "Files and folders that it makes.")
    output: Count = setting(64, "What is kept of its output.", unit="KiB")


class Code(Section):
    """Tasks whose answer is a program."""

    scrutiny: bool = setting(True, "Criticise a program that passes its tests once more.")
    edit_above: Count = setting(200, "Lines above which a program is changed by edits instead of rewritten.")
    backup: bool = setting(True, "Keep the old file beside one that --in-place changes.")


class Service(Section):
    """The service, `refiner serve`."""

    runs: Count = setting(8, "Runs that it drives at a time; the others wait in its queue.")
    traces: str | None = setting(
        None,
        "An OpenTelemetry collector (OTLP over HTTP) that gets a trace of each run; unset sends none.",
        example="http://localhost:4318",
        guarded=True,
    )
    trace_content: bool = setting(False, "Put prompts and replies into the traces.", guarded=True)


class Upkeep(Section):
    """What the service does by itself each night; see `refiner schedule`."""

    nightly: str = setting("0 3 * * *", "When, as crontab writes it, in local time.")
    backup: Folder | None = setting(
        None, "A folder for copies of the database; unset makes none.", example="~/backups", guarded=True
    )
    backups: Count = setting(7, "Copies that are kept.", guarded=True)
    keep_days: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = setting(
        None, "Runs unchanged for longer are removed.", unit="days", example=90, guarded=True
    )
    keep_bytes: Count | None = setting(
        None, "The oldest runs are removed until the database holds no more.", example=5_000_000_000, guarded=True
    )


class Schedule(Section):
    """A task or an eval that the service does again and again, and how: the settings of its runs."""

    cron: str | None = setting(
        None,
        "When, as crontab writes it, in local time: minute, hour, day, month, weekday.",
        example="0 7 * * mon-fri",
        guarded=True,
    )
    input: str | None = setting(None, "The text to solve.", example="Name a prime above 100.", guarded=True)
    file: Folder | None = setting(
        None, "Or a file that holds it, read anew each time.", example="daily.md", guarded=True
    )
    datasets: str | list[str] | None = setting(
        None, "Or data sets to evaluate, as `refiner eval run` names them.", example=["mine"], guarded=True
    )
    limit: Count | None = setting(None, "The first items only.", example=100, guarded=True)
    sample: Count | None = setting(None, "So many items, drawn by the seed.", example=60, guarded=True)
    replicates: Count | None = setting(
        None, "How often each item is run, each time with another seed; unset is once.", example=3, guarded=True
    )
    vote: Literal["own", "accepted", "finals", "iterates", "weighted"] | None = setting(
        None, "How the refined answer is chosen; unset is `own`.", example="finals", guarded=True
    )
    control: bool | None = setting(
        None, "Whether samples are drawn to compare with; unset is yes.", example=False, guarded=True
    )
    settings: dict[str, Any] = setting(dict, "", example={"strategy": "vote", "max_cost": 0.05})

    @property
    def sets(self) -> tuple[str, ...]:
        """The names of the data sets; none for a task."""
        return (self.datasets,) if isinstance(self.datasets, str) else tuple(self.datasets or ())


class Dataset(Section):
    """A data set of your own for `refiner eval run NAME`: a file, and the columns that its items are made of."""

    path: str | None = setting(None, "Where it is; a published set as NAME:PATH.", example="~/data/mine.csv")
    answer_type: Literal["auto", "choice", "number", "text", "code"] | None = setting(
        None, "How its answers are compared; unset is told from each row.", example="number"
    )
    id: str | None = setting(
        None, "The column that tells items apart; unset is `id`, or the row's number.", example="nr"
    )
    question: str | None = setting(None, "What is asked; unset is `question`.", example="prompt")
    choices: str | list[str] | None = setting(
        None, "A column with the choices, or one for each; unset is `choices`.", example=["A", "B", "C", "D"]
    )
    answer: str | None = setting(None, "The gold answer; unset is `answer`.", example="target")
    program: str | None = setting(None, "Code to mend; unset is `program`.", example="buggy")
    visible_tests: str | None = setting(
        None, "Tests that a strategy may see; unset is `visible_tests`.", example="examples"
    )
    tests: str | None = setting(None, "Tests that score; unset is `tests`.", example="test")
    entry_point: str | None = setting(None, "The function that tests call; unset is `entry_point`.", example="function")
    subject: str | None = setting(None, "The part of the set; unset is `subject`.", example="topic")


class Tui(Section):
    """The terminal UI."""

    theme: str = setting("textual-dark", "The colours; ansi-dark and ansi-light are the terminal's own.")
    hold: Duration = setting(60.0, "How long a run waits with a critique that is to be edited.", unit="seconds, or 10m")
    keys: dict[str, str] = setting(
        dict, "Other keys for what the help screen (F1) lists, by its names.", example={"filter": "slash,f"}
    )


class Settings(Section):
    """All settings. None leaves a choice to the strategy, or is no limit."""

    model: str = setting("auto", "The model, as PROVIDER:NAME; auto takes the provider with a key, else the local one.")
    critic_model: str | None = setting(None, "The model that criticises; unset is `model`.", example="openai:gpt-4o")
    updater_model: str | None = setting(None, "The model that rewrites; unset is `model`.", example="openai:gpt-4o")
    base_url: str | None = setting(
        None, "The OpenAI-compatible server that answers.", example="http://localhost:8000/v1", guarded=True
    )
    strategy: str = setting(
        "auto",
        "How drafts, updates and selection combine: auto, textgrad, refine, vote, compare, repair or fuse.",
    )
    answer_type: Literal["auto", "choice", "number", "text", "code"] = setting(
        "auto", "How the answer is read and compared: auto, choice, number, text or code."
    )
    chains: Chains | None = setting(None, "Independent chains; unset leaves it to the strategy.", example=3)
    max_iterations: Annotated[int, Field(ge=0)] | None = setting(
        None, "Updates of a chain at the most; unset leaves it to the strategy.", example=3
    )
    max_calls: Count | None = setting(None, "Calls of a run at the most.", example=20)
    max_tokens: Count | None = setting(None, "Tokens of a run at the most, in and out.", unit="tokens", example=50000)
    max_cost: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = setting(
        None, "What a run may cost at the most.", unit="US dollars", example=0.5
    )
    max_time: Duration | None = setting(
        None, "How long a run may take at the most.", unit="seconds, or 10m", example="10m"
    )
    patience: Count | None = setting(None, "Rejected updates in a row that end a chain.", example=2)
    target: Annotated[float, Field(ge=0, le=1)] | None = setting(
        None, "The score, from 0 to 1, that ends the run.", example=0.9
    )
    until: str | None = setting(None, "A stop rule in words.", example="agree:2 | cost:0.25")
    policy: str | None = setting(None, "A named stop rule, of this file or of refiner's own.", example="thrifty")
    max_output_tokens: Count = setting(2048, "The longest reply, reasoning included.", unit="tokens")
    temperature: Annotated[float, Field(ge=0, le=2)] | None = setting(
        None, "How freely a model samples, from 0 to 2; unset leaves it to the strategy.", example=0.7
    )
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = setting(
        None,
        "How much a model thinks first: none, minimal, low, medium, high, xhigh or max; unset leaves it to the model.",
        example="low",
    )
    seed: int = setting(0, "Fixes every shuffle, and the sampler where the provider has one.")
    concurrency: Count = setting(8, "Calls of a run at a time.")
    confirm_above: Annotated[float, Field(ge=0, allow_inf_nan=False)] = setting(
        1.0, "A run that may cost more is asked about first.", unit="US dollars", guarded=True
    )
    trusted: Annotated[tuple[Folder, ...], Field(strict=False)] = setting(
        (), "Folders whose refiner.toml may set everything; only in the user's own file."
    )
    color: Literal["auto", "always", "never"] = setting("auto", "Colours: auto, always or never.")
    vote: Vote = setting(Vote, "")
    local: Local = setting(Local, "")
    providers: Providers = setting(Providers, "")
    servers: dict[str, Server] = setting(dict, "")
    prompts: Prompts = setting(Prompts, "")
    policies: dict[str, str] = setting(
        dict, "Stop rules by name, for `policy`.", example={"thrifty": "agree:2 | cost:0.25"}
    )
    store: Store = setting(Store, "")
    retry: Retry = setting(Retry, "")
    batch: Batch = setting(Batch, "")
    sandbox: Sandbox = setting(Sandbox, "")
    code: Code = setting(Code, "")
    service: Service = setting(Service, "")
    upkeep: Upkeep = setting(Upkeep, "")
    schedules: dict[str, Schedule] = setting(dict, "")
    datasets: dict[str, Dataset] = setting(dict, "")
    tui: Tui = setting(Tui, "")


def section(path: Sequence[str]) -> type[Section] | None:
    """The table at a path such as ("providers", "openai"); None where there is a value, or nothing."""
    table: type[Section] | None = Settings
    named: type[Section] | None = None
    for name in path:
        if named is not None:
            table, named = named, None
            continue
        info = table.model_fields.get(name) if table else None
        annotation = info.annotation if info else None
        named = next((kind for kind in get_args(annotation) if _is_section(kind)), None)
        table = annotation if _is_section(annotation) else None
    return table


def field(path: Sequence[str]) -> FieldInfo | None:
    """The field at a path such as ("vote", "most"); None where there is no such setting."""
    table = section(path[:-1])
    return table.model_fields.get(path[-1]) if table else None


def keys(table: type[Section] = Settings, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every setting that has a fixed name, tables included."""
    for name, info in table.model_fields.items():
        yield (*above, name)
        if _is_section(info.annotation):
            yield from keys(info.annotation, (*above, name))


def _is_section(kind: object) -> TypeGuard[type[Section]]:
    return isinstance(kind, type) and issubclass(kind, Section)
