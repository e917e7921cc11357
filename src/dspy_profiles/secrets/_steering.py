"""Recognize variables that steer programs: a file sets them never, or only if it is trusted."""

import re
from fnmatch import fnmatchcase

__all__ = ["is_never_set", "needs_trust", "steers_profiles"]

STEERING = "DSPY_PROFILE"  # DSPY_PROFILE itself is read by name when a profile is chosen

# What is started, imported or read as the user's own by the programs that inherit them.
NEVER = (
    f"{STEERING}*",
    "BASHOPTS",
    "BASH_ENV",
    "BASH_FUNC_*",
    "DYLD_*",
    "ENV",
    "GCONV_PATH",
    "GIT_*",
    "HOME",
    "IFS",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "LD_*",
    "LESSCLOSE",
    "LESSOPEN",
    "NODE_OPTIONS",
    "NODE_PATH",
    "OPENSSL_*",
    "PATH",
    "PERL5*",
    "PROMPT_COMMAND",
    "PS4",
    "PYTEST_PLUGINS",
    "PYTHON*",
    "RUBYLIB",
    "RUBYOPT",
    "SHELL",
    "SHELLOPTS",
    "USERPROFILE",
    "XDG_*",
    "ZDOTDIR",
    "_JAVA_OPTIONS",
)
# Where requests go, whom they trust, which programs open, and caches that are unpickled.
TRUSTED_ONLY = (
    "*_API_BASE*",
    "*_API_HOST",
    "*_API_URL",
    "*_AUTHORITY_HOST",
    "*_AUTH_URL",
    "*_BASE_URL",
    "*_CA_BUNDLE",
    "*_ENDPOINT",
    "*_ENDPOINT_URL",
    "*_GATEWAY_URL",
    "*_IAM_URL",
    "*_METADATA_HOST",
    "*_METADATA_IP",
    "*_METADATA_ROOT",
    "*_PROXY",
    "*_TOKEN_URL",
    "*_TRACKING_URI",
    "AWS_CONFIG_FILE",
    "AWS_CONTAINER_*",
    "AWS_DATA_PATH",
    "AWS_ENDPOINT_URL_*",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AZURE_CERTIFICATE_PATH",
    "AZURE_FEDERATED_TOKEN_FILE",
    "BROWSER",
    "CHATGPT_AUTH_FILE",
    "CHATGPT_TOKEN_DIR",
    "CI",
    "CLOUDSDK_*",
    "DATABRICKS_HOST",
    "DENO_*",
    "DSPY_CACHEDIR",
    "EDITOR",
    "GITHUB_COPILOT_*_FILE",
    "GITHUB_COPILOT_*_URL",
    "GITHUB_COPILOT_TOKEN_DIR",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES",
    "HF_HOME",
    "HOSTALIASES",
    "LANGFUSE*_HOST",
    "LITELLM_MODEL_COST_MAP_URL",
    "LITELLM_OIDC_ALLOWED_CREDENTIAL_DIRS",
    "MPLBACKEND",
    "NETRC",
    "NODE_EXTRA_CA_CERTS",
    "NODE_TLS_REJECT_UNAUTHORIZED",
    "OLLAMA_HOST",
    "PAGER",
    "PGHOST*",
    "PGPASSFILE",
    "PGPORT",
    "PGSERVICE*",
    "PGSSL*",
    "PIP_*",
    "SSLKEYLOGFILE",
    "SSL_*",
    "UV_*",
    "VISUAL",
    "WANDB_HOST",
    "WATSONX_URL",
    "WML_URL",
    "WX_URL",
)
# Written into the name of a server, where "evil.example/" is another one.
PARTS_OF_ADDRESSES = ("*_ACCOUNT_ID", "*_LOCATION", "*_REGION", "*_REGION_NAME")
PLAIN = re.compile(r"[\w-]*")


def is_never_set(name: str) -> bool:
    """Return whether no file may set this variable, not even the user's own."""
    return _matches(name, NEVER)


def needs_trust(name: str, value: str = "") -> bool:
    """Return whether only the user's own file, or a trusted one, may set this variable."""
    is_part = _matches(name, PARTS_OF_ADDRESSES)
    return _matches(name, TRUSTED_ONLY) or (is_part and PLAIN.fullmatch(value) is None)


def steers_profiles(name: str) -> bool:
    """Return whether a variable would change which files are read; ignored without a word."""
    return name.upper().startswith(STEERING)


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    # Some libraries read http_proxy as well as HTTP_PROXY, and Windows knows no case.
    spelled = name.upper()
    return any(fnmatchcase(spelled, pattern) for pattern in patterns)
