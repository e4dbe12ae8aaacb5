"""Homes as public templates render them: official images and charts, installers, roles of automation tools.

Each is written from the facts of such templates (file, keys, layout), in our own words, with made-up values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.support.any_home import FILES, write_any_home
from tests.support.product_homes import PASSWORD, hibernate_file

PG = "jdbc:postgresql://db.example.com:5432/product"


@dataclass(frozen=True)
class PublicHome:
    """One layout: `write` makes it below a folder and gives the options of `init` besides the output."""

    name: str
    product: str
    code: int
    says: tuple[str, ...]  # stand in the file
    left: tuple[str, ...]  # stand in what is left to do, or in the refusal
    write: Callable[[Path], list[str]]


ROWS: list[PublicHome] = []


def row(
    name: str, product: str, code: int, says: tuple[str, ...] = (), left: tuple[str, ...] = ()
) -> Callable[[Callable[[Path], list[str]]], Callable[[Path], list[str]]]:
    """Add the decorated writer to the table."""

    def add(write: Callable[[Path], list[str]]) -> Callable[[Path], list[str]]:
        ROWS.append(PublicHome(name, product, code, says, left, write))
        return write

    return add


def plain(product: str, **named: object) -> Callable[[Path], list[str]]:
    """A home of the product with these values, and no option but --home."""
    return lambda folder: ["--home", str(write_any_home(folder, _type(product), **named))]  # type: ignore[arg-type]


def _type(product: str):  # type: ignore[no-untyped-def]
    from agent.settings import ProductType

    return ProductType(product)


PRODUCT_LOGIN = ('login = "product"',)
OWN_LOGIN = ('login = "own"', 'host = "db.example.com"', "port = 5432", 'name = "product"')
OFF = ("[database]", "enabled = false")
ALL = ("jira", "confluence", "bitbucket", "bamboo", "crowd")
HIBERNATE = ("confluence", "bamboo", "crowd")
ROOTS = {"confluence": "confluence-configuration"}
CIPHERS = {
    "jira": "atlassian-password-cipher-provider",
    "confluence": "jdbc.password.decrypter.classname",
    "bamboo": "jdbc.password.decrypter.classname",
    "crowd": "jdbc.password.decrypter.classname",
    "bitbucket": "jdbc.password.decrypter.classname",
}

for product in ALL:
    row("plain password", product, 0, (*PRODUCT_LOGIN, f'product = "{product}"'))(plain(product))
    row("MySQL", product, 0, PRODUCT_LOGIN)(plain(product, url="jdbc:mysql://db.example.com:3306/product"))
    row("{ATL_SECURED}", product, 1, OWN_LOGIN, ("own secret store", "database.password"))(
        plain(product, password="{ATL_SECURED}")
    )
    for kind, words in (
        ("com.atlassian.db.config.password.ciphers.base64.Base64Cipher", "Base64"),
        ("com.atlassian.db.config.password.ciphers.algorithm.AlgorithmCipher", "AlgorithmCipher"),
        ("com.atlassian.secrets.store.base64.Base64SecretStore", "Base64"),
        ("com.atlassian.secrets.store.algorithm.AlgorithmSecretStore", "AlgorithmSecretStore"),
        ("com.atlassian.secrets.store.aws.AwsSecretsManagerStore", "AWS Secrets Manager"),
        ("com.atlassian.secrets.store.vault.VaultSecretStore", "HashiCorp Vault"),
        ("com.example.OurCipher", "OurCipher"),
    ):
        row(kind.rpartition(".")[2], product, 1, OWN_LOGIN, (words,))(
            plain(product, password="c2VjcmV0LXRleHQ=", more={CIPHERS[product]: kind})
        )
    row("JSON of AWS without a class", product, 1, OWN_LOGIN, ("AWS Secrets Manager",))(
        plain(product, password='{"region":"eu-west-1","secretId":"x","secretPointer":"/password"}')
    )
    row("ENC()", product, 1, OWN_LOGIN, ("encrypted (ENC(...))",))(plain(product, password="ENC(c2VjcmV0)"))
    for placeholder in ("${DB_PASSWORD}", "{{ db_password }}", "@DB_PASSWORD@", "%DB_PASSWORD%"):
        row(f"password {placeholder}", product, 1, OWN_LOGIN, ("placeholder",))(plain(product, password=placeholder))
    row("user ${DB_USER}", product, 1, OWN_LOGIN, ("placeholder that was not filled in",))(
        plain(product, user="${DB_USER}")
    )
    row("URL ${DB_HOST}", product, 1, OFF, ("placeholder that was not filled in", "--database-url"))(
        plain(product, url="jdbc:postgresql://${DB_HOST}:5432/product")
    )
    row("H2", product, 1, OFF, ("H2",))(plain(product, url="jdbc:h2:/var/product/h2db"))
    row("no URL", product, 1, OFF, ("is missing or empty", "--database-url"))(plain(product, url=""))
    row("Azure's plug-in gives the password", product, 1, (), ("AzurePostgresqlAuthenticationPlugin",))(
        plain(
            product,
            password="",
            url=f"{PG}?authenticationPluginClassName=com.azure.identity.extensions.jdbc.postgresql."
            "AzurePostgresqlAuthenticationPlugin",
        )
    )


for product in ("jira", *HIBERNATE):
    name = "hibernate.connection.datasource" if product != "jira" else "jndi-datasource/jndi-name"
    row("JNDI", product, 1, OFF, ("(JNDI)", "--database-url"))(
        plain(product, url="", more={name: "java:comp/env/jdbc/ProductDS"})
    )


def _changed(product: str, change: Callable[[bytes], bytes]) -> Callable[[Path], list[str]]:
    def write(folder: Path) -> list[str]:
        home = write_any_home(folder, _type(product))
        file = home / FILES[_type(product)]
        file.write_bytes(change(file.read_bytes()))
        return ["--home", str(home)]

    return write


for product in ("jira", *HIBERNATE):
    row("raw & in the URL", product, 1, PRODUCT_LOGIN, ("write & as &amp;", "line "))(
        _changed(product, lambda text: text.replace(b"5432/product", b"5432/product?a=b&c=d"))
    )
    row("DOCTYPE", product, 1, PRODUCT_LOGIN, ("DOCTYPE",))(
        _changed(product, lambda text: text.replace(b"?>\n", b"?><!DOCTYPE x [<!ENTITY a 'b'>]>\n", 1))
    )
    row("byte order mark", product, 0, PRODUCT_LOGIN)(_changed(product, lambda text: b"\xef\xbb\xbf" + text))
    row("Windows line ends", product, 0, PRODUCT_LOGIN)(_changed(product, lambda text: text.replace(b"\n", b"\r\n")))
    row("UTF-16", product, 0, PRODUCT_LOGIN)(
        _changed(product, lambda text: text.decode().replace("UTF-8", "UTF-16").encode("utf-16"))
    )
    row("Latin-1", product, 0, PRODUCT_LOGIN)(
        _changed(product, lambda text: text.decode().replace("UTF-8", "ISO-8859-1").encode("latin-1"))
    )


def _without_file(product: str) -> Callable[[Path], list[str]]:
    def write(folder: Path) -> list[str]:
        home = write_any_home(folder, _type(product))
        (home / FILES[_type(product)]).unlink()
        return ["--product", product, "--home", str(home)]

    return write


for product in ALL:
    row("not set up yet: no file", product, 1, OFF, ("is missing", "--database-url"))(_without_file(product))


def _shared(folder: Path, *files: tuple[str, str]) -> list[str]:
    for name, text in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return ["--home", str(folder)]


row("shared home given", "jira", 10, (), ("shared home, not the local one", "--shared-home"))(
    lambda folder: _shared(folder / "s", ("data/attachments/x", ""), ("plugins/installed-plugins/a.jar", ""))
)
row("shared home given", "confluence", 10, (), ("shared home, not the local one",))(
    lambda folder: _shared(
        folder / "s",
        (
            "confluence.cfg.xml",
            hibernate_file(ROOTS["confluence"], {"confluence.cluster": "true", "hibernate.setup": "true"}),
        ),
        ("attachments/ver003/x", ""),
    )
)
row("shared home given", "bitbucket", 10, (), ("shared home, not the local one",))(
    lambda folder: _shared(folder / "s", ("bitbucket.properties", f"jdbc.url={PG}\n"), ("data/repositories/0/x", ""))
)
row("shared home given", "bamboo", 10, (), ("shared home, not the local one",))(
    lambda folder: _shared(folder / "s", ("configuration/administration.xml", "<a/>"), ("artifacts/x", ""))
)
row("shared home given", "crowd", 10, (), ("shared home, not the local one",))(
    lambda folder: _shared(folder / "shared", ("crowd.cfg.xml", hibernate_file("application-configuration", {})))
)
row("a folder of nobody", "jira", 10, (), ("No product is known by the folder", "--product"))(
    lambda folder: _shared(folder / "s", ("some/file", ""))
)
row("no folder", "jira", 10, (), ("There is no", "--home"))(lambda folder: ["--home", str(folder / "nowhere")])


def _elsewhere(product: str) -> Callable[[Path], list[str]]:
    """The charts' layout: the shared home is a volume of its own, and nothing of it lies in the home."""

    def write(folder: Path) -> list[str]:
        home = write_any_home(folder, _type(product))
        shared = (home / "shared").rename(folder / "shared-home")
        return ["--home", str(home), "--shared-home", str(shared)]

    return write


