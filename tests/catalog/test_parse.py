"""The strict loader: every fault is named, none is passed over."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import agent.catalog
from agent.catalog import CatalogError, Every, TagTreatment, load_catalog, products
from agent.catalog.parse import field_list_version
from agent.model import ConsentLevel
from agent.sources.folders.binding import FolderBinding

ENTRY = """
[[metric]]
name = "jira.planted"
source = "jmx"
type = "JMX_METRIC"
category = "operational-and-performance"
consent = "basic"
data_type = "count"
unit = "{thing}"
kind = "gauge"
reference = "https://example.com"
[metric.jmx]
bean = "d:type=X"
attribute = "Value"
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of the real catalog's data files."""
    source = Path(agent.catalog.__file__).parent
    for name in ("common", "jira"):
        shutil.copytree(source / name, tmp_path / name)
    shutil.copy(source / "public_apps.toml", tmp_path)
    return tmp_path


def plant(root: Path, text: str) -> None:
    (root / "jira" / "planted.toml").write_text(text)


def faults(root: Path) -> list[str]:
    with pytest.raises(CatalogError) as caught:
        load_catalog("jira", root)
    assert caught.value.exit_code == 10
    return [str(mistake) for mistake in caught.value.mistakes]


def test_the_entry_used_here_is_right(root: Path) -> None:
    """The tests below change one thing of an entry that loads."""
    plant(root, ENTRY)
    assert load_catalog("jira", root).metrics["jira.planted"].unit == "{thing}"


@pytest.mark.parametrize(
    "key", ["source", "type", "category", "consent", "data_type", "unit", "kind", "reference", "name"]
)
def test_missing_key_is_a_fault(root: Path, key: str) -> None:
    """Each classification must be there; the fault names file, field and key."""
    plant(root, "\n".join(line for line in ENTRY.splitlines() if not line.startswith(f"{key} =")))
    (fault,) = faults(root)
    assert fault.startswith("jira/planted.toml: ")
    assert fault.endswith(f".{key}: is missing")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('consent = "basic"', 'consent = "basik"', "Did you mean 'basic'?"),
        ('unit = "{thing}"', 'unit = "{thing}"\ncolour = "red"', "is not a known key"),
        ('kind = "gauge"', 'kind = "gauge"\ncost = "XXL"', "must be one of S, M, L, XL"),
        ('kind = "gauge"', 'kind = "gauge"\nthreshold = { warn = 1, limit = 2 }', "source: is missing"),
        ('kind = "gauge"', 'kind = "gauge"\nthreshold = { source = "https://example.com" }', "limit: is missing"),
        (
            'kind = "gauge"',
            'kind = "gauge"\nthreshold = { warn = 2, limit = 2, source = "https://example.com" }',
            "must be below limit",
        ),
        (
            'kind = "gauge"',
            'kind = "gauge"\nthreshold = { limit = "many", source = "https://example.com" }',
            "a number",
        ),
        ('kind = "gauge"', 'kind = "gauge"\nthreshold = { limit = 2, source = "a colleague" }', "https:// address"),
        (
            'kind = "gauge"',
            'kind = "counter"\nthreshold = { limit = 2, source = "https://example.com" }',
            "belongs to gauges",
        ),
        ('attribute = "Value"', 'attribute = "Value"\nmerge = "mean"', "must be one of sum, max"),
        ('data_type = "count"', 'data_type = "name"', "a gauge or counter is a count"),
        ('source = "jmx"', 'source = "guardrails"', "belongs to entries"),
        ('name = "jira.planted"', 'name = "Jira planted"', "dotted words"),
        ('attribute = "Value"', 'attribute = "Value"\ntags = { name = "server" }', "this tag has no rule"),
        ('attribute = "Value"', 'attribute = "Value"\nabsent = "no"', "must be a number"),
        ('attribute = "Value"', 'attribute = "Value"\nbeans = []', "is not a known key"),
        ('attribute = "Value"', 'attribute = "Value"\n[metric.tags.x]\nbasic = "keep"', "x.extended: is missing"),
        (
            'attribute = "Value"',
            'attribute = "Value"\n[metric.tags.x]\nbasic = "keep"\nextended = "keep"\ndata_type = "name"',
            "a name must not be kept under basic",
        ),
        ('attribute = "Value"', 'attribute = "Value"\n[metric.attributes]\nmethod = "words"', "method: must be one of"),
        ('name = "jira.planted"', 'name = "jvm.uptime"', "is defined twice"),
    ],
)
def test_each_fault_is_named(root: Path, old: str, new: str, words: str) -> None:
    """One wrong thing in an entry is found and told."""
    assert old in ENTRY
    plant(root, ENTRY.replace(old, new))
    assert any(words in fault for fault in faults(root))


