"""The typed settings of every process.

Where a value comes from, strongest first: command-line flags, environment variables, `config/config.yaml`, the defaults
below. A setting's environment variable is its name in capitals (`window_size_minutes` is `WINDOW_SIZE_MINUTES`).
"""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from twinstream.addresses import bracketed, redis_address, redis_url_with_database, require_redis_url
from twinstream.errors import UserError

CONFIG_FILE = Path(__file__).resolve().parent.parent / "config" / "config.yaml"

_NAME_PATTERN = r"^[A-Za-z0-9._-]+$"
_PREFIX_PATTERN = r"^[A-Za-z0-9._-]*$"
_HOST_PATTERN = r"^[^\s/@]+$"
_SERVERS_PATTERN = r"^[^\s,:/@]+:\d{1,5}(,[^\s,:/@]+:\d{1,5})*$"


ENVIRONMENT = "from the environment"
DEFAULT = "the default"


def _setting(default: Any, meaning: str, expects: str, **constraints: Any) -> Any:
    """A field whose error message can say what was expected, in words."""
    return Field(default, description=meaning, json_schema_extra={"expects": expects}, **constraints)


def _whole(default: int, meaning: str, unit: str, low: int, high: int) -> Any:
    """A whole number of `unit` in `[low, high]`."""
    of_unit = f" of {unit}" if unit else ""
    return _setting(default, meaning, f"a whole number{of_unit} from {low} to {high}", ge=low, le=high)


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_upper)]
SecurityProtocol = Annotated[Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"], BeforeValidator(_upper)]
SaslMechanism = Annotated[Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], BeforeValidator(_upper)]