for product in ("bitbucket", "crowd"):
    row("shared home elsewhere, no --product", product, 0, (f'product = "{product}"', "shared-home"))(
        _elsewhere(product)
    )


def _jira_cluster(text: str) -> Callable[[Path], list[str]]:
    def write(folder: Path) -> list[str]:
        home = write_any_home(folder, _type("jira"))
        (home / "cluster.properties").write_text(text.replace("SHARED", str(home / "shared")))
        return ["--home", str(home)]

    return write


NODE = "jira.node.id = node1\njira.shared.home = SHARED\n"
row("cluster", "jira", 0, PRODUCT_LOGIN)(_jira_cluster(NODE))
row("cluster.properties of the image", "jira", 0)(_jira_cluster(f"{NODE}ehcache.peer.discovery = automatic\n"))
row("cluster.properties all comments", "jira", 0)(_jira_cluster("# jira.node.id = node1\n! x = y\n\n"))
row("cluster.properties empty", "jira", 0)(_jira_cluster(""))
row("keys twice: the last counts", "jira", 0)(_jira_cluster("jira.node.id = a\n" + NODE))
row("Windows line ends in cluster.properties", "jira", 0)(_jira_cluster(NODE.replace("\n", "\r\n")))
row("node id empty", "jira", 1, PRODUCT_LOGIN, ("jira.node.id", "--node-name"))(
    _jira_cluster("jira.node.id =\njira.shared.home = SHARED\n")
)
row("node id not filled in", "jira", 1, PRODUCT_LOGIN, ("placeholder",))(
    _jira_cluster("jira.node.id = ${NODE_ID}\njira.shared.home = SHARED\n")
)
row("shared home that is not mounted", "jira", 10, (), ("there is no folder",))(
    _jira_cluster("jira.node.id = a\njira.shared.home = /mnt/not/there\n")
)
row("database-type of a newer image", "jira", 0, PRODUCT_LOGIN)(
    _changed("jira", lambda text: text.replace(b"postgres72", b"postgresql"))
)


