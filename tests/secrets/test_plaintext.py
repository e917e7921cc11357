"""A secret in clear is refused, wherever it stands; what only looks like one is not."""

from typing import Any

import pytest

from dspy_profiles.errors import PlaintextSecret
from dspy_profiles.profiles import Scene, choose, resolve, resolve_choice
from dspy_profiles.secrets import Secret, redact
from dspy_profiles.secrets._names import SECRET_KEYS

SK = "sk-canary-0123456789"


def refused(write: Any, text: Any) -> Any:
    path = write("profiles.toml", text)
    with pytest.raises(PlaintextSecret) as error:
        resolve("p")
    assert error.value.exit_code == 5
    assert SK not in str(error.value)
    return path, error.value


@pytest.mark.parametrize("key", [pattern.replace("*", "my") for pattern in SECRET_KEYS])
def test_under_each_kind_of_name(write: Any, key: Any) -> None:
    path, error = refused(write, f'[p.lm]\nmodel = "m"\n{key} = "{SK}"\n')
    assert error.message == f'profile "p": lm.{key} is a plaintext secret'
    assert str(error.where) == f"{path}:3"


@pytest.mark.parametrize(
    "key", ["API_KEY", "Api-Key", "apiKey", "X-Api-Key", "x-goog-api-key", "accessToken", "Token"]
)
def test_under_each_spelling_of_a_name(write: Any, key: Any) -> None:
    refused(write, f'[p.lm]\n{key} = "{SK}"\n')


@pytest.mark.parametrize(
    "body",
    [
        f'lm.api_keys = ["${{OK}}", "{SK}"]',
        f'lm.api_keys = [["{SK}"]]',
        f'lm.hosts = [{{ url = "u", api_key = "{SK}" }}]',
        f'lm.x = [[{{ deep = {{ api_key = "{SK}" }} }}]]',
        f'lm.api_keys = {{ first = "{SK}" }}',
        f'lm.extra_headers.Authorization = "Bearer {SK}"',
        f'lm.extra_headers = {{ authorization = "{SK}" }}',
        f'lm.extra_headers.Proxy-Authorization = "Basic {SK}"',
        f'lm.api_key = "${{KEY:-{SK}}}"',
        f'lm.api_key = "{SK}${{KEY}}"',
        f'lm.api_key = "$${{{SK}"',
        f'lm.api_key = "env:{SK}"',
        f'lm.api_key = "vault:{SK}"',
        f'env.OPENAI_API_KEY = "{SK}"',
        f'rm.token = "{SK}"',
        f'adapter.password = "{SK}"',
        f'provider.auth.client_secret = "{SK}"',
        f'settings.x.secret = "{SK}"',
        f'lms.teacher.api_key = "{SK}"',
        f'embedder.api_key = "{SK}"',
        "lm.password = 12345678",
    ],
)
def test_in_every_section_and_shape(write: Any, body: Any) -> None:
    path, error = refused(write, f"[p]\n{body}\n")
    assert str(error.where) == f"{path}:2"


def test_a_role_that_is_called_like_a_secret_is_none(write: Any) -> None:
    write("profiles.toml", '[p.lms.token]\nmodel = "openai/gpt"\n')
    assert resolve("p").lms["token"]["model"] == "openai/gpt"


@pytest.mark.parametrize(
    "line",
    [
        *(
            f'api_key = "{filler}"'
            for filler in (
                "",
                " ",
                "none",
                "None",
                "EMPTY",
                "dummy",
                "ollama",
                "not-needed",
                "sk-no-key-required",
                "${KEY}",
                "${KEY:-dummy}",
                "${KEY:-}",
                "Bearer ${KEY}",
                "env:KEY",
                "file:/run/secrets/x",
                "keyring:service/user",
            )
        ),
        "max_tokens = 100",
        'max_tokens = "100"',
        'token_path = "/x/y"',
        'private_key_path = "/x/y"',
        'eos_token = "</s>"',
        "input_cost_per_token = 0.001",
        'input_cost_per_token = "0.001"',
        "use_token = true",
        "token = 0.5",
        'model = "sk-looks-like-one-and-stands-elsewhere"',
        'keys = "x"',
        'tokens = "many"',
        'tokenizer = "x"',
        'secretary = "Anna"',
    ],
)
def test_what_is_no_secret_passes(write: Any, line: Any) -> None:
    write("profiles.toml", f"[p.lm]\n{line}\n")
    assert resolve("p").name == "p"


