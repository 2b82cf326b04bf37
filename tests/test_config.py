"""Configuration: which source wins, where a value came from, and what is refused. docs/why/0006."""

from __future__ import annotations

from pathlib import Path

import pytest

from catshop.config import Config, ConfigError, from_process, load
from catshop.conversions import MAY_BE_NOTHING, TEN_YEARS, Backend, Era
from catshop.limits import Limits


def origin(config: Config, name: str) -> str:
    return next(each.origin for each in config.settings() if each.name == name)


def test_without_any_source_every_setting_has_its_default() -> None:
    config = load()
    assert (config.host, config.port, config.issuer) == (
        "127.0.0.1",
        8000,
        "http://127.0.0.1:8000",
    )
    assert config.limits == Limits()
    assert {each.origin for each in config.settings()} == {"default"}


def test_a_flag_wins_over_the_environment_which_wins_over_the_file() -> None:
    text = 'port = 1\nhost = "localhost"\nbackend = "trio"'
    environ = {"CATSHOP_PORT": "2", "CATSHOP_HOST": "127.0.0.2"}
    config = load(flags={"port": 3, "host": None}, environ=environ, text=text)
    assert (config.port, config.host, config.backend) == (3, "127.0.0.2", Backend.TRIO)
    assert origin(config, "port") == "--port"
    assert origin(config, "host") == "CATSHOP_HOST"
    assert origin(config, "backend") == "catshop.toml:3"
    assert origin(config, "era") == "default"


def test_the_plain_names_of_system_000_work_and_the_longer_name_wins() -> None:
    """A000-5."""
    config = load(environ={"HOST": "0.0.0.0", "PORT": "8123"})
    assert config.issuer == "http://localhost:8123"
    assert origin(config, "port") == "PORT"
    assert load(environ={"PORT": "1", "CATSHOP_PORT": "2"}).port == 2
    public = load(environ={"ISSUER_URL": "https://x.example", "PORT": "8123"})
    assert public.issuer == "https://x.example"


@pytest.mark.parametrize(
    ("host", "issuer"),
    [
        pytest.param("127.0.0.1", "http://127.0.0.1:8000", id="the-address-that-is-served"),
        pytest.param("localhost", "http://localhost:8000", id="the-name-that-was-said"),
        pytest.param("0.0.0.0", "http://localhost:8000", id="everybody-has-no-name"),
        pytest.param("::", "http://localhost:8000", id="everybody-on-version-6"),
        pytest.param("::1", "http://[::1]:8000", id="version-6-in-brackets"),
    ],
)
def test_an_issuer_that_nobody_set_is_the_address_that_is_served(host: str, issuer: str) -> None:
    """Clients compare them as strings; on loopback http will do. RFC 9207 §2.4, OAuth 2.1 §1.5."""
    assert load(environ={"CATSHOP_HOST": host}).issuer == issuer


def test_an_issuer_that_nobody_set_follows_the_port_once_it_is_known() -> None:
    assert load(flags={"port": 0}).listening_on(4711).issuer == "http://127.0.0.1:4711"
    said = load(environ={"ISSUER_URL": "https://cats.example/shop"}).listening_on(4711)
    assert (said.port, said.issuer) == (4711, "https://cats.example/shop")


@pytest.mark.parametrize(
    ("issuer", "problem"),
    [
        pytest.param("https://cats.example/", "write https://cats.example", id="closing-slash"),
        pytest.param("http://cats.example", "must be https", id="http-to-strangers"),
        pytest.param("ftp://cats.example", "begin with https://", id="another-scheme"),
        pytest.param("cats.example", "URL with a host", id="no-scheme"),
        pytest.param("https://cats.example?a=b", "without user, query", id="query"),
        pytest.param("https://cats.example#top", "without user, query", id="fragment"),
        pytest.param("https://me@cats.example", "without user, query", id="user"),
        pytest.param("https://cats.example/a b", "URL with a host", id="space"),
        pytest.param("https://katzen-ä.example", "URL with a host", id="not-ascii"),
    ],
)
def test_an_issuer_that_clients_could_not_trust_is_refused(issuer: str, problem: str) -> None:
    """RFC 8414 §2."""
    with pytest.raises(ConfigError, match=problem) as caught:
        load(environ={"ISSUER_URL": issuer})
    assert str(caught.value).startswith("ISSUER_URL: ")


