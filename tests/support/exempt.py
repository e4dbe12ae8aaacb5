"""Columns of the test schemas in which some rows, or all, keep their value instead of a planted text, and why.

A test holds these lists against what happened: a column that is new here needs a reason.
"""

from __future__ import annotations

KIND = "a word of the product by which its statement counts; people cannot type one"
KEY = "the key under which the product stores a value that is read"
MODULE = "the row that a statement must pass over, told by its colon; the other rows are planted"

# Only the rows whose value a statement looks for are kept, every other row is planted.
KEPT: dict[str, dict[str, str]] = {
    "jira": {
        "clusternode.node_state": KIND,
        "cwd_membership.membership_type": KIND,
        "feature.feature_type": KIND,
        "feature.user_key": "an empty one says that the flag is the site's; those of users are planted",
        "jiraaction.actiontype": KIND,
        "pluginversion.pluginkey": MODULE,
        "propertyentry.entity_name": KIND,
        "propertyentry.property_key": KEY,
        "propertystring.propertyvalue": "the product family of a link; every other value is planted",
    },
    "confluence": {
        "bandana.bandanacontext": KIND,
        "bandana.bandanakey": KEY,
        "content.contenttype": KIND,
        "content.content_status": KIND,
        "contentproperties.propertyname": KEY,
        "spaces.spacetype": KIND,
        "spaces.spacestatus": KIND,
    },
    "bitbucket": {
        "app_property.prop_key": KEY,
        "cwd_membership.membership_type": KIND,
        "plugin_setting.key_name": KEY,
        "plugin_setting.key_value": "the product family of a link; every other value is planted",
        "plugin_state.name": MODULE,
    },
    "bamboo": {"build.build_type": KIND, "buildresultsummary.build_type": KIND},
    "crowd": {
        "cwd_membership.membership_type": KIND,
        "cwd_property.property_key": KEY,
        "cwd_property.property_name": KEY,
    },
}

FLAG = "one character, a truth value"
# Columns too short for a planted text.
SHORT: dict[str, dict[str, str]] = {
    "jira": {
        "comment_version.deleted": FLAG,
        "issue_version.deleted": FLAG,
        "jiraissue.archived": FLAG,
        "worklog_version.deleted": FLAG,
    },
    "confluence": {
        "confversion.finalized": FLAG,
        "cwd_group.active": FLAG,
        "cwd_user.active": FLAG,
        "cwd_directory.active": FLAG,
        "cwd_app_dir_mapping.allow_all": FLAG,
    },
    "bitbucket": {
        "cwd_group.is_active": FLAG,
        "cwd_user.is_active": FLAG,
        "cwd_directory.is_active": FLAG,
        "cwd_app_dir_mapping.allow_all": FLAG,
    },
    "bamboo": {},
    "crowd": {
        "cwd_app_dir_mapping.allow_all": FLAG,
        "cwd_app_licensing.active": FLAG,
        "cwd_application.active": FLAG,
        "cwd_directory.active": FLAG,
        "cwd_group.active": FLAG,
        "cwd_group.is_local": FLAG,
        "cwd_user.active": FLAG,
    },
}

# What Extended names, by the column it is read from: names. A key or a flag that does not look like one (a planted text
# has a space) is hashed under it too. Of tables of keys and values by the key, ids in it as `*`.
NAMED: dict[str, set[str]] = {
    "jira": {
        "pluginversion.pluginname",
        "propertystring.propertyvalue[applinks.admin.*.name]",
    },
    "confluence": {
        "bandana.bandanavalue[applinks.admin.*.name]",
        "bandana.bandanavalue[confluence.darkfeature]",
    },
    "bitbucket": {"plugin_setting.key_value[applinks.admin.*.name]"},
    "bamboo": set(),
    "crowd": set(),
}
# The same of the app manager's answers.
NAMED_BY_MANAGER = {"app.name"}
