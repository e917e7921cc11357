"""A cassette of 100 MB is not held in memory twice."""

import json
import subprocess
import sys
from textwrap import dedent
from typing import Any

import pytest

MEGABYTES = 100

READER = """
import json, re, sys
import dspy
from dspy_profiles.calls.cassettes import Cassette
from dspy_profiles.calls.cassettes._requests import key_of

def peak():
    with open("/proc/self/status") as status:  # what resource says begins with the parent's
        return int(re.search(r"VmHWM:\\s+(\\d+)", status.read())[1]) / 1000

before = peak()
cassette = Cassette(sys.argv[1], "none")
opened = peak()
request = {"model": "m", "messages": [{"role": "user", "content": "question 7"}]}
_, ordinal, (entry, place) = cassette.take(key_of("lm", request))
print(json.dumps([opened - before, peak() - before, len(str(entry.response(place)))]))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="has no such measure")
def test_one_of_100_megabytes_is_held_once(path: Any, tmp_path: Any) -> None:
    path.parent.mkdir()
    with path.open("w") as file:
        file.write('{"cassette":1}\n')
        for n in range(MEGABYTES * 10):
            messages = [{"role": "user", "content": f"question {n}"}]
            request = {"model": "m", "messages": messages}
            said = {"response": {"text": f"{n} " * (100_000 // len(f"{n} "))}}
            file.write(json.dumps({"kind": "lm", "request": request, "responses": [said]}) + "\n")
    assert path.stat().st_size > MEGABYTES * 0.98 * 1e6
    script = tmp_path / "read.py"
    script.write_text(dedent(READER))
    ran = subprocess.run([sys.executable, script, path], capture_output=True, text=True, check=True)
    opened, used, length = json.loads(ran.stdout)
    assert length > 90_000
    assert opened < MEGABYTES * 1.3, f"{opened} MB"
    assert used < MEGABYTES * 1.3, f"{used} MB"
