"""A planted key is found nowhere: not in files, output, logs, command lines or environments, whatever goes wrong."""

from __future__ import annotations

import logging
import os
import pickle
import subprocess
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.errors import AgentError
from agent.link.answer_text import forms_of
from agent.link.flow import prove_key, stage_key
from agent.link.paste import check_shape
from agent.link.record import fingerprint_of
from agent.settings import Secret
from tests.link.test_flow import BASIC, NOW, request_for
from tests.link.test_record import make_link_folder
from tests.support.cloud import KEY, ROOT, Receiver, receiver
from tests.support.command import Finished
from tests.support.linking import Installation

# Characters that percent-encoding and both base64 alphabets treat differently, so that every form is distinct.
PLANTED = Secret("PLANTED+canary/key~00==._-" + "q7w8e9r0" * 4)
LEAST = 12  # characters of a form that count as a find


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A receiver that knows the planted key."""
    with receiver(tmp_path_factory.mktemp("receiver")) as running:
        (running.folder / "keys.txt").write_text(PLANTED.reveal() + "\n")
        yield running


@pytest.fixture
def agent(tmp_path: Path, cloud: Receiver) -> Installation:
    """A fresh installation; the receiver behaves."""
    cloud.control()
    return Installation(tmp_path / "host", cloud)


def finds(content: bytes, secret: Secret = PLANTED) -> list[str]:
    """Which forms of the key, or long pieces of its text, are in the content."""
    text = content.decode("latin-1")
    key = secret.reveal()
    pieces = [key[at : at + LEAST] for at in range(len(key) - LEAST + 1)]
    return [form for form in [*forms_of(secret), *pieces] if form in text]


def check(agent: Installation, *runs: Finished) -> None:
    """No file of the installation and no output holds the key."""
    for path in agent.files():
        assert finds(path.read_bytes()) == [], path
    for run in runs:
        assert finds(run.text.encode()) == []


def test_the_search_finds_what_it_should() -> None:
    """The search itself finds the key in each form, alone and inside other text; else the tests below prove nothing."""
    import base64
    from urllib.parse import quote

    raw = PLANTED.reveal().encode()
    for leak in (raw, raw[5:30], raw.hex().encode(), quote(raw, safe="").encode()):
        assert finds(b"before " + leak + b" after")
    for prefix in (b"", b"x", b"xy", b"Bearer "):
        assert finds(base64.b64encode(prefix + raw + b"tail"))
        assert finds(base64.urlsafe_b64encode(prefix + raw + b"tail"))
    assert not finds(b"nothing here")


def test_linking_leaves_the_key_nowhere(agent: Installation) -> None:
    """After linking, changing consent and unlinking no file or output ever held the key, at debug level."""
    linked = agent.run("link", "--consent", "extended", given=PLANTED.reveal())
    assert linked.code == 0, linked.text
    check(agent, linked)
    lowered = agent.run("consent", "set", "basic")
    shown = agent.run("consent", "show", "--json")
    check(agent, lowered, shown)
    check(agent, agent.run("unlink", "--yes"))


def test_typed_key_is_not_on_the_screen(agent: Installation) -> None:
    """Typed at a terminal the key is neither echoed nor printed."""
    answers = [("Agree that", "y"), ("Security key (hidden", PLANTED.reveal())]
    done = agent.type("link", "--consent", "basic", answers=answers)
    assert done.code == 0, done.text
    check(agent, done)


MODES = ["401", "403", "404", "409", "422", "429", "500", "redirect", "html200", "empty200", "deep_json", "reset_mid"]


@pytest.mark.parametrize("mode", MODES)
def test_forced_errors_do_not_show_the_key(agent: Installation, cloud: Receiver, mode: str) -> None:
    """Whatever the cloud answers, neither message nor file holds the key."""
    cloud.control(mode=mode, calls=["link"])
    done = agent.run("link", "--consent", "basic", given=PLANTED.reveal())
    assert done.code != 0
    assert "Traceback" not in done.text
    check(agent, done)


@pytest.mark.parametrize("fault", ["state-file", "shared-home", "master-folder", "config"])
def test_local_faults_do_not_show_the_key(agent: Installation, fault: str) -> None:
    """A state folder, shared home or configuration that cannot be used costs the link, never the key."""
    if fault == "state-file":
        (agent.state_dir / "agent.sqlite3").write_bytes(b"not a database" * 100)
    elif fault == "shared-home":
        agent.link_dir.chmod(0o777)
    elif fault == "master-folder":
        (agent.link_dir / "keys" / "master.key").mkdir()
    else:
        agent.config.write_text(agent.config.read_text() + "[cloud\n")
    done = agent.run("link", "--consent", "basic", given=PLANTED.reveal())
    assert done.code != 0
    assert "Traceback" not in done.text
    check(agent, done)


def test_misshapen_paste_is_not_shown(agent: Installation) -> None:
    """A paste with a line break, other bytes or a prefix is refused without showing any of it."""
    key = PLANTED.reveal()
    for given in (f"{key}\n{key}", f"Bearer {key}", f"{key}\x00", f'{{"key": "{key}"}}', f"{key}\u2013", key * 200):
        done = agent.run("link", "--consent", "basic", given=given)
        assert done.code == 2
        check(agent, done)


def test_process_shows_no_key_while_it_runs(agent: Installation, cloud: Receiver) -> None:
    """While `link` waits for the cloud its command line and environment, which others may read, hold no key."""
    cloud.control(mode="blackhole", calls=["link"])
    process = subprocess.Popen(
        agent.command("link", "--consent", "basic"),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    stopped = threading.Timer(60, process.kill)
    stopped.start()
    try:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(PLANTED.reveal().encode())
        process.stdin.close()
        seen = b""
        while b"Key read" not in seen:
            line = process.stderr.readline()
            assert line, seen
            seen += line
        for name in ("cmdline", "environ", "comm", "status"):
            assert finds(Path(f"/proc/{process.pid}/{name}").read_bytes()) == []
    finally:
        process.kill()
        stopped.cancel()
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            seen += stream.read()
            stream.close()
        process.wait(10)
    assert finds(seen) == []
    check(agent)


def test_debug_logs_and_tracebacks_hold_no_key(
    tmp_path: Path, cloud: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """With every library at DEBUG, and the full traceback with its locals, linking and its errors show no key."""
    folder = make_link_folder(tmp_path)
    key = check_shape(PLANTED.reveal())
    said = ""
    with caplog.at_level(logging.DEBUG):
        for name in ("h11", "agent"):
            logging.getLogger(name).setLevel(logging.DEBUG)
        for mode in ("", "500", "deep_json", "reset_mid"):
            cloud.control(mode=mode, calls=["link"])
            stage_key(folder, key, BASIC, NOW)
            try:
                with cloud.client() as client:
                    prove_key(folder, client, request_for, "https://localhost", NOW)
            except AgentError as error:
                said += "".join(traceback.format_exception(error))
    assert finds(caplog.text.encode()) == []
    assert finds(said.encode()) == []


def test_secret_does_not_print() -> None:
    """A key in its type is not in repr, str, format or a pickle."""
    for text in (repr(KEY), str(KEY), f"{KEY}", f"{KEY!r:>40}", repr([KEY])):
        assert finds(text.encode(), KEY) == []
    with pytest.raises(TypeError):
        pickle.dumps(KEY)
    assert finds(fingerprint_of(KEY).encode(), KEY) == []


def test_environment_is_not_read(agent: Installation) -> None:
    """A key in the environment is not used: without standard input nothing is linked."""
    names = ("PORTFOLIO_AGENT_KEY", "PORTFOLIO_AGENT_LINK_KEY", "SECURITY_KEY")
    environment = {**os.environ, **{name: PLANTED.reveal() for name in names}}
    done = subprocess.run(
        [*agent.command("link", "--consent", "basic")],
        cwd=ROOT,
        input=b"",
        env=environment,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert agent.link is None
