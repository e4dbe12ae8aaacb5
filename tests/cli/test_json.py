"""Every command under `--json`: one document on standard output, whatever happens, held against its schema in docs/.

`scripts/json_schemas` makes the schemas from the views, so a view and its schema agree; here the real output does too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from agent import errors
from agent.cli.failure import wants_json
from agent.link.keyfile import master_path
from agent.model import ClusterTurn, ConsentLevel, Failure, Outcome, Role, Sample, Series, SourceReport, Tick
from agent.settings import load_settings
from agent.store import InstanceLock, delivery_state, open_store, outbox
from agent.store.cluster import record_turn
from agent.store.costs import QueryCost, save_costs
from agent.store.delivery_state import DeliveryState
from agent.store.losses import count_loss
from agent.store.ticks import TickWriter
from scripts.json_schemas import FOLDER, VIEWS, schema_of, schemas
from tests.cli.test_main import commands
from tests.support.batches import batch
from tests.support.cloud import KEY, Receiver, receiver
from tests.support.command import Finished, run_here
from tests.support.homes import write_home
from tests.support.site import Agent, link_as, make_site

NO_ANSWER = {"run"}  # becomes the resident process and prints nothing
PAGE = (FOLDER.parent / "json.md").read_text(encoding="utf-8")


def answered(name: str, done: Finished, code: int) -> Any:
    """The document that a command printed; it keeps to the schema of `name` and the command ended with `code`."""
    assert done.code == code, done.text
    document = json.loads(done.out)
    Draft202012Validator(schema_of(name)).validate(document)
    return document


def refused(done: Finished, code: int, word: str) -> Any:
    """The error that a command printed: the only document there, and no words on standard error beside it."""
    error = answered("error", done, code)["error"]
    assert error["code"] == word
    assert error["what"]
    assert error["what"] not in done.err
    return error


def asked(agent: Agent, *arguments: str) -> Finished:
    """A command that reads, under --json."""
    return run_here(*arguments, "--json", "--config", str(agent.config))


def ran(agent: Agent, *arguments: str, key: str = "") -> Finished:
    """A command that acts, under --json."""
    return agent.run(*arguments, "--json", key=key)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A running reference receiver."""
    with receiver(tmp_path_factory.mktemp("receiver")) as running:
        yield running


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Agent:
    """An agent that has never run and is not linked; nobody stands at its cloud's address."""
    return make_site(tmp_path_factory.mktemp("empty"), cloud='endpoint = "https://cloud.invalid"')


@pytest.fixture(scope="module")
def well(tmp_path_factory: pytest.TempPathFactory, cloud: Receiver) -> Iterator[Agent]:
    """A linked agent that runs, with a closed hour that arrived."""
    text = f'endpoint = "{cloud.settings.endpoint}"\nca_file = "{cloud.settings.ca_file}"'
    agent = unhurried(make_site(tmp_path_factory.mktemp("well"), cloud=text))
    answered("link", ran(agent, "link", "--consent", "extended", "--yes", key=KEY.reveal() + "\n"), 0)
    link_as(agent, ConsentLevel.EXTENDED)  # as if it had been linked long ago, so that the hour below may leave
    agent.tick(at=datetime.now(UTC) - timedelta(hours=2))
    agent.tick()
    assert answered("deliver", ran(agent, "deliver", "--no-push"), 0)["hoursClosed"] == 1
    lock = InstanceLock(agent.settings.agent.state_dir)
    yield agent
    lock.release()


def unhurried(agent: Agent) -> Agent:
    """The same with a tick every twenty minutes, so that none is late while the tests run."""
    agent.config.write_text(agent.config.read_text().replace('interval = "1s"', 'interval = "20m"'))
    return replace(agent, settings=load_settings(agent.config))


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Agent:
    """An agent with everything that can be wrong: sources, counts, losses, batches set aside, a refused key."""
    agent = make_site(tmp_path_factory.mktemp("failing"), cloud='endpoint = "https://cloud.invalid"')
    link_as(agent, ConsentLevel.BASIC)
    at = datetime.now(UTC) - timedelta(hours=5)
    users = Sample(Series("guardrails", "jira.guardrail.users"), 80_000)
    missing = (Failure("host.x", "permission-denied", "Cannot read. Run: sudo true"), Failure("host.y", "cut", "bean"))
    reports = (
        SourceReport("jmx", Outcome.FAILED, 0, (Failure("", "refused"),), 0.1, "Nobody listens.", "Start it."),
        SourceReport("host", Outcome.PARTIAL, 1, missing, 0.1),
        SourceReport("guardrails", Outcome.OK, 1),
    )
    store = open_store(agent.settings.agent.state_dir)
    TickWriter(store, 3600).append(Tick(at, (users,), reports))
    with store.transaction() as connection:
        save_costs(connection, [QueryCost("comments", "jira.guardrail.comments", at, 24.0, 2400.0, timeouts=1)])
        count_loss(connection, "tick-not-stored", 3, at)
        outbox.put(connection, batch())
        delivery_state.save(connection, DeliveryState(hold="401", hold_key="0", failing_since=at, do="Link again."))
        record_turn(connection, ClusterTurn(Role.STANDBY, ahead_s=300.0))
    store.close()
    return agent