def _bitbucket(text: str, *options: str) -> Callable[[Path], list[str]]:
    def write(folder: Path) -> list[str]:
        home = folder / "bitbucket"
        (home / "shared").mkdir(parents=True)
        (home / "shared" / "bitbucket.properties").write_text(text)
        return ["--home", str(home), *options]

    return write


LOGIN = f"jdbc.url={PG}\njdbc.user=product_user\njdbc.password={PASSWORD}\n"
row("a comment that ends in a backslash", "bitbucket", 0, PRODUCT_LOGIN)(_bitbucket("# share \\\\srv\\bb\\\n" + LOGIN))
row("colons and blanks as separators", "bitbucket", 0, PRODUCT_LOGIN)(
    _bitbucket(f"jdbc.url : {PG.replace(':', chr(92) + ':')}\njdbc.user  product_user\njdbc.password:x\n")
)
row("a line that goes on", "bitbucket", 0, PRODUCT_LOGIN)(_bitbucket(LOGIN.replace("//db", "//\\\n     db")))
row("encrypted-property.cipher.classname", "bitbucket", 1, OWN_LOGIN, ("OurCipher",))(
    _bitbucket(LOGIN + "encrypted-property.cipher.classname=com.example.OurCipher\n")
)
row("only cluster switches: the rest by environment", "bitbucket", 1, OFF, ("JDBC_URL",))(
    _bitbucket("hazelcast.network.kubernetes=true\n", "--product", "bitbucket")
)


def _container(folder: Path) -> list[str]:
    """The image's home when all properties come by environment: no file at all, but the product's own log."""
    return _shared(folder / "bitbucket", ("log/atlassian-bitbucket.log", ""), ("shared/data/x", ""))


row("container, all by environment", "bitbucket", 1, (*OFF, 'product = "bitbucket"'), ("JDBC_URL", "--cluster no"))(
    _container
)
row("container, address given", "bitbucket", 1, OWN_LOGIN, ("database.password",))(
    lambda folder: [*_container(folder), "--database-url", PG]
)
row("container, no database wanted, single node", "bitbucket", 0, (*OFF, 'cluster = "no"'))(
    lambda folder: [*_container(folder), "--no-database", "--cluster", "no"]
)


def _bamboo(init: bool, inside: bool = False) -> Callable[[Path], list[str]]:
    def write(folder: Path) -> list[str]:
        home = write_any_home(folder, _type("bamboo"))
        if not inside:
            (home / "shared").rmdir()
        install, shared = folder / "install", folder / "bamboo-shared"
        classes = install / "atlassian-bamboo" / "WEB-INF" / "classes"
        classes.mkdir(parents=True)
        shared.mkdir()
        text = f"bamboo.home={home}\n" + (f"bamboo.shared.home={shared}\n" if init else "")
        (classes / "bamboo-init.properties").write_text(text)
        return ["--home", str(home), "--install", str(install), "--jmx-port", "9010"]

    return write


