"""Our own package as a wheel, made of the files that are running. An index has another program."""

import base64
import hashlib
import importlib.util
import zipfile
from collections.abc import Iterator, Sequence
from functools import cached_property
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from dspy_profiles.versions._uv import NoEnvironment

__all__ = ["DISTRIBUTION", "OwnWheel"]

DISTRIBUTION = "dspy-profiles"
PACKAGES = ("dspy_profiles", "pytest_dspy_profiles", "dspy_profiles_ipython")
# The extras that are in use here, each with a module that it brings.
EXTRAS = {"pytest": "pytest", "keyring": "keyring", "sql": "sqlalchemy", "postgres": "psycopg"}
WHEEL = "Wheel-Version: 1.0\nGenerator: dspy-profiles\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the same content makes the same file


class OwnWheel:
    """The package that is running, ready to be installed elsewhere."""

    @cached_property
    def _entries(self) -> Sequence[tuple[str, bytes]]:
        return sorted([*_code(), *self._metadata()])

    @cached_property
    def digest(self) -> str:
        """A hash of the content."""
        summed = hashlib.sha256()
        for name, content in self._entries:
            summed.update(f"{name}\0{len(content)}\0".encode())
            summed.update(content)
        return summed.hexdigest()

    def requirement(self, wheel: Path, *, with_pytest: bool) -> str:
        """Return the requirement that installs it, with the extras that are installed here."""
        extras = [name for name, module in EXTRAS.items() if importlib.util.find_spec(module)]
        if with_pytest and "pytest" not in extras:
            extras.append("pytest")
        named = f"[{','.join(sorted(extras))}]" if extras else ""
        return f"{DISTRIBUTION}{named} @ {wheel.as_uri()}"

    def write(self, folder: Path) -> Path:
        """Write the wheel into a folder and return its path."""
        path = folder / f"{self._stem}-py3-none-any.whl"
        rows = []
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
            for name, content in self._entries:
                file.writestr(zipfile.ZipInfo(name, EPOCH), content)
                hashed = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
                rows.append(f"{name},sha256={hashed.decode()},{len(content)}\n")
            record = f"{self._stem}.dist-info/RECORD"
            file.writestr(zipfile.ZipInfo(record, EPOCH), "".join([*rows, f"{record},,\n"]))
        return path

    @cached_property
    def _distribution(self) -> Distribution:
        try:
            return distribution(DISTRIBUTION)
        except PackageNotFoundError:
            raise NoEnvironment(
                f"{DISTRIBUTION} is not installed here, so it cannot be installed elsewhere",
                hint="install it into the environment that runs this command",
            ) from None

    @property
    def _stem(self) -> str:
        return f"{DISTRIBUTION.replace('-', '_')}-{self._distribution.version}"

    def _metadata(self) -> Iterator[tuple[str, bytes]]:
        yield f"{self._stem}.dist-info/WHEEL", WHEEL.encode()
        for name in ("METADATA", "entry_points.txt"):
            text = self._distribution.read_text(name) or ""
            yield f"{self._stem}.dist-info/{name}", text.encode()


def _code() -> Iterator[tuple[str, bytes]]:
    """Yield the files of our packages, from where they are imported here."""
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        for folder in () if spec is None else spec.submodule_search_locations or ():
            for path in sorted(Path(folder).rglob("*")):
                parts = path.relative_to(folder).parts
                if path.is_file() and "__pycache__" not in parts:
                    yield "/".join((package, *parts)), path.read_bytes()
