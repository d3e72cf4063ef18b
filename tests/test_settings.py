"""Where a setting comes from, and what a wrong one says."""

from pathlib import Path

import pytest

from twinstream.errors import UserError
from twinstream.settings import Settings, environment_names, expectation, load_settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        for variable in environment_names(name):
            monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def refusal(config_file: Path, **flags: object) -> str:
    with pytest.raises(UserError) as caught:
        load_settings(config_file, **flags)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_defaults_are_the_documented_ones(config: Path) -> None:
    settings = load_settings(config)
    assert settings.kafka_servers == "localhost:9092"
    assert settings.redis_connection_url == "redis://localhost:6379/0"
    assert settings.consumer_group == settings.namespace == "twinstream"
    assert settings.output_prefix == ""
    assert settings.max_record_bytes == 1024 * 1024
    assert (settings.window_ms, settings.lateness_ms, settings.max_future_skew_ms) == (300_000, 30_000, 30_000)
    assert settings.checkpoint_interval_ms == 30_000
    assert settings.metrics_port == 8088
    assert settings.metrics_host == "127.0.0.1"
    assert settings.log_level == "INFO"
    assert settings.aws_endpoint_url == "http://localhost:4566"


def test_flag_beats_environment_beats_file_beats_default(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings(config).redis_port == 6379
    config.write_text("redis_port: 1111\n")
    assert load_settings(config).redis_port == 1111
    monkeypatch.setenv("REDIS_PORT", "2222")
    assert load_settings(config).redis_port == 2222
    assert load_settings(config, redis_port=3333).redis_port == 3333


def test_kafka_servers_has_an_older_name(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "old:1")
    assert load_settings(config).kafka_servers == "old:1"
    monkeypatch.setenv("KAFKA_SERVERS", "new:2")
    assert load_settings(config).kafka_servers == "new:2"
    assert load_settings(config, kafka_servers="flag:3").kafka_servers == "flag:3"


def test_file_gives_way_to_the_older_name_too(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text("kafka_servers: file:1\n")
    assert load_settings(config).kafka_servers == "file:1"
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "old:1")
    assert load_settings(config).kafka_servers == "old:1"


def test_flag_that_was_not_given_does_not_hide_the_environment(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSUMER_GROUP", "other")
    assert load_settings(config, consumer_group=None).consumer_group == "other"


def test_empty_variable_counts_as_unset(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_PORT", "")
    assert load_settings(config).redis_port == 6379


def test_wrong_variable_is_named_with_its_value_and_what_was_expected(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINDOW_SIZE_MINUTES", "five")
    assert refusal(config) == (
        "WINDOW_SIZE_MINUTES is 'five' (from the environment); expected a whole number of minutes from 1 to 1440."
    )


def test_wrong_value_under_the_older_name_is_reported_under_that_name(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "nowhere")
    assert refusal(config).startswith("KAFKA_BOOTSTRAP_SERVERS is 'nowhere'")


def test_wrong_value_in_the_file_names_the_file(config: Path) -> None:
    config.write_text("redis_port: 99999\n")
    assert refusal(config) == (f"REDIS_PORT is 99999 (from {config}); expected a whole number from 1 to 65535.")


def test_unknown_setting_in_the_file_is_refused(config: Path) -> None:
    config.write_text("window_minutes: 5\n")
    assert "'window_minutes', which is no setting" in refusal(config)


@pytest.mark.parametrize("content", ["a: [", "- 1\n- 2\n", "\x00"])
def test_file_that_is_no_mapping_is_refused(config: Path, content: str) -> None:
    config.write_text(content)
    assert str(config) in refusal(config)


def test_unknown_flag_is_refused(config: Path) -> None:
    assert refusal(config, windows=1) == "windows is no setting. The README lists all of them."


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kafka_servers", "localhost"),
        ("kafka_servers", "a:1, b:2"),
        ("kafka_security_protocol", "TLS"),
        ("kafka_sasl_mechanism", "GSSAPI"),
        ("redis_url", "http://cache:6379"),
        ("redis_db", -1),
        ("consumer_group", "a:b"),
        ("consumer_group", ""),
        ("output_prefix", "a/"),
        ("window_size_minutes", 0),
        ("allowed_lateness_seconds", -1),
        ("max_record_bytes", 16 * 1024 * 1024 + 1),
        ("metrics_port", 65_536),
        ("log_level", "loud"),
        ("aws_endpoint_url", "localhost:4566"),
    ],
)
def test_value_out_of_bounds_says_what_was_expected(config: Path, name: str, value: object) -> None:
    message = refusal(config, **{name: value})
    assert message.startswith(f"{name.upper()} is ")
    assert message.endswith(f"expected {expectation(Settings.model_fields[name])}.")


def test_every_setting_says_what_it_means_and_expects() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert expectation(field), name


def test_log_level_may_be_written_in_lower_case(config: Path) -> None:
    assert load_settings(config, log_level="debug").log_level == "DEBUG"


def test_sasl_without_a_password_is_refused(config: Path) -> None:
    message = refusal(
        config, kafka_security_protocol="SASL_SSL", kafka_sasl_mechanism="PLAIN", kafka_sasl_username="me"
    )
    assert message == "KAFKA_SASL_PASSWORD is not set; KAFKA_SECURITY_PROTOCOL=SASL_SSL needs it."


def test_secrets_are_not_shown(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_SASL_PASSWORD", "hunter2")
    monkeypatch.setenv("KAFKA_SSL_PASSWORD", "hunter2")
    monkeypatch.setenv("REDIS_URL", "redis://me:hunter2@cache:6379")
    settings = load_settings(config)
    assert "hunter2" not in repr(settings) + str(settings) + settings.redis_address
    assert "hunter2" in settings.redis_connection_url
    monkeypatch.setenv("REDIS_URL", "http://me:hunter2@cache:6379")
    assert "hunter2" not in refusal(config)


@pytest.mark.parametrize(
    ("url", "connection"),
    [
        ("redis://cache:1", "redis://cache:1/7"),
        ("redis://cache:1/2", "redis://cache:1/2"),
        ("redis://cache:1?db=3", "redis://cache:1?db=3"),
        ("unix:///run/redis.sock?db=3", "unix:///run/redis.sock?db=3"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock?db=7"),
        (None, "redis://localhost:6379/7"),
    ],
)
def test_database_number_holds_unless_the_url_names_one(config: Path, url: str | None, connection: str) -> None:
    assert load_settings(config, redis_url=url, redis_db=7).redis_connection_url == connection


def test_address_of_an_ipv6_host_is_bracketed(config: Path) -> None:
    assert load_settings(config, redis_host="::1").redis_connection_url == "redis://[::1]:6379/0"


@pytest.mark.parametrize(
    "url",
    [
        "redis://:hunter2/pw@cache:6379",
        "redis://:12/hunter2@cache:6379",
        "redis://:12?hunter2@cache",
        "redis://:12#hunter2@cache",
        "redis://:12?password=hunter2/@cache",
        "redis://:[hunter2@cache",
        "redis://:hunter2@cache:port",
        "redis://:hunter2@cache/zero",
        "redis://:hunter2@cache?unknown=1",
        "redis://:hunter2@cache:99999",
        "redis://:hunter2@:6379",
        "unix://:1/hunter2@/run/redis.sock",
        "http://me:hunter2@cache:6379",
        "hunter2",
    ],
)
def test_a_redis_url_that_can_be_misread_is_refused_without_being_shown(config: Path, url: str) -> None:
    message = refusal(config, redis_url=url)
    assert message.startswith("REDIS_URL is a value that is not shown (from a flag); expected redis://user:password@")
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://me:hunter2@cache", "redis://cache:6379/0"),
        ("redis://:hunter2%2F%3F%23%40@cache:1/2", "redis://cache:1/2"),
        ("redis://:hunt@er2@cache:1", "redis://cache:1/0"),
        ("rediss://cache:1/2?password=hunter2&ssl_ca_certs=/ca.pem", "rediss://cache:1/2"),
        ("redis://[::1]:1?db=3", "redis://[::1]:1/3"),
        ("unix://me:hunter2@/run/redis.sock?db=3", "unix:///run/redis.sock?db=3"),
    ],
)
def test_the_address_in_messages_has_no_secret(config: Path, url: str, address: str) -> None:
    settings = load_settings(config, redis_url=url)
    assert settings.redis_address == address
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize("name", ["redis_host", "kafka_servers", "aws_endpoint_url"])
def test_a_password_in_the_wrong_variable_is_not_shown(config: Path, name: str) -> None:
    assert "hunter2" not in refusal(config, **{name: "me:hunter2@/cache:6379"})


@pytest.mark.parametrize("content", ["redis_url: hunter2: x\n", "kafka_sasl_password: [hunter2\n", "hunter2: @\n"])
def test_a_file_that_is_no_yaml_is_not_quoted(config: Path, content: str) -> None:
    config.write_text(content)
    assert "hunter2" not in refusal(config)


def test_a_value_can_be_told_with_its_variable_and_where_it_came_from(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text("redis_db: 3\n")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "old:1")
    monkeypatch.setenv("REDIS_HOST", "cache")
    settings = load_settings(config, consumer_group="mine")
    assert settings.named("consumer_group") == "CONSUMER_GROUP, from a flag"
    assert settings.named("kafka_servers") == "KAFKA_BOOTSTRAP_SERVERS, from the environment"
    assert settings.named("redis_db") == f"REDIS_DB, from {config}"
    assert settings.named("metrics_port") == "METRICS_PORT, the default"
    assert settings.named("redis_host", "redis_port") == "REDIS_HOST, from the environment, and REDIS_PORT, the default"
