"""Tables of the products that hold credentials, licences, keys or what people wrote, with a planted row in each.

Names and columns after the products' published schemas; only what a test needs of them is here. Where a product's own
test schema has the table, its rows are planted there.
"""

from __future__ import annotations

SECRET = "planted-credential"
# Table -> column that must not be read. Made for every product: a role that cannot read them in one reads them in none.
EVERYWHERE = {
    "oauthconsumer": "private_key",
    "oauthconsumertoken": "token_secret",
    "oauthsptoken": "token_secret",
    "cwd_user_credential_record": "password_hash",
    "cwd_directory_attribute": "attribute_value",
    "cwd_token": "random_hash",
    "cwd_expirable_user_token": "token",
    "cwd_webhook": "token",
    "cwd_saml_trust_entity_idp": "private_key",
    "cwd_synchronisation_token": "sync_status_token",
    "remembermetoken": "token",
    "sta_remember_me_token": "token",
    "trustedapp": "public_key",
    "keystore": "keyspec",
    "current_app": "private_key_base64",
    "mailserver": "mailpassword",
    "secret": "value_of",
    "securityproperty": "value_of",
    "userbase": "password_hash",
    "audit_log": "author_key",
    "AO_81F455_PERSONAL_TOKEN": "TOKEN",
    "AO_723324_CLIENT_CONFIG": "CLIENT_SECRET",
    "AO_FE1BC5_CLIENT": "CLIENT_SECRET",
    "AO_2C4E5C_MAILCONNECTION": "PASSWORD",
    "AO_ED669C_IDP_CONFIG": "CERTIFICATE",
    "AO_589059_RULE_SECRET": "SECRET",
    "AO_E8B6CC_ORGANIZATION_MAPPING": "ACCESS_TOKEN",
    "AO_97EDAB_USERINVITATION": "TOKEN",
    "AO_C77861_AUDIT_ENTITY": "SEARCH_STRING",
}
# Columns of tables that the account reads otherwise, by product; every product has cwd_user but Bamboo's test schema.
COLUMNS: dict[str, tuple[tuple[str, str], ...]] = {
    "jira": (
        ("cwd_user", "credential"),
        ("cwd_user", "email_address"),
        ("cwd_user", "display_name"),
        ("productlicense", "license"),
        ("jiraissue", "summary"),
        ("jiraaction", "actionbody"),
        ("jiraaction", "author"),
        ("propertytext", "propertyvalue"),
        ("clusternode", "ip"),
        ("fileattachment", "filename"),
        ("AO_A0B856_WEBHOOK", "URL"),
    ),
    "confluence": (
        ("cwd_user", "credential"),
        ("cwd_user", "user_name"),
        ("cwd_user", "email_address"),
        ("content", "title"),
        ("content", "creator"),
        ("spaces", "spacename"),
        ("spaces", "spacekey"),
        ("content_perm", "username"),
        ("content_perm", "groupname"),
        ("spacepermissions", "permusername"),
        ("plugindata", "data"),
        ("contentproperties", "stringval"),
    ),
    "bitbucket": (
        ("cwd_user", "credential"),
        ("cwd_user", "user_name"),
        ("cwd_user", "email_address"),
        ("cwd_group", "group_name"),
        ("repository", "name"),
        ("sta_pull_request", "title"),
        ("sta_normal_user", "name"),
    ),
    "bamboo": (("build", "title"), ("project", "title"), ("project", "project_key"), ("queue", "title")),
    "crowd": (
        ("cwd_user", "credential"),
        ("cwd_user", "user_name"),
        ("cwd_user", "email_address"),
        ("cwd_application", "credential"),
        ("cwd_application", "application_name"),
        ("cwd_directory", "directory_name"),
        ("cwd_cluster_heartbeat", "node_name"),
        ("cwd_membership", "child_name"),
    ),
}
# Tables of which the account sees single rows, by product: what is planted in the others.
FILTERED: dict[str, tuple[str, ...]] = {
    "jira": ("propertystring", "propertyentry", "feature"),
    "confluence": ("bandana",),
    "bitbucket": ("plugin_setting", "app_property"),
    "bamboo": (),
    "crowd": ("cwd_property",),
}
# Rows beside those of the test schemas, so that each filter has every kind of secret to keep away.
_LINK = "applinks.admin.0a0b0c0d-1111-3222-8333-444455556666"
_HIDDEN = ("auth.OAuthAuthenticationProvider", "auth.type", "auth.name", "auth.rpc.url", "oauth.request.url")
ROWS: dict[str, tuple[str, ...]] = {
    "jira": (
        f"insert into productlicense values (1, '{SECRET}')",
        "insert into propertyentry values (900, 'jira.properties', 1, 'mail.password', 5),"
        " (901, 'jira.properties', 1, 'jira.trustedapp.key.private.data', 5), (902, 'Other', 1, 'jira.baseurl', 5)",
        f"insert into propertystring values (900, '{SECRET}'), (901, '{SECRET}'), (902, '{SECRET}')",
        *(
            f"insert into propertyentry values ({910 + at}, 'jira.properties', 1, '{_LINK}.{key}', 5)"
            for at, key in enumerate(_HIDDEN)
        ),
        *(f"insert into propertystring values ({910 + at}, '{SECRET}')" for at in range(len(_HIDDEN))),
    ),
    "confluence": (
        f"insert into bandana values (900, '_GLOBAL', 'com.atlassian.confluence.license', '{SECRET}')",
        f"insert into bandana values (901, '_GLOBAL', 'atlassian.user.registration.token', '{SECRET}')",
        f"insert into bandana values (902, 'DEMO', 'confluence.server.id', '{SECRET}')",
        f"update bandana set bandanavalue = '<s><mail>{SECRET}</mail><baseUrl>https://wiki.example.com</baseUrl>{SECRET}'"
        " where bandanakey = 'atlassian.confluence.settings'",
        *(
            f"insert into bandana values ({910 + at}, '_GLOBAL', '{_LINK}.x{key}', '{SECRET}')"
            for at, key in enumerate(_HIDDEN)
        ),
    ),
    "bitbucket": (
        f"insert into app_property values ('setup.secret', '{SECRET}')",
        *(
            f"insert into plugin_setting values ('x', '{_LINK}.x{key}', '{SECRET}', {910 + at})"
            for at, key in enumerate(_HIDDEN)
        ),
    ),
    "bamboo": (),
    "crowd": (
        f"insert into cwd_property values ('crowd', 'license', '{SECRET}'), ('plugin.x', 'base.url', '{SECRET}')",
        f"insert into cwd_property values ('crowd', 'mailserver.password', '{SECRET}')",
    ),
}


def plant(product: str, upper: bool = False, quote: str = '"') -> list[str]:
    """The statements that plant secrets in a database that has the product's own tables; `upper` as MySQL spells."""
    own = ROWS[product]
    if upper and product == "confluence":
        own = tuple(
            sql.replace("into bandana", "into BANDANA").replace("update bandana", "update BANDANA") for sql in own
        )
    made = []
    for table, column in EVERYWHERE.items():
        made.append(f"create table {quote}{table}{quote} (id bigint, {quote}{column}{quote} varchar(200))")
        made.append(f"insert into {quote}{table}{quote} values (1, '{SECRET}')")
    return [*own, *made]