def test_name_under_basic_is_a_fault(root: Path) -> None:
    """Text that is a name needs extended consent; basic for it is a contradiction."""
    plant(root, ENTRY.replace('"count"', '"name"').replace('"gauge"', '"info"'))
    assert any("a name needs extended" in fault for fault in faults(root))


def test_all_faults_at_once(root: Path) -> None:
    """Faults of several files and entries come together."""
    plant(root, ENTRY.replace('consent = "basic"', "") + ENTRY.replace('unit = "{thing}"', ""))
    (root / "common" / "other.toml").write_text("[[metrics]]\n")
    (root / "jira" / "guardrails" / "users.sql").unlink()
    found = faults(root)
    for words in ("jira.planted.consent", "jira.planted.unit", "common/other.toml", "there is no file users.sql"):
        assert any(words in fault for fault in found), words


HEAD = "-- counts: x\n-- cost: S\n-- versions: all\n"


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("extra.sql", "-- counts: x\n-- cost: S\n-- versions: all\nselect 1 as n", "no entry uses it"),
        ("projects.sql", "-- counts: x\n-- cost: S\n-- versions: all\nselect 1 as n", "gives no column named total"),
        ("projects.sql", "-- counts: x\n-- cost: L\n-- versions: all\nselect 1 as total", "cost is S here and L"),
        ("projects.sql", "-- cost: S\n-- versions: all\nselect 1 as total", "does not say 'counts:'"),
        ("projects.sql", "-- counts: x\n-- cost: S\n-- versions: all\ndelete from project", "must be one SELECT"),
        (
            "projects.sql",
            "-- counts: x\n-- cost: S\n-- versions: all\nselect 1 as total; drop table project",
            "must be one SELECT",
        ),
        (
            "projects.sql",
            "-- counts: x\n-- cost: S\n-- versions: all\nwith x as (delete from project returning 1) select 1 as total",
            "only reads; it says 'delete'",
        ),
        ("projects.db2.sql", "select 1 as total", "must be NAME[.restricted|.after][.DIALECT].sql"),
        ("projects.restricted.db2.sql", "select 1 as total", "must be NAME[.restricted|.after][.DIALECT].sql"),
        ("projects.after.sql", "-- why: x\nselect 1 as total", "projects.sql does not say 'until:'"),
        ("projects.sql", f"{HEAD}-- until: x\nselect 1 as total", "until must be: TABLE(COLUMN, COLUMN)["),
        ("projects.sql", f"{HEAD}-- until: x(a), build\nselect 1 as total", "until must be: TABLE"),
        ("../../common/columns/db2.sql", "select 1 as tab, :wanted", "must be DIALECT[.restricted].sql"),
        ("../../common/columns/sqlite.sql", "select 1 as tab, 2 as col, :wanted", "must have as seen_through"),
        (
            "projects.restricted.sql",
            "-- why: x\nselect 1 as n",
            "projects.restricted.sql gives no column named total",
        ),
        ("projects.restricted.sql", "select 1 as total", "does not say 'why:' this cannot be made from NAME.sql"),
        ("projects.mysql.sql", "select 1 as total", "does not say 'why:' this cannot be made from NAME.sql"),
        ("projects.mysql.sql", "-- why: x\n-- cost: L\nselect 1 as total", "differs from the other variant"),
        ("projects.mysql.sql", "-- why: x\nselect 1 as n", "projects.mysql.sql gives no column named total"),
        ("projects.mysql.sql", "-- why: x\nselect `x as total", "is no statement of mysql"),
        ("projects.sql", "-- why: x\n-- counts: x\n-- cost: S\n-- versions: all\nselect 1 as total", "'why:' is not a"),
        ("new.mysql.sql", "-- why: x\n-- counts: x\n-- cost: S\n-- versions: all\nselect 1 as n", "no new.oracle.sql"),
        (
            "projects.sql",
            "-- counts: x\n-- cost: S\n-- versions: all\nselect max(now()) as total from project",
            "say it otherwise, or write projects.mysql.sql with a header 'why:'",
        ),
        (
            "projects.sql",
            "-- counts: x\n-- cost: S\n-- versions: all\nselect max(level) as total from project",
            "write projects.oracle.sql",
        ),
        (
            "projects.sql",
            "-- counts: x\n-- cost: S\n-- versions: all\nselect 'a;b' as total",
            "must be one SELECT",
        ),
        (
            "projects.sql",
            "-- counts: x\n-- cost: S\n-- versions: all\n-- planned: total\nselect count(*) as total from project",
            "planned: it counts all rows as total",
        ),
        (
            "projects.sql",
            "-- counts: x\n-- cost: S\n-- versions: all\n-- planned: n\nselect count(*) as total from project",
            "planned: it has no column n",
        ),
        ("../tables.toml", "spelling = { db2 = { x = 'upper' } }", "for a known dialect"),
        ("../tables.toml", "spelling = { mysql = { x = 'mixed' } }", "upper or lower"),
        ("../tables.toml", "long_text = { x = 10 }", "must be table.column"),
        ("../tables.toml", "long_text = { 'a.b' = 4000 }", "a number from 1 to 1000"),
        ("../tables.toml", "sizes = {}", "is not a known table"),
        ("../tables.toml", "[", "cannot be read"),
        (
            "projects.sql",
            "-- counts: x\n-- cost: S\n-- versions: all\n-- estimate: project\nselect 1 as total",
            "must be: TABLE as COLUMN",
        ),
        (
            "projects.sql",
            "-- counts: x\n-- cost: S\n-- versions: all\n-- estimate: project as n\nselect 1 as total",
            "no entry uses the estimated column n",
        ),
        ("../../common/estimates/db2.sql", "select 1 as n, 2 as as_of, :wanted", "must be DIALECT[.restricted].sql"),
        ("../../common/estimates/mysql.sql", "select 1 as n, 2 as as_of", "must have :wanted"),
        ("../../common/estimates/mysql.sql", "select 1 as total, :wanted as as_of", "must have as n"),
    ],
)
def test_statements_are_checked(root: Path, file: str, text: str, words: str) -> None:
    """A statement without entry, column, header or harmlessness is a fault."""
    (root / "jira" / "guardrails" / file).write_text(text)
    assert any(words in fault for fault in faults(root))