STATUS = [("empty", 4), ("well", 0), ("failing", 3)]


@pytest.mark.parametrize(("state", "code"), STATUS)
def test_status(state: str, code: int, request: pytest.FixtureRequest) -> None:
    """Never ran, running, everything wrong: one shape; its exit code is in it and each problem's too."""
    view = answered("status", asked(request.getfixturevalue(state), "status"), code)
    assert view["exitCode"] == code
    assert bool(view["problems"]) == bool(code)
    assert all(problem["exitCode"] for problem in view["problems"])


def test_status_of_a_failing_agent_has_every_part(failing: Agent) -> None:
    """The schema was held against full lists, not against empty ones."""
    view = answered("status", asked(failing, "status"), 3)
    for part in ("sources", "slowQueries", "losses", "problems"):
        assert view[part], part
    assert (view["cluster"], view["waiting"]["batches"], view["link"]["state"]) == ("standby", 1, "linked")


@pytest.mark.parametrize(
    ("state", "metric", "code"),
    [
        ("empty", "jvm.memory.heap.used", 1),
        ("well", "jvm.memory.heap.used", 0),
        ("failing", "jira.guardrail.users", 0),
        ("failing", "jvm.memory.heap.used", 1),
        ("failing", "jira.guardrail.comments", 1),
    ],
)
def test_explain(state: str, metric: str, code: int, request: pytest.FixtureRequest) -> None:
    """A value with its hours, one without, and none at all: one shape."""
    view = answered("explain", asked(request.getfixturevalue(state), "explain", metric), code)
    assert (view["missing"] is None) == (code == 0)


@pytest.mark.parametrize("state", ["empty", "well", "failing"])
def test_what_asks_the_product(state: str, request: pytest.FixtureRequest) -> None:
    """`sample`, `doctor` and `config check`, beside a product that does not answer."""
    agent = request.getfixturevalue(state)
    sample = answered("sample", asked(agent, "sample"), 1)
    assert {source["outcome"] for source in sample["sources"]} >= {"ok", "failed"}
    doctor = answered("doctor", asked(agent, "doctor"), 1)
    assert {check["state"] for check in doctor["checks"]} == {"ok", "failed", "skipped"}
    assert answered("config-check", asked(agent, "config", "check"), 0)["databaseLogin"]["asked"] is False


def test_preview(well: Agent, empty: Agent, failing: Agent) -> None:
    """The document of the hour stands in the answer as it is sent; without an hour there is an error."""
    view = answered("preview", asked(well, "preview"), 0)
    assert view["batches"][0]["document"]["entries"]
    assert answered("preview", asked(well, "preview", "--level", "basic"), 0)["level"] == "basic"
    assert answered("preview-diff", asked(well, "preview", "--diff"), 0)["diff"]
    assert answered("preview", asked(failing, "preview", "--now"), 0)["batches"]
    refused(asked(empty, "preview"), 1, "degraded")
    refused(asked(failing, "preview"), 1, "degraded")
    refused(asked(failing, "preview", "--level", "all"), 2, "usage")


def test_bundle(well: Agent, failing: Agent, tmp_path: Path) -> None:
    """Where the file is and how large; nothing to bundle and a folder that cannot be used are errors."""
    view = answered("bundle", asked(well, "bundle", "--output", str(tmp_path)), 0)
    assert Path(view["bundle"]).stat().st_size == view["sizeBytes"]
    refused(asked(failing, "bundle"), 1, "degraded")
    (tmp_path / "file").touch()
    refused(asked(well, "bundle", "--output", str(tmp_path / "file")), 2, "usage")