class Settings(BaseSettings):
    """Every setting with its default, meaning and bounds; use `load_settings` to get one."""

    model_config = SettingsConfigDict(
        case_sensitive=False, env_ignore_empty=True, extra="forbid", frozen=True, populate_by_name=True
    )

    _sources: dict[str, str] = PrivateAttr(default_factory=dict)
    _variables: dict[str, str] = PrivateAttr(default_factory=dict)

    features: str = _setting(
        "",
        "Modules or files with the feature groups (shop.features, shop/features.py); empty for the reference ones.",
        "modules or files, with commas between",
    )
    kafka_servers: str = _setting(
        "localhost:9092",
        "Kafka brokers to ask first.",
        "host:port, or several with commas between",
        pattern=_SERVERS_PATTERN,
        validation_alias=AliasChoices("KAFKA_SERVERS", "KAFKA_BOOTSTRAP_SERVERS"),
    )
    kafka_security_protocol: SecurityProtocol = _setting(
        "PLAINTEXT", "How to talk to Kafka.", "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"
    )
    kafka_sasl_mechanism: SaslMechanism | None = _setting(
        None, "SASL mechanism.", "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"
    )
    kafka_sasl_username: str | None = _setting(None, "SASL user.", "a user name")
    kafka_sasl_password: SecretStr | None = _setting(None, "SASL password; never logged.", "a password")
    kafka_ssl_cafile: Path | None = _setting(None, "CA certificates (PEM).", "a path")
    kafka_ssl_certfile: Path | None = _setting(None, "Client certificate (PEM).", "a path")
    kafka_ssl_keyfile: Path | None = _setting(None, "Client key (PEM).", "a path")
    kafka_ssl_password: SecretStr | None = _setting(None, "Password of the client key; never logged.", "a password")

    redis_host: str = _setting("localhost", "Redis host.", "a host name or address", pattern=_HOST_PATTERN)
    redis_port: int = _whole(6379, "Redis port.", "", 1, 65_535)
    redis_db: int = _whole(0, "Redis database number.", "", 0, 1_000_000)
    redis_url: Annotated[str, AfterValidator(require_redis_url)] | None = _setting(
        None,
        "Redis address as a URL, instead of host and port; its password is never logged.",
        "redis://user:password@host:port/database (rediss:// for TLS, unix:///path for a socket), a password's "
        "':', '/', '?', '#', '@', '%' and '[' as %3A, %2F, %3F, %23, %40, %25 and %5B",
        repr=False,
    )

    consumer_group: str = _setting(
        "twinstream",
        "Kafka consumer group, and the namespace of the state in Redis.",
        "letters, digits, '.', '_' and '-', at most 100",
        pattern=_NAME_PATTERN,
        max_length=100,
    )
    output_prefix: str = _setting(
        "",
        "Put before the names of feature-log and dead-letter topics.",
        "letters, digits, '.', '_' and '-', at most 100",
        pattern=_PREFIX_PATTERN,
        max_length=100,
    )
    worker_slot: int | None = _setting(
        None,
        "Number of this worker on its machine; by default the first free one.",
        "a whole number from 0 to 9999",
        ge=0,
        le=9_999,
    )

    window_size_minutes: int = _whole(
        5, "Length of the sliding window. A change starts a new epoch.", "minutes", 1, 1_440
    )
    allowed_lateness_seconds: int = _whole(
        30, "How far behind the newest event one may be. A change starts a new epoch.", "seconds", 0, 86_400
    )
    max_future_skew_seconds: int = _whole(
        30,
        "How far ahead of its Kafka timestamp an event may be. A change starts a new epoch.",
        "seconds",
        0,
        86_400,
    )
    max_events_per_entity: int = _whole(
        50_000,
        "Events kept of one entity's window; older ones go and `window_truncated` says so.",
        "events",
        1,
        10_000_000,
    )
    max_record_bytes: int = _whole(
        1_048_576, "Records above this are dead-lettered as oversized.", "bytes", 1, 16_777_216
    )

    cache_entities: int = _whole(50_000, "Entities a worker keeps in memory.", "entities", 1, 100_000_000)
    max_poll_records: int = _whole(5_000, "Records in one batch at most.", "records", 1, 100_000)
    checkpoint_interval_ms: int = _whole(
        30_000, "Flink's checkpoint interval; the loop commits every batch.", "milliseconds", 10, 86_400_000
    )

    metrics_port: int = _whole(8088, "Port of /metrics, /healthz and /readyz; 0 takes any free one.", "", 0, 65_535)
    metrics_host: str = _setting("127.0.0.1", "Address that port is bound to.", "a host name or address", min_length=1)
    serving_host: str = _setting(
        "127.0.0.1", "Address that the read API is bound to.", "a host name or address", min_length=1
    )
    serving_port: int = _whole(8090, "Port of the read API; 0 takes any free one.", "", 0, 65_535)
    serving_workers: int = _whole(1, "Processes that answer the read API.", "processes", 1, 64)
    serving_max_entities: int = _whole(1_000, "Entities in one call of the read API at most.", "entities", 1, 100_000)
    serving_max_body_bytes: int = _whole(
        1_048_576, "Bodies above this are refused by the read API.", "bytes", 1, 16_777_216
    )
    serving_max_in_flight: int = _whole(
        64, "Calls that a process of the read API has under way at most; more are refused.", "calls", 1, 10_000
    )
    serving_timeout_ms: int = _whole(
        1_000, "How long the read API waits for Redis in one call.", "milliseconds", 1, 60_000
    )
    serving_max_behind_seconds: int | None = _setting(
        None,
        "How old a group's newest event may be before the read API's /readyz says so with a 503; empty for any age.",
        "a whole number of seconds from 1 to 31536000",
        ge=1,
        le=31_536_000,
    )
    log_level: LogLevel = _setting("INFO", "Least severe log level shown.", "DEBUG, INFO, WARNING or ERROR")

    aws_endpoint_url: str = _setting(
        "http://localhost:4566",
        "Where Kinesis and S3 answer, unless a command is told to use real AWS.",
        "an http:// or https:// URL",
        pattern=r"^https?://.+",
    )

    @property
    def window_ms(self) -> int:
        """Window length W in milliseconds."""
        return self.window_size_minutes * 60_000

    @property
    def lateness_ms(self) -> int:
        """Allowed lateness L in milliseconds."""
        return self.allowed_lateness_seconds * 1_000

    @property
    def max_future_skew_ms(self) -> int:
        """Largest accepted lead of an event over its Kafka timestamp, in milliseconds."""
        return self.max_future_skew_seconds * 1_000

    @property
    def namespace(self) -> str:
        """What keeps the Redis state of two consumer groups apart."""
        return self.consumer_group

    @property
    def redis_connection_url(self) -> str:
        """The URL to connect to, password included: for clients, not for messages."""
        if self.redis_url is None:
            return f"redis://{bracketed(self.redis_host)}:{self.redis_port}/{self.redis_db}"
        return redis_url_with_database(self.redis_url, self.redis_db)

    @property
    def redis_address(self) -> str:
        """The same address without user and password: for messages and logs."""
        return redis_address(self.redis_connection_url)

    def named(self, *names: str) -> str:
        """The variables of some settings and where their values come from, for messages.

        >>> load_settings(redis_port=1).named("redis_port")
        'REDIS_PORT, from a flag'
        """
        return ", and ".join(
            f"{self._variables.get(name, name.upper())}, {self._sources.get(name, DEFAULT)}" for name in names
        )

    @model_validator(mode="after")
    def _sasl_is_complete(self) -> "Settings":
        if self.kafka_security_protocol.startswith("SASL"):
            for name in ("kafka_sasl_mechanism", "kafka_sasl_username", "kafka_sasl_password"):
                if getattr(self, name) is None:
                    raise UserError(
                        f"{name.upper()} is not set; KAFKA_SECURITY_PROTOCOL={self.kafka_security_protocol} needs it."
                    )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings


