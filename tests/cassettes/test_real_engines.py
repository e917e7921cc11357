"""DSPy's own engine, over a server on loopback that is gone when the cassette is replayed."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import dspy
import pytest

from dspy_profiles import _dspy
from dspy_profiles.activation import _stages as stages
from dspy_profiles.calls import Meter, Refused
from dspy_profiles.calls.cassettes import Cassette, scan, stages_for
from dspy_profiles.secrets import _redaction as redaction

DIFFERS = ("timestamp", "uuid", "replayed")  # each time, and with each replay
KEY = "sk-canary-0123456789abcdef"


@pytest.fixture
def server() -> Iterator[Any]:
    """OpenAI's chat; answers with what it was sent, key included, as a careless server would."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        statuses: ClassVar[list[int]] = []

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status = self.statuses.pop(0) if self.statuses else 200
            said = f"[[ ## answer ## ]]\nyou sent {self.headers['Authorization']}"
            body = {
                "id": f"chatcmpl-{id(asked)}",
                "object": "chat.completion",
                "created": id(asked),
                "model": f"{asked['model']}-2024-07-18",
                "service_tier": "default",
                "system_fingerprint": f"fp_{id(asked)}",
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": "stop",
                        "message": {"role": "assistant", "content": said},
                    }
                ],
                "usage": {"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010},
            }
            if status != 200:
                body = {"error": {"message": f"too many for {self.headers['Authorization']}"}}
            out = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(out)))
            self.send_header("Retry-After", "0")
            self.send_header("x-request-id", f"req_{id(asked)}")
            self.end_headers()
            self.wfile.write(out)

        def log_message(self, *_: Any) -> None:
            pass

    http: Any = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()

    def stop() -> None:
        http.shutdown()
        thread.join()
        http.server_close()

    http.url = f"http://127.0.0.1:{http.server_port}/v1"
    http.statuses = Handler.statuses
    http.stop = stop
    yield http
    if thread.is_alive():
        http.stop()


def seen(lm: Any, cassette: Any, ask: Any) -> Any:
    meter = Meter()
    stages.set_process_stages((meter, *stages_for(cassette)))
    try:
        with dspy.context(lm=lm), dspy.track_usage() as tracker:
            said = [ask("Why?"), ask("How?")]
    finally:
        stages.set_process_stages(())
        lm.close()
    history = [
        repr({k: v for k, v in entry.items() if k not in DIFFERS}) for entry in _dspy.history()
    ]
    _dspy.history().clear()
    return (said, history, tracker.get_total_tokens()), meter


def test_what_was_recorded_is_replayed_without_server_and_key(
    server: Any, path: Any, ask: Any
) -> None:
    redaction.remember(KEY, "${OPENAI_API_KEY}")
    server.statuses.append(429)
    recording = Cassette(path, "once")
    model = "openai/gpt-4o-mini"
    first, meter = seen(dspy.LM(model, api_key=KEY, api_base=server.url), recording, ask)
    recording.save()
    assert first[0][0] == "you sent Bearer ${OPENAI_API_KEY}"
    assert meter.so_far.calls == 3
    assert meter.so_far.cost > 0
    server.stop()
    for secret in (KEY, "chatcmpl", "fp_", "req_", "127.0.0.1"):
        assert secret not in path.read_text()
    assert scan(path) == []

    cassette = Cassette(path, "none")
    again, meter = seen(dspy.LM(model), cassette, ask)
    assert again == first
    assert "'cost': 0.0" in again[1][0]
    assert (meter.so_far.calls, meter.so_far.replayed, meter.so_far.cost) == (0, 3, 0.0)
    assert cassette.unused == []


def test_recorded_again_from_the_same_server_the_file_is_the_same(
    server: Any, path: Any, ask: Any
) -> None:
    files = []
    for _ in range(2):
        cassette = Cassette(path, "all")
        redaction.remember(KEY, "${OPENAI_API_KEY}")
        seen(dspy.LM("openai/gpt-4o-mini", api_key=KEY, api_base=server.url), cassette, ask)
        cassette.save()
        files.append(path.read_bytes())
    assert files[0] == files[1]


def test_a_miss_does_not_reach_the_network(server: Any, path: Any, ask: Any) -> None:
    lm = dspy.LM("openai/gpt-4o-mini", api_key=KEY, api_base=server.url)
    stages.set_process_stages(stages_for(Cassette(path, "none")))
    try:
        with dspy.context(lm=lm), pytest.raises(Refused):
            ask()
    finally:
        stages.set_process_stages(())
        lm.close()