def test_a_host_for_strangers_needs_an_issuer() -> None:
    with pytest.raises(ConfigError, match=r"CATSHOP_HOST: issuer .* must be https"):
        load(environ={"CATSHOP_HOST": "192.0.2.1"})


def test_every_number_is_a_setting_by_flag_variable_and_file() -> None:
    by_name = {each.name: each for each in load().settings()}
    assert by_name["http.head_seconds"].variable == "CATSHOP_HTTP_HEAD_SECONDS"
    for name, each in by_name.items():
        if isinstance(each.value, int | float) and "." in name:
            group, key = name.split(".")
            for config in (
                load(flags={name: 7}),
                load(environ={each.variable: "7"}),
                load(text=f"[{group}]\n{key} = 7"),
            ):
                assert getattr(getattr(config.limits, group), key) == 7
        assert each.doc, f"{name} says nothing about itself"


@pytest.mark.parametrize(
    ("kind", "wrong", "told"),
    [
        pytest.param(
            "flags", {"prot": 1}, "--prot: prot is no setting; did you mean port?", id="flag"
        ),
        pytest.param(
            "environ",
            {"CATSHOP_PROT": "1"},
            "CATSHOP_PROT is no setting; did you mean CATSHOP_PORT?",
            id="variable",
        ),
        pytest.param(
            "text",
            "# cats\n[http]\n\nhead_second = 1",
            "catshop.toml:4: http.head_second is no setting; did you mean http.head_seconds?",
            id="file",
        ),
        pytest.param(
            "text", "[zz]\nxyzzy = 1", "`catshop config` lists them all", id="nothing-like"
        ),
    ],
)
def test_a_name_that_nobody_knows_is_an_error_that_guesses(
    kind: str, wrong: object, told: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(**{kind: wrong})
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "wrong", "told"),
    [
        pytest.param(
            "text", "port = true", "catshop.toml:1: port must be a whole number", id="bool"
        ),
        pytest.param("text", "port = 8000.0", "port must be a whole number", id="fraction"),
        pytest.param(
            "environ", {"CATSHOP_PORT": "-1"}, "port must be a whole number", id="negative"
        ),
        pytest.param("environ", {"CATSHOP_PORT": "65536"}, "port must be 0 to 65535", id="no-port"),
        pytest.param("environ", {"PORT": "http"}, "PORT: port must be a whole number", id="word"),
        pytest.param("environ", {"CATSHOP_TRACE": "maybe"}, "trace must be on or off", id="maybe"),
        pytest.param("environ", {"CATSHOP_ERA": "old"}, "both, modern or legacy", id="choice"),
        pytest.param("environ", {"CATSHOP_HOST": ""}, "host must be text", id="empty"),
        pytest.param("flags", {"http.head_seconds": "nan"}, "must be a number", id="nan"),
        pytest.param("flags", {"http.head_seconds": "inf"}, "must be a number", id="endless"),
        pytest.param(
            "text", "[http]\nhead_seconds = true", "must be a number", id="bool-for-float"
        ),
        pytest.param(
            "text", "allowed_hosts = [1]", "must be a list of names", id="list-of-numbers"
        ),
        pytest.param("text", "port = ", "catshop.toml: ", id="no-toml"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_with_its_source(
    kind: str, wrong: object, told: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(**{kind: wrong})
    assert told in str(caught.value)


NUMBERS = [each.name for each in load().settings() if "." in each.name]


@pytest.mark.parametrize("name", [name for name in NUMBERS if name.endswith("seconds")])
def test_a_time_longer_than_ten_years_is_refused_by_name(name: str) -> None:
    """Moments have a last one: a time beyond it would fail at the first request, not here."""
    with pytest.raises(ConfigError, match=f"{name} must be at most"):
        load(flags={name: "999999999999999"})
    limit = TEN_YEARS * (1000 if name.endswith("milliseconds") else 1)
    assert load(flags={name: limit})


@pytest.mark.parametrize("name", [name for name in NUMBERS if not name.endswith("seconds")])
def test_a_count_that_nothing_can_hold_is_refused_by_name(name: str) -> None:
    """Whatever is counted is compared with it in the database, too."""
    with pytest.raises(ConfigError, match=f"{name} must be at most"):
        load(flags={name: 10**19})


@pytest.mark.parametrize("name", NUMBERS)
def test_nothing_is_refused_where_it_has_no_meaning(name: str) -> None:
    """Without a thread to hash in, or a pause in a loop, the shop would start and stand still."""
    if name in MAY_BE_NOTHING:
        assert load(flags={name: 0})
        return
    with pytest.raises(ConfigError, match=f"{name} must be more than 0, not 0"):
        load(flags={name: 0})


def test_every_number_that_may_be_nothing_is_there() -> None:
    assert set(NUMBERS) >= MAY_BE_NOTHING
    told = "CATSHOP_OAUTH_HASHING_THREADS: oauth.hashing_threads must be more than 0, not '0'"
    with pytest.raises(ConfigError, match=told):
        load(environ={"CATSHOP_OAUTH_HASHING_THREADS": "0"})


@pytest.mark.parametrize("word", ["on", "true", "YES", "1"])
def test_a_switch_can_be_said_in_words(word: str) -> None:
    assert load(environ={"CATSHOP_TRACE": word}).trace is True


@pytest.mark.parametrize("word", ["off", "False", "no", "0"])
def test_a_switch_can_be_refused_in_words(word: str) -> None:
    assert load(environ={"CATSHOP_SIGNUP": word}).signup is False


def test_lists_paths_and_choices_come_from_text_and_from_toml_alike() -> None:
    text = 'allowed_hosts = ["a.example", "b.example"]\ncatalog = "cats.json"\nera = "modern"'
    environ = {
        "CATSHOP_ALLOWED_HOSTS": "a.example, b.example",
        "CATSHOP_CATALOG": "cats.json",
        "CATSHOP_ERA": "modern",
    }
    for config in (load(text=text), load(environ=environ)):
        assert config.allowed_hosts == ("a.example", "b.example")
        assert config.catalog == Path("cats.json")
        assert config.era is Era.MODERN


def test_the_key_lies_beside_the_database_unless_it_was_put_elsewhere() -> None:
    assert load().key_file == Path("catshop.db.key")
    assert load(flags={"database": "postgresql://db/shop"}).key_file == Path("catshop.key")
    assert load(flags={"secret_key_file": Path("/run/key")}).key_file == Path("/run/key")


def test_the_variables_that_say_who_calls_are_no_settings() -> None:
    assert load(environ={"CATSHOP_USER": "whiskers", "CATSHOP_TOKEN": "x"}) == load()


def test_the_file_is_read_where_it_was_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert from_process({}, {}).port == 8000
    Path("catshop.toml").write_text("port = 1", "utf-8")
    Path("other.toml").write_text("port = 2", "utf-8")
    assert from_process({"config": None}, {}).port == 1
    assert from_process({"config": "other.toml"}, {}).port == 2
    assert origin(from_process({}, {"CATSHOP_CONFIG": "other.toml"}), "port") == "other.toml:1"


def test_a_file_that_was_named_and_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read"):
        from_process({"config": tmp_path / "none.toml"}, {})


def test_the_profile_of_longer_lifetimes_in_the_docs_is_one() -> None:
    """OAuth 2.1 §4.1.2: a code for five minutes is still within the ten that are recommended."""
    page = (Path(__file__).parent.parent / "docs/howto/operations.md").read_text("utf-8")
    limits = load(text=page.partition("```toml\n")[2].partition("```")[0]).limits.oauth
    assert (limits.request_seconds, limits.code_seconds) == (600, 300)
    assert (limits.access_seconds, limits.refresh_seconds) == (3600, 86_400)


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        pytest.param({"upstream_issuer": "https://a.example"}, "needs upstream_client", id="whom"),
        pytest.param({"upstream_client": "shop"}, "needs upstream_issuer", id="where"),
        pytest.param({"upstream_secret_file": "f"}, "needs upstream_issuer and", id="neither"),
        pytest.param(
            {
                "upstream_issuer": "https://a.example",
                "upstream_client": "shop",
                "external_issuer": "https://a.example",
            },
            "taken from nobody",
            id="its-tokens-too",
        ),
    ],
)
def test_an_upstream_is_named_whole_and_its_tokens_are_not_taken(
    flags: dict[str, object], problem: str
) -> None:
    """MCP 2026-07-28 basic/authorization/security-considerations §confused-deputy-problem."""
    with pytest.raises(ConfigError, match=problem):
        load(flags=flags)