def test_deliver(tmp_path: Path) -> None:
    """What was done, and the problem as an error of its own; offline the bundle that was due."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    unlinked = make_site(tmp_path / "a")
    view = answered("deliver", ran(unlinked, "deliver"), 4)
    assert (view["problem"]["code"], view["hoursClosed"]) == ("not-linked", 0)
    offline = make_site(tmp_path / "b", mode="offline")
    offline.tick(at=datetime.now(UTC) - timedelta(hours=2))
    view = answered("deliver", ran(offline, "deliver"), 0)
    assert (view["problem"], Path(view["bundle"]).exists()) == (None, True)


def test_link_consent_and_unlink(tmp_path: Path, cloud: Receiver) -> None:
    """A link from first to last, with what goes wrong on the way; the key is in no answer."""
    text = f'endpoint = "{cloud.settings.endpoint}"\nca_file = "{cloud.settings.ca_file}"'
    agent, key = make_site(tmp_path, cloud=text), KEY.reveal() + "\n"
    refused(asked(agent, "consent", "show"), 4, "not-linked")
    refused(asked(agent, "unlink", "--yes"), 4, "not-linked")
    refused(ran(agent, "link", key=key), 2, "usage")
    refused(ran(agent, "link", "--key", KEY.reveal()), 2, "usage")
    refused(ran(agent, "link", "--consent", "basic", key="unknown-key-0123456789abcdef"), 11, "key-rejected")
    cloud.control(mode="503", calls=["link"], times=1)
    refused(ran(agent, "link", "--consent", "basic", key=key), 3, "push-deferred")
    shown = [
        answered("link-show", ran(agent, "link", "--show", key=key), 0),
        answered("link", ran(agent, "link", "--resume"), 0),
    ]
    assert [view["keyFingerprint"] for view in shown] == [shown[0]["keyFingerprint"]] * 2
    assert answered("consent-show", asked(agent, "consent", "show"), 0)["level"] == "basic"
    assert answered("consent-set", asked(agent, "consent", "set", "none"), 0)["before"] == "basic"
    refused(asked(agent, "consent", "set", "everything"), 2, "usage")
    gone = answered("unlink", asked(agent, "unlink", "--yes"), 0)
    assert gone["revokedInCloud"] is True
    assert gone["removed"]
    assert answered("unlink", asked(agent, "unlink", "--local", "--yes"), 0) == {"revokedInCloud": None, "removed": []}
    assert KEY.reveal() not in json.dumps([*shown, gone])


def test_a_key_that_cannot_be_opened_has_its_own_word(tmp_path: Path, cloud: Receiver) -> None:
    """The codes of the vault are the error's code, so that support can tell the cases apart."""
    agent = make_site(tmp_path, cloud=f'endpoint = "{cloud.settings.endpoint}"\nca_file = "{cloud.settings.ca_file}"')
    link_as(agent, ConsentLevel.BASIC)
    master_path(agent.settings.link_dir).unlink()
    refused(asked(agent, "unlink", "--yes"), 11, "key-missing")


def test_init(tmp_path: Path) -> None:
    """What was found has keys of its own; an init that cannot be done lists every mistake."""
    home, config = write_home(tmp_path), str(tmp_path / "agent.toml")
    view = answered("init", run_here("init", "--home", str(home), "--config", config, "--json"), 0)
    assert view["found"]["sharedHome"] == str(home / "shared")
    assert all(re.fullmatch(r"[a-z]+([A-Z][a-z]*)*", key) for key in view["found"])
    refused(run_here("init", "--home", str(home), "--config", config, "--json"), 10, "configuration")
    error = refused(
        run_here("init", "--home", str(tmp_path / "none"), "--config", config, "--json"), 10, "configuration"
    )
    assert isinstance(error["mistakes"], list)


def test_catalog(empty: Agent) -> None:
    """All of it, with and without statements and a level; a product that is not known."""
    for product in ("jira", "confluence", "bitbucket", "bamboo", "crowd"):
        view = answered("catalog-show", run_here("catalog", "show", "--product", product, "--sql", "--json"), 0)
        assert view["metrics"]
        assert view["statements"]
    of_basic = answered("catalog-show", asked(empty, "catalog", "show", "--consent", "basic"), 0)
    assert (of_basic["consent"], of_basic["statements"], of_basic["estimates"]) == ("basic", None, None)
    assert set(answered("catalog-check", run_here("catalog", "check", "--json"), 0)["metrics"]) >= {"jira", "crowd"}
    refused(run_here("catalog", "show", "--product", "fisheye", "--json"), 10, "configuration")
    refused(asked(empty, "catalog", "show", "--consent", "all"), 2, "usage")


