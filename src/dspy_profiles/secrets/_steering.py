"""Recognize variables that steer programs: a file sets them never, or only if it is trusted."""

from fnmatch import fnmatchcase

__all__ = ["is_never_set", "needs_trust", "steers_profiles"]

STEERING = "DSPY_PROFILE"  # DSPY_PROFILE itself is read by name when a profile is chosen

# What is started, imported or read as the user's own by the programs that inherit them.
NEVER = (
    f"{STEERING}*",
    "BASH_ENV",
    "BASH_FUNC_*",
    "DYLD_*",
    "ENV",
    "GIT_*",
    "HOME",
    "IFS",
    "LD_*",
    "NODE_OPTIONS",
    "OPENSSL_CONF",
    "PATH",
    "PERL5LIB",
    "PERL5OPT",
    "PYTHON*",
    "RUBYOPT",
    "SHELL",
    "USERPROFILE",
    "XDG_*",
    "ZDOTDIR",
)
# Where requests go, whom they trust, which programs open, and caches that are unpickled.
TRUSTED_ONLY = (
    "*_API_BASE",
    "*_API_HOST",
    "*_API_URL",
    "*_BASE_URL",
    "*_CA_BUNDLE",
    "*_ENDPOINT",
    "*_ENDPOINT_URL",
    "*_PROXY",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "BROWSER",
    "CI",
    "DSPY_CACHEDIR",
    "EDITOR",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "HF_HOME",
    "OLLAMA_HOST",
    "PAGER",
    "PGHOST*",
    "PGPASSFILE",
    "PGPORT",
    "PGSERVICE*",
    "PGSSL*",
    "SSLKEYLOGFILE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "VISUAL",
)


def is_never_set(name: str) -> bool:
    """Return whether no file may set this variable, not even the user's own."""
    return _matches(name, NEVER)


def needs_trust(name: str) -> bool:
    """Return whether only the user's own file, or a trusted one, may set this variable."""
    return _matches(name, TRUSTED_ONLY)


def steers_profiles(name: str) -> bool:
    """Return whether a variable would change which files are read; ignored without a word."""
    return name.upper().startswith(STEERING)


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    # Some libraries read http_proxy as well as HTTP_PROXY, and Windows knows no case.
    spelled = name.upper()
    return any(fnmatchcase(spelled, pattern) for pattern in patterns)
