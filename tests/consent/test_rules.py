"""The one set of rules: what a field becomes, and that nobody else decides."""

from __future__ import annotations

import ast
import hashlib
from dataclasses import replace

import pytest

from agent.catalog import Catalog, DataType, Metric, TagRule, TagTreatment, load_catalog
from agent.catalog.field_list import RULES_EDITION
from agent.consent import KeyAway, Leaves, NoPseudonyms, Part, Pseudonyms, Rules, Stays
from agent.consent.rules import TreatedSeries
from agent.consent.second_net import REMOVED
from agent.model import Category, ConsentLevel, EntryType, Kind, Sample, Series, Value
from tests.test_architecture import AGENT, modules

KEY = Pseudonyms(b"k" * 32)
BASIC, EXTENDED, NONE = ConsentLevel.BASIC, ConsentLevel.EXTENDED, ConsentLevel.NONE
KEEP, HASH, DROP = TagTreatment.KEEP, TagTreatment.HASH, TagTreatment.DROP
PUBLIC, WITH_PUBLIC = TagTreatment.KEEP_PUBLIC, TagTreatment.WITH_PUBLIC_APP
ANY_ID = DataType.TECHNICAL_ID
TAGS = {
    "pluginKey": TagRule(PUBLIC, KEEP, ANY_ID, "[a-z.]+"),
    "role": TagRule(KEEP, KEEP, DataType.STATE, "[a-z]+"),
    "pool": TagRule(HASH, KEEP, ANY_ID, r"[A-Za-z0-9 @.\[\]-]+"),
    "query": TagRule(DROP, DROP, DataType.NAME),
}
ATTRIBUTES = {
    "name": TagRule(WITH_PUBLIC, KEEP, DataType.NAME, ".{1,100}"),
    "state": TagRule(KEEP, KEEP, DataType.STATE, "on|off"),
    "owner": TagRule(HASH, HASH, DataType.HASH),
    "ends": TagRule(KEEP, KEEP, DataType.INSTANT),
    "rows": TagRule(KEEP, KEEP, DataType.COUNT),
}
APP, OWN = "com.atlassian.some", "com.quibble.payroll"


def metric(kind: Kind = Kind.INFO, data_type: DataType = DataType.VERSION, shape: str = r"\d.*") -> Metric:
    return Metric(
        "test.metric", "apps", EntryType.APP_USAGE, Category.APPS, BASIC, data_type, "1", kind, "https://example.com",
        tags=TAGS, attributes=ATTRIBUTES, shape=shape,
    )  # fmt: skip


def rules(level: ConsentLevel = BASIC, of: Metric | None = None, pseudonyms: Pseudonyms = KEY) -> Rules:
    own = of or metric()
    return Rules(Catalog("jira", {own.name: own}, "f-1", public_apps=("com.atlassian.",)), level, pseudonyms)


def series(**tags: str) -> Series:
    return Series("apps", "test.metric", tuple(sorted(tags.items())))


def hashed(text: str) -> Leaves:
    return Leaves(text, hashed=True)


@pytest.mark.parametrize(
    ("name", "text", "basic", "extended"),
    [
        ("pluginKey", APP, Leaves(APP), Leaves(APP)),
        ("pluginKey", OWN, hashed(KEY.app(OWN)), Leaves(OWN)),
        ("pluginKey", "Not A Key", hashed(KEY.app("Not A Key")), hashed(KEY.app("Not A Key"))),
        ("role", "state", Leaves("state"), Leaves("state")),
        ("role", "Erika", hashed(KEY.tag("role", "Erika")), hashed(KEY.tag("role", "Erika"))),
        ("pool", "Erika", hashed(KEY.tag("pool", "Erika")), Leaves("Erika")),
        ("pool", "erika@example.com", *[hashed(KEY.tag("pool", "erika@example.com"))] * 2),
        ("pool", "a\nb", *[hashed(KEY.tag("pool", "a\nb"))] * 2),
        ("query", "select", Stays("the tag is dropped under basic"), Stays("the tag is dropped under extended")),
        ("planted", "x", *[Stays("the tag has no rule in the catalog")] * 2),
    ],
)
def test_tags(name: str, text: str, basic: Leaves | Stays, extended: Leaves | Stays) -> None:
    """A tag is kept, hashed whole, or dropped; never cut, because two series could become one."""
    assert rules(BASIC).treat(metric(), Part.TAG, name, text) == basic
    assert rules(EXTENDED).treat(metric(), Part.TAG, name, text) == extended