def test_config(empty: Agent, tmp_path: Path) -> None:
    """Every setting; a file with mistakes names each with file, line, key, problem and the nearest right word."""
    assert "sampling.interval" in answered("config-show", asked(empty, "config", "show"), 0)["settings"]
    bad = tmp_path / "bad.toml"
    bad.write_text(empty.config.read_text() + "\n[delivrey]\nx = 1\n[samplin]\n")
    for words in (("config", "check"), ("config", "show"), ("status",), ("deliver",)):
        error = refused(run_here(*words, "--json", "--config", str(bad)), 10, "configuration")
        assert [(one["key"], one["nearest"]) for one in error["mistakes"]] == [
            ("delivrey", "delivery"),
            ("samplin", "sampling"),
        ]
        assert {one["file"] for one in error["mistakes"]} == {str(bad)}
    refused(run_here("status", "--json", "--config", str(tmp_path / "none.toml")), 10, "configuration")


@pytest.mark.parametrize(
    "words",
    [
        ("status", "--nonsense"),
        ("nonsense",),
        ("consent", "set"),
        ("config",),
        ("init", "--jmx-port", "many", "--home", "/"),
        ("status", "extra"),
        (),
    ],
)
def test_usage_errors_are_documents_too(words: tuple[str, ...]) -> None:
    """What the parser refuses: exit 2, the code `usage`, and where the right words stand, wherever --json was put."""
    for line in ((*words, "--json"), ("--json", *words)):
        error = refused(run_here(*line), 2, "usage")
        assert "portfolio-agent" in error["do"]


def test_a_fault_of_the_agent_is_a_document_with_the_traceback_beside_it() -> None:
    """Whoever reads JSON gets JSON even then; the traceback goes to standard error, where it can be reported from."""
    done = run_here("status", "--json", "--config", "/a\0b")
    error = refused(done, 1, "internal")
    assert "ValueError" in error["what"]
    assert "Traceback" in done.err


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (["status", "--json"], True),
        (["--json", "status"], True),
        (["status"], False),
        (["link", "--", "--json"], False),
        (["status", "--jsonx"], False),
    ],
)
def test_when_json_is_wanted(line: list[str], wanted: bool) -> None:
    """The word itself, before a `--`."""
    assert wants_json(line) is wanted


def test_each_command_has_its_schema_and_stands_on_the_page() -> None:
    """No command without a schema, no schema without a command, each named on docs/json.md."""
    answering = {words.replace(" ", "-") for words in commands()} - NO_ANSWER
    assert answering <= set(VIEWS)
    assert {name for name in VIEWS if not any(name.startswith(one) for one in answering)} == {"error"}
    assert set(re.findall(r"\(schemas/([a-z-]+)\.schema\.json\)", PAGE)) == set(VIEWS)


def test_the_files_are_not_stale() -> None:
    """docs/schemas is what scripts/docs writes, no file more and none fewer."""
    assert {file.name: file.read_text(encoding="utf-8") for file in FOLDER.iterdir()} == schemas()


@pytest.mark.parametrize("name", VIEWS)
def test_schemas_are_schemas_and_closed(name: str) -> None:
    """Each is a valid JSON Schema; every key is camelCase, required, and no other is allowed."""
    schema = schema_of(name)
    Draft202012Validator.check_schema(schema)
    for part in [schema, *schema.get("$defs", {}).values()]:
        assert part["additionalProperties"] is False
        for key in part["properties"]:
            assert re.fullmatch(r"[a-z][a-z0-9]*([A-Z][a-z0-9]*)*", key), key


def test_the_page_lists_every_error_code() -> None:
    """Each kind of error has a word of its own that stays, and docs/json.md lists it with its exit code."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.AgentError)]
    codes = {kind.code: kind.exit_code for kind in kinds if kind not in (errors.AgentError, errors.SourceError)}
    assert len(codes) == len(kinds) - 2
    listed = {word: int(code) for word, code in re.findall(r"^\| `([a-z-]+)` \| (\d+) \|", PAGE, re.MULTILINE)}
    assert codes.items() <= listed.items()