def load_settings(config_file: Path | None = None, **flags: Any) -> Settings:
    """Read the settings; `flags` that are None count as not given. A wrong value raises a one-line `UserError`.

    >>> load_settings(window_size_minutes=1).window_ms
    60000
    """
    given = {name: value for name, value in flags.items() if value is not None}
    from_file = _read_config(config_file or CONFIG_FILE)
    weaker = {name: value for name, value in from_file.items() if name not in given and not _in_environment(name)}
    sources = dict.fromkeys(weaker, f"from {config_file or CONFIG_FILE}")
    sources |= {name: ENVIRONMENT for name in Settings.model_fields if _in_environment(name)}
    sources |= dict.fromkeys(given, "from a flag")
    try:
        settings = Settings(**given, **weaker)
    except ValidationError as error:
        raise UserError(_explain(error, sources)) from None
    settings._sources.update(sources)
    settings._variables.update({name: _variable_used(name) for name in sources if sources[name] == ENVIRONMENT})
    return settings


def _read_config(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read as YAML ({_reason(error)}). Mend it or remove it.") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UserError(f"{path} holds {type(content).__name__}; expected lines of the form `name: value`.")
    settings = {str(name).lower(): value for name, value in content.items()}
    for name in settings:
        if name not in Settings.model_fields:
            raise UserError(f"{path} sets {name!r}, which is no setting. The README lists all of them.")
    return {name: value for name, value in settings.items() if value is not None}


def _reason(error: Exception) -> str:
    """What is wrong with a file and where, without its text: that may be a password."""
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        return f"line {mark.line + 1}, column {mark.column + 1}: {getattr(error, 'problem', None) or 'not understood'}"
    return getattr(error, "strerror", None) or getattr(error, "reason", None) or type(error).__name__


def environment_names(name: str) -> tuple[str, ...]:
    """The environment variables that set the field `name`, strongest first."""
    alias = Settings.model_fields[name].validation_alias
    return tuple(str(choice) for choice in alias.choices) if isinstance(alias, AliasChoices) else (name.upper(),)


def _in_environment(name: str) -> bool:
    present = {variable.upper() for variable, value in os.environ.items() if value}
    return any(variable in present for variable in environment_names(name))


def expectation(field: FieldInfo) -> str:
    """What a field's value has to be, in words."""
    extra = field.json_schema_extra
    return str(extra["expects"]) if isinstance(extra, dict) else ""


def _explain(error: ValidationError, sources: dict[str, str]) -> str:
    """One line for the first wrong value: its variable, the value, what was expected and where it came from."""
    first = error.errors()[0]
    located = str(first["loc"][0]) if first["loc"] else ""
    names = [name for name in Settings.model_fields if located.upper() in (name.upper(), *environment_names(name))]
    if not names:
        return f"{located} is no setting. The README lists all of them."
    name = names[0]
    source = sources.get(name, DEFAULT)
    variable = _variable_used(name) if source == ENVIRONMENT else name.upper()
    shown = _shown(name, first["input"])
    return f"{variable} is {shown} ({source}); expected {expectation(Settings.model_fields[name])}."


def _variable_used(name: str) -> str:
    return next((variable for variable in environment_names(name) if os.environ.get(variable)), name.upper())


def _shown(name: str, value: Any) -> str:
    """A wrong value, unless it is or may hold a password."""
    return "a value that is not shown" if name in _MAY_HOLD_A_PASSWORD or "@" in str(value) else repr(value)


_MAY_HOLD_A_PASSWORD = {"kafka_sasl_password", "kafka_ssl_password", "redis_url"}