def test_not_secret_takes_a_key_from_the_list(write: Any) -> None:
    write("pyproject.toml", '[tool.dspy-profiles]\nnot-secret = ["my-token", "pub*"]\n')
    write("profiles.toml", '[p.lm]\nmy_token = "plain"\npublic_token = "plain"\n')
    assert resolve("p").lm["my_token"] == "plain"
    refused(write, f'[p.lm]\nmy_token = "plain"\nother_token = "{SK}"\n')


@pytest.mark.parametrize("key", ["license", "acme_id", "ACME-ID", "x_acme_y"])
def test_secret_keys_put_a_key_on_the_list(write: Any, key: Any) -> None:
    pyproject = '[tool.dspy-profiles]\nsecret-keys = ["License", "acme-*", "x_*_y"]\n'
    write("pyproject.toml", pyproject)
    refused(write, f'[p.lm]\n{key} = "{SK}"\n')


def test_the_hint_shows_what_to_write(write: Any) -> None:
    _, error = refused(write, f'[p.lm.extra_headers]\nx-api-key = "{SK}"\n')
    assert error.hint == "run dspy-profiles secrets move, or add x-api-key to not-secret"
    with pytest.raises(PlaintextSecret) as caught:
        resolve("mock", lm={"password": f"${{MY_PASSWORD:-{SK}}}"})
    assert caught.value.hint is not None
    assert 'password = "${MY_PASSWORD}"' in caught.value.hint


def test_several_are_told_at_once(write: Any) -> None:
    path, error = refused(
        write, f'[p.lm]\napi_key = "{SK}"\n[p.rm]\ntoken = "{SK}"\n[p.env]\nX_TOKEN = "{SK}"\n'
    )
    assert f"rm.token at {path}:4" in error.message
    assert f"env.X_TOKEN at {path}:6" in error.message


def test_one_that_is_inherited_is_told_where_it_stands(home: Any, write: Any) -> None:
    user = write(home / ".dspy/profiles.toml", f'[base.lm]\napi_key = "{SK}"\n')
    _, error = refused(write, "[p]\nextends = 'base'\n")
    assert str(error.where) == f"{user}:2"


def test_one_that_is_overridden_in_the_file_harms_nobody(write: Any) -> None:
    write(
        "profiles.toml",
        f'[base.lm]\napi_key = "{SK}"\n[p]\nextends = "base"\nlm.api_key = "${{K}}"\n',
    )
    assert resolve("p").lm["api_key"] == "${K}"


def test_reading_commands_may_have_it_masked(write: Any) -> None:
    write(
        "profiles.toml",
        f'[p.lm]\napi_key = "{SK}"\nx = [{{ token = "{SK}" }}]\npassword = 12345678\n'
        f'extra_headers.Authorization = "Bearer {SK}-2"\nsecret = "${{K:-{SK}}}"\n',
    )
    scene = Scene.now()
    found = resolve_choice(scene, choose(scene, "p"), allow_plaintext=True)
    assert SK not in repr(found)
    assert "12345678" not in repr(found)
    assert isinstance(found.lm["api_key"], Secret)
    assert str(found.lm["api_key"]) == "********"
    assert found.secret_keys == {
        ("lm", "api_key"),
        ("lm", "x", "token"),
        ("lm", "password"),
        ("lm", "extra_headers", "Authorization"),
        ("lm", "secret"),
    }
    assert redact(f"{SK}-2 and {SK}") == "******** and ********"


@pytest.mark.parametrize("value", [[SK], (SK,), {"first": SK}, [{"x": SK}], f"Bearer {SK}", SK])
def test_python_may_hand_one_over_and_it_is_masked(project: Any, value: Any) -> None:
    found = resolve("mock", lm={"api_keys": value})
    assert SK not in repr(found)
    assert redact(f"x {SK} y") == "x ******** y"


def test_a_fallback_in_clear_is_refused_from_python_too(project: Any) -> None:
    with pytest.raises(PlaintextSecret) as error:
        resolve("mock", lm={"api_key": f"${{KEY:-{SK}}}"})
    assert SK not in str(error.value)


def test_the_hint_names_the_command_that_moves_a_secret(write: Any) -> None:
    write("profiles.toml", '[p.lm]\nmodel = "openai/x"\napi_key = "sk-in-clear-1"\n')
    with pytest.raises(PlaintextSecret) as error:
        resolve("p")
    assert "dspy-profiles secrets move" in str(error.value)