def test_a_twin_stands_in_for_its_dialect_alone(root: Path) -> None:
    """With its reason it is taken as it is; the other dialects are still made from the one statement."""
    folder = root / "jira" / "guardrails"
    (folder / "projects.sql").write_text(
        "-- counts: x\n-- cost: S\n-- versions: all\nselect count(*) filter (where id > 1) as total from project"
    )
    (folder / "projects.mysql.sql").write_text("-- why: a test\nselect 1 as total")
    texts = load_catalog("jira", root).queries["projects"].texts
    assert set(texts) == {"", "mysql", "oracle", "sqlserver"}
    assert texts["mysql"] == "select 1 as total"
    assert "case when id > 1 then 1 end" in texts["oracle"]


def test_what_a_product_says_of_its_tables_is_used(root: Path) -> None:
    """Spelling and length of `tables.toml`, in every statement of the product."""
    (root / "jira" / "tables.toml").write_text(
        "[spelling.mysql]\nproject = 'upper'\n[long_text]\n'project.lead' = 20\n"
    )
    (root / "jira" / "guardrails" / "projects.sql").write_text(
        "-- counts: x\n-- cost: S\n-- versions: all\nselect max(lead) as total from project"
    )
    texts = load_catalog("jira", root).queries["projects"].texts
    assert "from PROJECT" in texts["mysql"]
    assert "max(to_char(substr(lead, 1, 20)))" in " ".join(texts["oracle"].split())