ONLY_PUBLIC = Stays("under basic it leaves for public apps only")


@pytest.mark.parametrize(
    ("name", "value", "app", "basic", "extended"),
    [
        ("name", "Some App", APP, Leaves("Some App"), Leaves("Some App")),
        ("name", "Payroll", OWN, ONLY_PUBLIC, Leaves("Payroll")),
        ("name", "Payroll erika@example.com", OWN, ONLY_PUBLIC, Leaves(f"Payroll {REMOVED}")),
        ("name", "x" * 201, OWN, ONLY_PUBLIC, Stays("the text is longer than 200 characters")),
        ("name", "a\u202eb", OWN, ONLY_PUBLIC, Stays("the text holds control characters")),
        ("state", "on", OWN, Leaves("on"), Leaves("on")),
        ("state", "Erika", OWN, *[Stays("it does not look like a state")] * 2),
        ("state", "erika@example.com", OWN, *[Stays("it holds what looks like an e-mail address")] * 2),
        ("owner", "Erika", OWN, *[hashed(KEY.of("attribute:owner", "Erika"))] * 2),
        ("ends", "2026-01-05T19:00:00Z", OWN, *[Leaves("2026-01-05T19:00:00Z")] * 2),
        ("ends", "soon", OWN, *[Stays("it is no instant")] * 2),
        ("rows", 7, OWN, *[Leaves(7)] * 2),
        ("rows", "seven", OWN, *[Stays("text is not allowed in a count")] * 2),
        ("planted", 7, OWN, *[Stays("it is not on the list for a info")] * 2),
        ("samples", 7, OWN, *[Stays("it is not on the list for a info")] * 2),
        ("value", 7, OWN, *[Stays("it is not on the list for a info")] * 2),
    ],
)
def test_attributes(name: str, value: Value, app: str, basic: Leaves | Stays, extended: Leaves | Stays) -> None:
    """An attribute leaves by its own rule; what must not leave is cut out of a name, and keeps anything else here."""
    of = series(pluginKey=app)
    assert rules(BASIC).treat(metric(), Part.ATTRIBUTE, name, value, of=of) == basic
    assert rules(EXTENDED).treat(metric(), Part.ATTRIBUTE, name, value, of=of) == extended


@pytest.mark.parametrize(
    ("data_type", "value", "becomes"),
    [
        (DataType.VERSION, "1.2", Leaves("1.2")),
        (DataType.VERSION, "Erika", Stays("it does not look like a version")),
        (DataType.HASH, "SERVER-ID", hashed(KEY.of("metric:test.metric", "SERVER-ID"))),
        (DataType.NAME, "1 Erika <erika@example.com>", Leaves(f"1 Erika <{REMOVED}>")),
        (DataType.COUNT, float("inf"), Stays("it is not a finite number")),
        (DataType.COUNT, 2.5, Leaves(2.5)),
        (DataType.COUNT, True, Leaves(True)),
        (DataType.COUNT, "Erika", Stays("text is not allowed in a count")),
    ],
)
def test_figures(data_type: DataType, value: Value, becomes: Leaves | Stays) -> None:
    """A figure has the data type and the shape of its metric."""
    of = metric(data_type=data_type)
    assert rules(EXTENDED, of).treat(of, Part.FIGURE, "value", value) == becomes
    assert rules(EXTENDED, of).treat(of, Part.FIGURE, "p95", 1) == Stays("it is not on the list for a info")


@pytest.mark.parametrize("level", [BASIC, EXTENDED])
def test_a_pseudonym_is_believed_only_with_its_mark_and_look(level: ConsentLevel) -> None:
    """Marked and of the right form it is not hashed again; only marked, or only of the form, it is a name."""
    one = KEY.tag("pool", "Erika")
    treat = rules(level).treat
    assert treat(metric(), Part.TAG, "pool", one, hashed=True) == hashed(one)
    assert treat(metric(), Part.TAG, "pool", "Erika Mustermann!", hashed=True).hashed  # type: ignore[union-attr] # it leaves
    assert treat(metric(), Part.TAG, "pool", one) == hashed(KEY.tag("pool", one))


