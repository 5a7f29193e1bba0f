"""Settings: which source wins, and what is said about a wrong one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ConfigError
from pipeline.models import builtin_catalogue, extended_catalogue
from pipeline.settings import Settings, api_key_from, load_settings


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def loaded(
    config: Path | None = None, *, env: dict[str, str] | None = None, sets: tuple[str, ...] = (), **overrides: Any
) -> Settings:
    return load_settings(
        config, environ=env or {}, assignments=sets, overrides={k.replace("__", "."): v for k, v in overrides.items()}
    )


# --- precedence --------------------------------------------------------------------------------------------------


def test_without_any_source_the_built_in_values_hold() -> None:
    settings = loaded()

    assert settings == Settings()
    assert (settings.api.provider, settings.submit.max_in_flight, settings.output.template) == (
        "local",
        "auto",
        "{id}.mp4",
    )
    assert settings.assets.delivery == "inline"
    assert settings.budget.max_usd is None


def test_each_later_source_overrides_the_earlier(config: Path) -> None:
    config.write_text(
        "submit: {max_in_flight: 1, requests_per_minute: 11}\npoll: {interval_s: 21}\nretry: {attempts: 31}\n"
    )
    env = {"AVATAR_BATCH__SUBMIT__MAX_IN_FLIGHT": "2", "AVATAR_BATCH__POLL__INTERVAL_S": "22"}

    settings = loaded(config, env=env, sets=("submit.max_in_flight=3",), submit__max_in_flight=4)

    assert (settings.submit.max_in_flight, settings.submit.requests_per_minute) == (4, 11)
    assert (settings.poll.interval_s, settings.retry.attempts) == (22, 31)
    assert loaded(config, env=env, sets=("submit.max_in_flight=3",)).submit.max_in_flight == 3
    assert loaded(config, env=env).submit.max_in_flight == 2
    assert loaded(config).submit.max_in_flight == 1


def test_the_last_of_two_assignments_wins() -> None:
    assert loaded(sets=("poll.interval_s=1", "poll.interval_s=2")).poll.interval_s == 2


def test_options_that_were_not_given_override_nothing() -> None:
    assert loaded(sets=("budget.max_usd=5",), budget__max_usd=None).budget.max_usd == 5


def test_an_empty_variable_is_not_given_and_others_are_not_ours() -> None:
    env = {
        "AVATAR_BATCH__POLL__INTERVAL_S": "",
        "AVATAR_BATCH_POLL": "x",
        "PATH": "/bin",
        "avatar_batch__poll__interval_s": "3",
    }

    assert loaded(env=env) == Settings()


def test_an_empty_config_and_empty_sections_change_nothing(config: Path) -> None:
    for text in ("", "# nothing\n", "api:\nmodels:\n", "{}\n", "\ufeffapi:\n"):
        config.write_text(text, encoding="utf-8")
        assert loaded(config) == Settings()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("output.template={meta_lang}/{id}.mp4", "{meta_lang}/{id}.mp4"),
        ("output.template=a=b.mp4", "a=b.mp4"),
        (" output.template = x.mp4 ", "x.mp4"),
    ],
)
def test_a_template_with_braces_stays_the_text_it_is(text: str, value: str) -> None:
    assert loaded(sets=(text,)).output.template == value
    assert loaded(env={"AVATAR_BATCH__OUTPUT__TEMPLATE": value}).output.template == value


def test_values_are_typed_whatever_they_come_from() -> None:
    sets = (
        "studio.strict=true",
        "budget.max_usd=null",
        "poll.give_up_after_s=10",
        "submit.max_in_flight=auto",
        "studio.workers=2",
    )

    settings = loaded(sets=sets)

    assert settings.studio.strict is True
    assert settings.budget.max_usd is None
    assert settings.poll.give_up_after_s == 10.0
    assert (settings.submit.max_in_flight, settings.studio.workers) == ("auto", 2)


@pytest.mark.parametrize(
    "text", ["12345678", "010", "1:30", "yes", "null", "~", "1e3", "0x10", "2026-01-01", "<<", "[x"]
)
def test_a_text_setting_is_the_text_as_it_stands(config: Path, text: str) -> None:
    assert loaded(env={"AVATAR_BATCH__NOTIFY__SECRET": text}).notify.secret == text
    assert loaded(sets=(f"notify.secret={text}",)).notify.secret == text
    config.write_text(f"notify: {{secret: '{text}'}}\n")
    assert loaded(config).notify.secret == text
    if text not in {"null", "~", "<<", "[x"}:
        config.write_text(f"notify:\n  secret: {text}  # without quotes\n")
        assert loaded(config).notify.secret == text


def test_a_text_setting_without_a_value_is_its_default(config: Path) -> None:
    for nothing in ("", "null", "~"):
        config.write_text(f"output:\n  template: {nothing}\n")
        assert loaded(config) == Settings()
    assert loaded(sets=("notify.url=",)).notify.url == ""


@pytest.mark.parametrize(
    "url", ["ftp://h/x", "file:///etc/passwd", "h/hook", "https://", "http://h:99999/", "mailto:a@b"]
)
def test_an_address_to_tell_is_one_of_the_web(url: str) -> None:
    with pytest.raises(ConfigError, match=r"^notify\.url isn't an http\(s\) URL: give one such as https://"):
        loaded(sets=(f"notify.url={url}",))
    assert loaded(sets=("notify.url=https://h:8443/hook?key=1",)).notify.url


@pytest.mark.parametrize(
    ("text", "value"),
    [("010", 10.0), ("1_000", 1000.0), ("1e3", 1000.0), ("+.5", 0.5), ("90.", 90.0), ("08", 8.0)],
)
def test_numbers_are_read_as_people_write_them(config: Path, text: str, value: float) -> None:
    config.write_text(f"poll: {{give_up_after_s: {text}}}\n")
    assert loaded(config).poll.give_up_after_s == value
    assert loaded(sets=(f"poll.give_up_after_s={text}",)).poll.give_up_after_s == value


# --- what is said about a wrong one ------------------------------------------------------------------------------

WRONG = [
    ("api.provider", "azure"), ("api.timeout_s", "0"), ("api.timeout_s", "-1"), ("api.timeout_s", "soon"), ("api.timeout_s", ".nan"), ("api.timeout_s", ".inf"),
    ("submit.max_in_flight", "0"), ("submit.max_in_flight", "many"), ("submit.max_in_flight", "1.5"), ("submit.requests_per_minute", "-1"),
    ("poll.strategy", "often"), ("poll.interval_s", "0"), ("retry.attempts", "0"), ("reconcile.interval_s", "0"), ("download.concurrency", "0"),
    ("download.max_bytes", "0"), ("assets.delivery", "upload"), ("studio.workers", "-1"), ("studio.quality", "best"), ("studio.strict", "maybe"),
    ("budget.max_usd", "-0.01"), ("budget.max_usd", ".nan"), ("poll.interval_s", "1:30"), ("studio.workers", "yes"), ("retry.attempts", "0x10"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), WRONG)
def test_a_wrong_value_names_its_source_and_its_key(config: Path, key: str, value: str) -> None:
    section, _, name = key.partition(".")
    config.write_text(f"{section}:\n  {name}: {value}\n")
    variable = f"AVATAR_BATCH__{section}__{name}".upper()

    calls: dict[str, Callable[[], Settings]] = {
        str(config): lambda: loaded(config),
        "environment": lambda: loaded(env={variable: value}),
        "--set": lambda: loaded(sets=(f"{key}={value}",)),
    }
    for source, call in calls.items():
        with pytest.raises(ConfigError) as caught:
            call()
        assert str(caught.value).startswith(f"{source}: {key}: "), str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("api.provider", "azure", "expected aimlapi or local, got azure"),
        ("submit.max_in_flight", "many", "expected auto or a whole number from 1 up to 1,000,000, got many"),
        ("poll.interval_s", "0", "expected a number above 0 up to 1,000,000,000, got 0"),
        ("budget.max_usd", "much", "expected null or a number from 0 up to 1,000,000,000, got much"),
        ("studio.strict", "maybe", "expected true or false, got maybe"),
    ],
)
def test_a_wrong_value_is_told_what_may_stand_there(key: str, value: str, kind: str) -> None:
    with pytest.raises(ConfigError, match=f"--set: {key}: {kind}"):
        loaded(sets=(f"{key}={value}",))


def test_a_secret_that_is_no_text_is_not_shown(config: Path) -> None:
    config.write_text("notify: {secret: [hush]}\n")
    with pytest.raises(ConfigError, match=r"notify\.secret: expected text") as caught:
        loaded(config)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "poll: {interval_s: 1}\napi: {}\npoll: {interval_s: 2}\n",
            ":3: poll: stands twice (first on line 1): keep one",
        ),
        ("poll:\n  interval_s: 1\n  interval_s: 2\n", ":3: interval_s: stands twice (first on line 2): keep one"),
        ("models:\n  a/b: {fps: 1}\n  a/b: {fps: 2}\n", ":3: a/b: stands twice (first on line 2): keep one"),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_its_line(config: Path, text: str, words: str) -> None:
    config.write_text(text)
    with pytest.raises(ConfigError) as caught:
        loaded(config)
    assert str(caught.value) == f"{config}{words}"


def test_a_merge_key_may_be_overridden(config: Path) -> None:
    config.write_text("poll: &slow {interval_s: 9, expected_s: 3}\nretry: {<<: {base_s: 2}, base_s: 4}\n")
    assert (loaded(config).poll.interval_s, loaded(config).retry.base_s) == (9, 4)


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("submit.max_inflight", "did you mean submit.max_in_flight?"), ("sumbit.max_in_flight", "did you mean submit?"),
        ("qqq.x", "known: api, submit"), ("api.qqq", "known: api.provider, api.base_url, api.timeout_s"),
        ("submit", "expected section.key, such as submit.max_in_flight"), ("submit.a.b", "expected section.key"),
        ("models.x.price_usd_per_s", "models are described in a config file"), ("", ""), ("__class__.x", "no such setting"),
    ],
)  # fmt: skip
def test_an_unknown_key_names_its_source_and_what_was_meant(key: str, hint: str) -> None:
    calls: dict[str, Callable[[], Settings]] = {
        "--set": lambda: loaded(sets=(f"{key}=1",)),
        "option": lambda: load_settings(environ={}, overrides={key: 1}),
    }
    for source, call in calls.items():
        with pytest.raises(ConfigError) as caught:
            call()
        assert str(caught.value).startswith(source)
        assert hint in str(caught.value)


def test_an_unknown_variable_of_ours_is_an_error_and_not_a_surprise() -> None:
    with pytest.raises(
        ConfigError, match=r"environment: poll\.intervall_s: no such setting; did you mean poll\.interval_s\?"
    ):
        loaded(env={"AVATAR_BATCH__POLL__INTERVALL_S": "3"})


@pytest.mark.parametrize("text", ["submit.max_in_flight", "=3", " =3", ""])
def test_an_assignment_without_both_sides_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="expected KEY=VALUE"):
        loaded(sets=(text,))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"- a\n", "expected sections"), (b"hello\n", "expected sections"), (b"api: [\n", ":2: isn't valid YAML"), (b"a: b: c\n", ":1: isn't valid YAML"),
        (b"api: {provider: caf\xe9}\n", "isn't UTF-8"), (b"\xff\xfea\x00", "isn't UTF-8"), (b"a: !!python/name:os.system\n", "isn't valid YAML"),
        (b"api: \x00\n", "isn't valid YAML"), (b"? [a]\n: b\n", "isn't valid YAML"), (b"api: 3\n", "api: expected section.key"),
        (b"7: {a: b}\n", "no such setting"), (b"[" * 5000, "isn't valid YAML"),
    ],
)  # fmt: skip
def test_a_config_that_can_not_be_read_is_one_clear_line(config: Path, content: bytes, words: str) -> None:
    config.write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        loaded(config)

    assert str(caught.value).startswith(str(config))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_config_that_is_not_there_says_so(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.yaml", tmp_path):
        with pytest.raises(ConfigError, match=r"can't be read .*: check --config"):
            loaded(path)


# --- what must fit together --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["https://api.example.com", "http://127.0.0.1:8765", "http://[::1]:8765/base", "https://h/v2"]
)
def test_a_base_url_is_http(url: str) -> None:
    assert loaded(sets=("api.provider=aimlapi", f"api.base_url={url}")).api.base_url == url


@pytest.mark.parametrize(
    "url",
    [
        "api.example.com",
        "ftp://h",
        "file:///etc",
        "http://",
        "https:///x",
        "http://me:secret@h",
        "http://h?x=1",
        "http://h#x",
        "http://[h",
        "http://h:port",
    ],
)
def test_another_base_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"api\.base_url") as caught:
        loaded(sets=("api.provider=aimlapi", f"api.base_url={url}"))

    assert "secret" not in str(caught.value)


def test_a_base_url_for_a_local_run_is_a_contradiction() -> None:
    with pytest.raises(
        ConfigError, match=r"api\.base_url is set, but api\.provider is local.*--set api\.provider=aimlapi"
    ):
        loaded(sets=("api.base_url=http://h",))


def test_the_longest_backoff_is_not_shorter_than_the_first() -> None:
    with pytest.raises(ConfigError, match=r"retry\.max_s is smaller than retry\.base_s"):
        loaded(sets=("retry.base_s=10", "retry.max_s=5"))


@given(
    st.lists(st.text(st.characters(codec="utf-8"), max_size=20), max_size=3),
    st.dictionaries(
        st.sampled_from(["POLL__INTERVAL_S", "API__BASE_URL", "X", "API"]), st.text(max_size=10), max_size=2
    ),
)
def test_no_words_give_anything_but_settings_or_a_clear_line(sets: list[str], env: dict[str, str]) -> None:
    try:
        settings = load_settings(
            environ={f"AVATAR_BATCH__{name}": text for name, text in env.items()}, assignments=sets
        )
    except ConfigError:
        return
    assert isinstance(settings, Settings)


# --- keys --------------------------------------------------------------------------------------------------------


def test_the_key_comes_from_the_variables_that_users_already_set_in_their_order() -> None:
    env = {"AIMLAPI_KEY": "third", "AIML_API_KEY": "second", "AIMLAPI_API_KEY": "first"}

    for expected in ("first", "second", "third"):
        assert api_key_from(env) == expected
        env.pop(next(name for name, key in env.items() if key == expected))
    assert api_key_from(env) == ""


def test_an_empty_key_is_passed_over_and_a_pasted_line_end_is_forgiven() -> None:
    assert api_key_from({"AIMLAPI_API_KEY": "  ", "AIML_API_KEY": " sk-1\n"}) == "sk-1"


@pytest.mark.parametrize("key", ["sk 1", "sk\n1", "sk\x001", "schlüssel", "sk\u200b1"])
def test_a_key_that_can_be_none_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(ConfigError, match="AIML_API_KEY holds white space or characters that no key has") as caught:
        api_key_from({"AIML_API_KEY": key})

    assert key not in str(caught.value)


# --- models ------------------------------------------------------------------------------------------------------


def test_the_catalogue_holds_the_documented_models() -> None:
    catalogue = builtin_catalogue()

    pro = catalogue["klingai/avatar-pro"]
    assert (pro.width, pro.height, pro.fps, pro.prompt_max_chars) == (1920, 1080, 48, 2500)
    assert pro.price_usd(5.0) == pytest.approx(1_207_500 / 2_000_000)
    assert (catalogue["klingai/avatar-standard"].height, catalogue["klingai/avatar-standard"].fps) == (720, 24)
    for name in ("bytedance/omnihuman", "bytedance/omnihuman/v1.5", "veed/fabric-1.0", "veed/fabric-1.0-fast"):
        assert catalogue[name].prompt_max_chars == 0
        assert catalogue[name].voice.max_s == 30
    assert catalogue["veed/fabric-1.0"].options == {"resolution": ("480p", "720p")}


def test_a_config_changes_single_values_and_adds_models(config: Path) -> None:
    config.write_text(
        "models:\n  klingai/avatar-pro: {price_usd_per_s: 0.2, voice: {max_s: 60}}\n  me/new-1.0: {fps: null, options: {seed: [1, 2]}}\n"
    )

    catalogue = loaded(config).catalogue

    assert catalogue["klingai/avatar-pro"].price_usd_per_s == 0.2
    assert (catalogue["klingai/avatar-pro"].voice.max_s, catalogue["klingai/avatar-pro"].voice.min_s) == (60, 2)
    assert (catalogue["me/new-1.0"].name, catalogue["me/new-1.0"].fps, catalogue["me/new-1.0"].height) == (
        "me/new-1.0",
        None,
        1080,
    )
    assert builtin_catalogue()["klingai/avatar-pro"].voice.max_s == 300


@pytest.mark.parametrize(
    "change",
    [
        3,
        None,
        [],
        {"price_usd_per_s": -1},
        {"price_usd_per_s": "much"},
        {"colour": "red"},
        {"picture": 3},
        {"picture": {"formats": "png"}},
        {"voice": {"max": 3}},
    ],
)
def test_a_model_that_can_not_be_names_its_key(change: Any) -> None:
    with pytest.raises(ConfigError, match=r"^models\.me/new: "):
        extended_catalogue({"me/new": change})


def test_a_model_that_can_not_be_names_the_config(config: Path) -> None:
    config.write_text("models:\n  me/new: {fps: fast}\n")

    with pytest.raises(ConfigError, match=r"models\.me/new: ") as caught:
        loaded(config)

    assert str(config) in str(caught.value)