def test_unknown_product() -> None:
    """A product without a catalog is refused with those there are."""
    with pytest.raises(CatalogError, match="jira"):
        load_catalog("fisheye")


def test_products_are_the_folders() -> None:
    """A new product is a new folder; nothing else lists them."""
    assert "jira" in products()
    assert "common" not in products()


def test_field_list_version_follows_what_leaves(root: Path) -> None:
    """A new field, another level, or another tag rule is another field list; words and order are not."""
    metrics = list(load_catalog("jira", root).metrics.values())
    before = field_list_version(metrics)
    assert field_list_version(reversed(metrics)) == before
    assert field_list_version(metrics[1:]) != before
    assert field_list_version([replace(metrics[0], description="other"), *metrics[1:]]) == before
    assert field_list_version([replace(metrics[0], consent=ConsentLevel.EXTENDED), *metrics[1:]]) != before
    tagged = next(metric for metric in metrics if metric.tags)
    name, rule = next(iter(tagged.tags.items()))
    loose = replace(tagged, tags={**tagged.tags, name: replace(rule, extended=TagTreatment.DROP)})
    assert field_list_version([loose if metric is tagged else metric for metric in metrics]) != before


LISTING = """
[[metric]]
name = "test.app"
source = "apps"
type = "APP_USAGE"
category = "apps-and-integrations"
consent = "basic"
data_type = "version"
unit = "1"
kind = "info"
reference = "https://example.com"
[metric.sql]
query = "planted"
column = "version"
rows = true
tags = { app = "pluginKey" }
attributes = { state = "state" }
also = [{ query = "planted_names", attributes = { name = "name" } }]
[metric.tags.pluginKey]
basic = "keep-public"
extended = "keep"
data_type = "technical-id"
[metric.attributes]
state = "state"
name = { basic = "with-public-app", extended = "keep", data_type = "name" }
"""
HEAD = "-- counts: x\n-- cost: S\n-- versions: all\n-- rows: 10\n-- every: hour\n"
APPS = HEAD + "select a as app, b as version, c as state from t"
NAMES = HEAD + "-- consent: extended\nselect a as app, d as name from t"


def plant_listing(root: Path, entry: str = LISTING, apps: str = APPS, names: str = NAMES) -> None:
    plant(root, entry)
    (root / "jira" / "listings" / "planted.sql").write_text(apps)
    (root / "jira" / "listings" / "planted_names.sql").write_text(names)