def test_nothing_leaves_without_consent() -> None:
    """Level NONE keeps every metric; a metric that never leaves stays under every level."""
    assert rules(NONE).series(series()) == Stays("no consent is given")
    never = replace(metric(), consent=NONE)
    assert rules(EXTENDED, never).series(series()) == Stays("the catalog says: read, never leaves")
    assert rules(EXTENDED).series(Series("apps", "planted")) == Stays("it is not in the catalog")
    assert rules(EXTENDED).series(Series("logs", "test.metric")) == Stays(
        "another source gave it than the catalog says"
    )


def test_a_series_is_decided_once() -> None:
    """The same series again is one look-up."""
    own = rules()
    first = own.series(series(pluginKey=OWN))
    assert own.series(series(pluginKey=OWN)) is first
    assert own.remembered == 1


def test_what_does_not_change_is_the_same_object() -> None:
    """A tick is not copied for names that may stay as they are."""
    one = series(pluginKey=APP)
    treated = rules().series(one)
    assert isinstance(treated, TreatedSeries)
    assert treated.series is one


def test_without_the_key_whatever_needs_it_raises() -> None:
    """KeyAway reaches the caller, who knows what to do with a name that cannot be hashed."""
    with pytest.raises(KeyAway):
        rules(pseudonyms=NoPseudonyms()).series(series(pluginKey=OWN))
    assert isinstance(rules(pseudonyms=NoPseudonyms()).series(series(pluginKey=APP)), TreatedSeries)


def test_a_sample_and_its_hour_are_treated_alike() -> None:
    """The value and attributes of a sample become what the figures of the hour's row become."""
    sample = Sample(series(pluginKey=APP), "1.2", (("name", "Some"), ("state", "Erika"), ("owner", "Erika")))
    for level in (BASIC, EXTENDED):
        one = rules(level).value(metric(), sample)
        row = rules(level).row(metric(), sample.series, {"value": "1.2", **dict(sample.attributes)}, ())
        assert (one.leaves, one.hashed, one.stays) == (row.leaves, row.hashed, row.stays)
        assert one.leaves.keys() == {"value", "name", "owner"}
        assert one.stays.keys() == {"state"}


@pytest.mark.parametrize("product", ["jira", "confluence"])
def test_extended_never_lets_out_less(product: str) -> None:
    """What leaves under Basic leaves under Extended too, for every tag and attribute of a catalog."""
    catalog = load_catalog(product)
    for own in catalog.metrics.values():
        for part, known in ((Part.TAG, own.tags), (Part.ATTRIBUTE, own.attributes)):
            for name in known:
                basic, extended = (
                    Rules(catalog, level, KEY).treat(own, part, name, "unknown", of=series())
                    for level in (BASIC, EXTENDED)
                )
                assert isinstance(extended, Leaves) or isinstance(basic, Stays), (own.name, name)


# --- nobody else decides, and who changes a decision says so

DECIDES = {"KEEP", "HASH", "DROP", "KEEP_PUBLIC", "WITH_PUBLIC_APP"}
# Beside the catalog's own checks while it is read: what asks which of two hours was stored under Basic.
MAY_ASK = {"consent/rules.py", "consent/align.py"}


def test_only_the_rules_ask_for_a_treatment() -> None:
    """No other file of the agent decides by a field's treatment: the walk over fields is written once."""
    found = set()
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Attribute)
                and node.attr in DECIDES
                and isinstance(node.value, ast.Name)
                and node.value.id == "TagTreatment"
            ):
                found.add(str(path.relative_to(AGENT)))
    assert {name for name in found if not name.startswith("catalog/")} == MAY_ASK


# What the code of each edition is, without comments and docstrings. A change here is a change of what may leave: raise
# RULES_EDITION in catalog/field_list.py (owners then see a new field list), and put the new line in.
EDITIONS = {3: "3a945d1e179863e8"}
CODE = ("consent/rules.py", "consent/filter.py", "consent/second_net.py", "consent/patterns.py")


def test_a_change_of_the_rules_is_a_new_edition() -> None:
    """The field list's version covers the rules' code: it cannot change under an old number."""
    assert EDITIONS[RULES_EDITION] == code_of_the_rules(), "raise RULES_EDITION, see above"


def code_of_the_rules() -> str:
    trees = []
    for name in CODE:
        tree = ast.parse((AGENT / name).read_text())
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if (
                isinstance(body, list)
                and body
                and isinstance(body[0], ast.Expr)
                and isinstance(body[0].value, ast.Constant)
            ):
                del body[0]
        trees.append(ast.unparse(tree))
    return hashlib.sha256("\n".join(trees).encode()).hexdigest()[:16]