row("shared home in bamboo-init.properties", "bamboo", 0, ("/bamboo-shared",))(_bamboo(init=True))
row("shared home nowhere", "bamboo", 1, PRODUCT_LOGIN, ("Bamboo's shared home was not found", "--shared-home"))(
    _bamboo(init=False)
)
row("shared home inside", "bamboo", 0, ("bamboo-home/shared",))(_bamboo(init=False, inside=True))
row("clustering off", "crowd", 0, PRODUCT_LOGIN)(plain("crowd", more={"crowd.clustering.enabled": "false"}))
row("clustering on", "crowd", 0, PRODUCT_LOGIN)(plain("crowd", more={"crowd.clustering.enabled": "true"}))
row("Oracle, cluster not told", "crowd", 1, PRODUCT_LOGIN, ("dbms_lock",))(
    plain("crowd", url="jdbc:oracle:thin:@//db.example.com:1521/PRODUCT")
)


def _installed(product: str, *files: tuple[str, str]) -> Callable[[Path], list[str]]:
    def write(folder: Path) -> list[str]:
        home = write_any_home(folder, _type(product))
        install = folder / "install"
        install.mkdir()
        for name, text in files:
            (install / name).parent.mkdir(parents=True, exist_ok=True)
            (install / name).write_text(text)
        return ["--home", str(home), "--install", str(install)]

    return write


NO_LOGIN = "-Dcom.sun.management.jmxremote.authenticate=false -Dcom.sun.management.jmxremote.ssl=false"
OPEN = f'CATALINA_OPTS="-Dcom.sun.management.jmxremote.port=8686 {NO_LOGIN} ${{CATALINA_OPTS}}"\nexport CATALINA_OPTS\n'
row("installation without a start script", "bitbucket", 1, PRODUCT_LOGIN, ("No start script", "set-jmx-opts.sh"))(
    _installed("bitbucket")
)
row("set-jmx-opts.sh", "bitbucket", 0, ("port = 3333",))(
    _installed(
        "bitbucket",
        (
            "bin/set-jmx-opts.sh",
            "JMX_REMOTE_PORT=3333\nJMX_REMOTE_AUTH=ssl\n"
            'if [ -n "$JMX_REMOTE_PORT" ]; then\n'
            '  JMX_OPTS="-Dcom.sun.management.jmxremote.port=${JMX_REMOTE_PORT}"\nfi\n',
        ),
    )
)
row("set-jmx-opts.sh as shipped, nothing set", "bitbucket", 1, PRODUCT_LOGIN, ("opens no JMX port",))(
    _installed(
        "bitbucket",
        (
            "bin/set-jmx-opts.sh",
            "# JMX_REMOTE_PORT=3333\n"
            'if [ -n "$JMX_REMOTE_PORT" ]; then\n'
            '  JMX_OPTS="-Dcom.sun.management.jmxremote.port=${JMX_REMOTE_PORT}"\nfi\n',
        ),
    )
)
row("setenv.sh with a port", "jira", 0, ("port = 8686",))(_installed("jira", ("bin/setenv.sh", OPEN)))
row("setenv.sh, port in a variable set there", "confluence", 0, ("port = 17400",))(
    _installed("confluence", ("bin/setenv.sh", "JMX_PORT=17400\n" + OPEN.replace("8686", "$JMX_PORT")))
)
row(
    "setenv.sh, port in a variable set nowhere",
    "jira",
    1,
    PRODUCT_LOGIN,
    ("stands in a variable ($JMX_PORT)", "--jmx-port"),
)(_installed("jira", ("bin/setenv.sh", OPEN.replace("8686", "$JMX_PORT"))))
row("Crowd's Tomcat", "crowd", 0, ("port = 8686",))(_installed("crowd", ("apache-tomcat/bin/setenv.sh", OPEN)))
row("Jolokia", "jira", 0, ('transport = "jolokia"', 'url = "http://localhost:8778/jolokia"'))(
    _installed("jira", ("bin/setenv.sh", 'JAVA_OPTS="-javaagent:/opt/jolokia-agent.jar=port=8778,host=0.0.0.0"\n'))
)
row("JMX exporter", "confluence", 1, PRODUCT_LOGIN, ("JMX exporter",))(
    _installed(
        "confluence", ("bin/setenv.sh", 'JAVA_OPTS="-javaagent:/opt/jmx_prometheus_javaagent.jar=9999:/etc/e.yaml"\n')
    )
)
row("JMX with a login", "bamboo", 1, ("port = 8686",), ("asks for a login",))(
    _installed("bamboo", ("bin/setenv.sh", OPEN.replace("authenticate=false", "authenticate=true")))
)