def test_a_listing_loads(root: Path) -> None:
    """Rows, tags, attributes and a joined statement for names; the header's consent, rows and rate are kept."""
    plant_listing(root)
    catalog = load_catalog("jira", root)
    sql = catalog.metrics["test.app"].sql
    assert sql is not None
    assert sql.queries == ("planted", "planted_names")
    names = catalog.queries["planted_names"]
    assert (names.consent, names.rows, names.every) == (ConsentLevel.EXTENDED, 10, Every.HOUR)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('tags = { app = "pluginKey" }', 'tags = { app = "owner" }', "tags.owner: this tag has no rule"),
        ('attributes = { state = "state" }', 'attributes = { state = "what" }', "what: this attribute has no rule"),
        ("rows = true\n", "", "tags: belongs to entries with rows = true"),
        ('tags = { app = "pluginKey" }\n', "", "tags: belongs to entries with rows = true"),
        ('source = "apps"', 'source = "guardrails"', "rows or count belongs to entries of a listing"),
        ('tags = { app = "pluginKey" }', 'tags = { other = "pluginKey" }', "gives no column named other"),
        ("rows = true", 'rows = "yes"', "rows: must be true or false"),
        ('name = { basic = "with-public-app"', 'name = { basic = "keep"', "a name must not be kept under basic"),
        ('state = "state"\nname', 'state = "name"\nname', "a name needs a rule of its own"),
        ('column = "version"', 'column = "version"\ncount = true', "count: is the number of rows"),
        ('source = "apps"', 'source = "events"', "event belongs to entries with source = 'events'"),
    ],
)
def test_each_fault_of_a_listing_is_named(root: Path, old: str, new: str, words: str) -> None:
    """One wrong thing in a listing's entry is found and told."""
    assert old in LISTING
    plant_listing(root, LISTING.replace(old, new, 1))
    assert any(words in fault for fault in faults(root)), faults(root)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("-- consent: extended\n", "", "'name' is a name, and planted_names.sql is run under basic"),
        ("consent: extended", "consent: basic", "'name' is a name, and planted_names.sql is run under basic"),
        ("consent: extended", "consent: all", "consent must be one of basic, extended"),
        ("rows: 10", "rows: 0", "rows must be a number"),
        ("rows: 10", "rows: 100000", "rows must be a number"),
        ("every: hour", "every: day", "every must be one of tick, hour"),
        ("every: hour", "every: hour\n-- unpack: name", "unpack must be: COLUMN as flags or states"),
        ("every: hour", "every: hour\n-- unpack: stored as flags", "gives no column named stored"),
    ],
)
def test_names_are_read_under_extended_only(root: Path, old: str, new: str, words: str) -> None:
    """A statement that gives names without being for consent extended does not load."""
    assert old in NAMES
    plant_listing(root, names=NAMES.replace(old, new))
    assert any(words in fault for fault in faults(root)), faults(root)


def test_main_statement_for_extended_needs_an_entry_for_extended(root: Path) -> None:
    """An entry that leaves under basic is not read by a statement that is for extended."""
    plant_listing(root, apps=APPS.replace("-- rows", "-- consent: extended\n-- rows"))
    assert any("the entry is for basic" in fault for fault in faults(root))


def test_two_statements_of_one_name_are_a_fault(root: Path) -> None:
    """Guardrails and listings share their names."""
    plant_listing(root)
    (root / "jira" / "listings" / "projects.sql").write_text(APPS)
    assert any("another statement has this name" in fault for fault in faults(root))


@pytest.mark.parametrize(
    ("key", "public"),
    [
        ("com.atlassian.jira.x", True),
        ("com.atlassian.tutorial.mine", False),
        ("com.example.x", False),
        ("com.atlassian.x of Quibble", False),
        ("", False),
    ],
)
def test_public_apps(key: str, public: bool) -> None:
    """A public prefix, no private one, and the form of a key."""
    assert load_catalog("jira").is_public(key) is public


FOLDER = (
    ENTRY.split("[metric.jmx]")[0].replace('source = "jmx"', 'source = "folders"')
    + """[metric.folder]
places = ["local:caches/index", "shared:caches"]
figure = "bytes"
"""
)


def test_folder_entry(root: Path) -> None:
    """A folder is named by home and relative path."""
    plant(root, FOLDER)
    binding = load_catalog("jira", root).metrics["jira.planted"].bound(FolderBinding)
    assert binding is not None
    assert [(place.home, place.path) for place in binding.places] == [("local", "caches/index"), ("shared", "caches")]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("local:caches/index", "/etc", "must be local: or shared:"),
        ("local:caches/index", "local:../../etc", "must be local: or shared:"),
        ('figure = "bytes"', 'figure = "words"', "must be one of"),
        ('figure = "bytes"', 'figure = "count"', "belongs to each figure but bytes"),
        ('places = ["local:caches/index", "shared:caches"]', "", "is missing"),
        ('source = "folders"', 'source = "host"', "belongs to entries with source = 'folders'"),
        ('source = "folders"', 'source = "home"', "belongs to entries with source = 'home'"),
        ('source = "folders"', 'home = "password"\nsource = "home"', "must be one of version"),
    ],
)
def test_folder_faults(root: Path, old: str, new: str, words: str) -> None:
    """A path that could lead out of the home, or a figure that does not fit, is a fault."""
    assert old in FOLDER
    plant(root, FOLDER.replace(old, new))
    assert any(words in fault for fault in faults(root))
