"""Rows that a guardrail must pass over, one idea each: what outlived its parent, what the product made for itself, what
another row hides. They go into the databases of `filled`, whose counts they must leave as they are.

A trap may change a count that is said to include its rows: `changes` has by how much, by the metric's name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.support.product_databases import UPPER_ON_MYSQL


@dataclass(frozen=True, slots=True)
class Trap:
    """`idea` is what the rows are; `counts` are the metrics that the statement of before got wrong."""

    product: str
    idea: str
    rows: tuple[str, ...]
    counts: tuple[str, ...]
    changes: Mapping[str, int] = field(default_factory=dict)

    def statements(self, database: str) -> list[str]:
        """The rows as the database at hand has the tables' names."""
        if database != "mariadb" or self.product not in UPPER_ON_MYSQL:
            return [many(row) for row in self.rows]
        upper = re.compile(r"^(insert into|update|delete from) (?!cwd_)(\w+)")
        return [upper.sub(lambda found: f"{found[1]} {found[2].upper()}", many(row)) for row in self.rows]


def many(row: str) -> str:
    """`N x insert into ... select ... i ...`: the rows for i from 1 to N, within MariaDB's limit for recursion."""
    found = re.match(r"(\d+) x (.*?\)) select (.*)", row, re.DOTALL)
    if found is None:
        return row
    return (
        f"{found[2]} with recursive n(i) as (select 1 union all select i + 1 from n where i < {found[1]}) "
        f"select {found[3]} from n"
    )


GONE = 99_999  # the id of an issue, field, project, page that is not there

TRAPS = (
    Trap(
        "jira",
        "actions that are no comments",
        (
            "900 x insert into jiraaction (id, issueid, author, actiontype) select 600000 + i, 20002, 'bot', 'worklog'",
            "900 x insert into jiraaction (id, issueid, author, actiontype) select 610000 + i, 20003, 'bot', null",
        ),
        ("jira.guardrail.comments.per_issue.max", "jira.guardrail.index.missing.comments"),
    ),
    Trap(
        "jira",
        "other actions than comments take no issue over the limit",
        ("997 x insert into jiraaction (id, issueid, author, actiontype) select 620000 + i, 20008, 'bot', 'other'",),
        ("jira.guardrail.comments.issues_over_limit", "jira.guardrail.index.missing.comments"),
    ),
    Trap(
        "jira",
        "comments of a deleted issue",
        tuple(
            f"900 x insert into jiraaction (id, issueid, author, actiontype) "
            f"select {630_000 + 1000 * part} + i, {GONE}, 'user' || (i % 250), 'comment'"
            for part in range(2)
        ),
        (
            "jira.guardrail.comments.per_issue.max",
            "jira.guardrail.comments.issues_over_limit",
            "jira.guardrail.index.missing.comments",
        ),
        {"jira.guardrail.comments": 1800},
    ),
    Trap(
        "jira",
        "comments that nobody signed are of no author",
        tuple(
            f"900 x insert into jiraaction (id, issueid, author, actiontype) "
            f"select {640_000 + 1000 * part} + i, 20400 + i, null, 'comment'"
            for part in range(2)
        )
        + tuple(
            f"900 x insert into comment_version (comment_id, index_version, deleted) "
            f"select {640_000 + 1000 * part} + i, 1, 'N'"
            for part in range(2)
        ),
        ("jira.guardrail.comments.per_author.max",),
        {"jira.guardrail.comments": 1800},
    ),
    Trap(
        "jira",
        "history of a deleted issue",
        (
            f"100 x insert into changegroup (id, issueid) select 650000 + i, {GONE}",
            "300 x insert into changeitem (id, groupid) select 650000 + i, 650001",
        ),
        ("jira.guardrail.history.per_issue.max", "jira.guardrail.history.items_per_issue.max"),
        {"jira.guardrail.history.groups": 100, "jira.guardrail.history.items": 300},
    ),
    Trap(
        "jira",
        "worklogs of a deleted issue",
        (f"40 x insert into worklog (id, issueid) select 660000 + i, {GONE}",),
        ("jira.guardrail.index.missing.worklogs",),
        {"jira.guardrail.worklogs": 40},
    ),
    Trap(
        "jira",
        "sub-tasks are rows of links",
        ("200 x insert into issuelink (id, linktype, source, destination) select 670000 + i, 10001, 20005, 21000 + i",),
        ("jira.guardrail.links", "jira.guardrail.links.per_issue.max"),
    ),
    Trap(
        "jira",
        "stories of an epic are rows of links",
        ("200 x insert into issuelink (id, linktype, source, destination) select 671000 + i, 10002, 21000 + i, 20006",),
        ("jira.guardrail.links", "jira.guardrail.links.per_issue.incoming.max"),
    ),
    Trap(
        "jira",
        "links of a type that an app or a later version made for Jira itself",
        (
            "insert into issuelinktype (id, linkname, pstyle) values (10009, 'Parent', 'jira_parent_of_another_kind')",
            "200 x insert into issuelink (id, linktype, source, destination) "
            "select 672000 + i, 10009, 20006, 21000 + i",
        ),
        ("jira.guardrail.links", "jira.guardrail.links.per_issue.max"),
    ),
    Trap(
        "jira",
        "links from and to deleted issues",
        (
            "90 x insert into issuelink (id, linktype, source, destination) "
            f"select 673000 + i, 10000, {GONE}, 21000 + i",
            "90 x insert into issuelink (id, linktype, source, destination) "
            f"select 674000 + i, 10000, {GONE} + i, 20007",
            "90 x insert into issuelink (id, linktype, source, destination) "
            f"select 675000 + i, 10000, 20009, {GONE} + i",
        ),
        ("jira.guardrail.links.per_issue.max", "jira.guardrail.links.per_issue.incoming.max"),
        {"jira.guardrail.links": 270},
    ),
    Trap(
        "jira",
        "contexts of a deleted field",
        (
            "5 x insert into fieldconfigscheme (id, fieldid) select 676000 + i, 'customfield_99999'",
            "5 x insert into configurationcontext (id, customfield, fieldconfigscheme) "
            "select 676000 + i, 'customfield_99999', 676000 + i",
        ),
        ("jira.guardrail.custom_fields.contexts", "jira.guardrail.custom_fields.global_contexts"),
    ),
    Trap(
        "jira",
        "contexts of issue types and priorities",
        ("5 x insert into configurationcontext (id, customfield, fieldconfigscheme) select 677000 + i, 'priority', 1",),
        (),
    ),
    Trap(
        "jira",
        "a user in a second directory, where another state is noted",
        (
            "insert into cwd_directory (id, directory_name, active, directory_position) values (2, 'Second', 1, 1)",
            # Active ones again: not two users. Inactive ones as active: the first directory's word counts.
            "100 x insert into cwd_user (id, directory_id, user_name, lower_user_name, active) "
            "select 678000 + i, 2, 'User' || i, 'user' || i, 1",
        ),
        ("jira.guardrail.users.active",),
        {"jira.guardrail.users": 100},
    ),
    Trap(
        "jira",
        "a directory that is switched off",
        (
            "insert into cwd_directory (id, directory_name, active, directory_position) values (3, 'Off', 0, -1)",
            # It stands first, and nobody asks it: neither its own users count, nor does its word on others.
            "90 x insert into cwd_user (id, directory_id, user_name, lower_user_name, active) "
            "select 679000 + i, 3, 'only' || i, 'only' || i, 1",
            "90 x insert into cwd_user (id, directory_id, user_name, lower_user_name, active) "
            "select 679500 + i, 3, 'user' || i, 'user' || i, 0",
            "insert into cwd_group (id, group_name, lower_group_name, active, directory_id) "
            "values (679900, 'off', 'off', 1, 3)",
            "500 x insert into cwd_membership (id, parent_id, child_id, membership_type) "
            "select 680000 + i, 679900, 679000 + i, 'GROUP_USER'",
        ),
        ("jira.guardrail.users.active", "jira.guardrail.users_per_group.max"),
        {"jira.guardrail.users": 180, "jira.guardrail.groups": 1, "jira.guardrail.memberships": 500},
    ),
    Trap(
        "jira",
        "members of a deleted group",
        (
            f"500 x insert into cwd_membership (id, parent_id, child_id, membership_type) "
            f"select 681000 + i, {GONE}, 30000 + i, 'GROUP_USER'",
        ),
        ("jira.guardrail.users_per_group.max",),
        {"jira.guardrail.memberships": 500},
    ),
    Trap(
        "jira",
        "groups in a group are no members",
        (
            "500 x insert into cwd_membership (id, parent_id, child_id, membership_type) "
            "select 682000 + i, 32001, 32002, 'GROUP_GROUP'",
        ),
        (),
        {"jira.guardrail.memberships.nested": 500},
    ),
    Trap(
        "jira",
        "components, versions and a service desk of a deleted project",
        (
            f"9 x insert into component (id, project, cname) select 683000 + i, {GONE}, 'Left'",
            f"9 x insert into projectversion (id, project, vname) select 683000 + i, {GONE}, 'Left'",
            f'insert into "AO_54307E_SERVICEDESK" ("ID", "PROJECT_ID", "DISABLED") values (91, {GONE}, false)',
            f'insert into "AO_54307E_VIEWPORT" ("ID", "KEY", "PROJECT_ID") values (91, \'left\', {GONE})',
            '30 x insert into "AO_54307E_VIEWPORTFORM" ("ID", "KEY", "VIEWPORT_ID") select 900 + i, \'left\', 91',
            f'30 x insert into "AO_54307E_QUEUE" ("ID", "NAME", "PROJECT_ID") select 900 + i, \'Left\', {GONE}',
            '3 x insert into "AO_54307E_TIMEMETRIC" ("ID", "NAME", "SERVICE_DESK_ID") select 900 + i, \'Left\', 91',
            '3 x insert into "AO_54307E_GOAL" ("ID", "TIME_METRIC_ID") select 900 + i, 900 + i',
        ),
        (
            "jira.guardrail.components",
            "jira.guardrail.versions",
            *(f"jsm.guardrail.{name}" for name in ("service_desks", "service_desks.active", "request_types")),
            "jsm.guardrail.request_types.per_project.max",
            *(f"jsm.guardrail.{name}" for name in ("queues", "queues.per_project.max", "sla.metrics", "sla.goals")),
        ),
    ),
    Trap(
        "jira",
        "issues of a deleted project",
        (
            f"900 x insert into jiraissue (id, project, issuetype) select 700000 + i, {GONE}, '10002'",
            f"900 x insert into jiraissue (id, project, issuetype) select 701000 + i, {GONE}, '10002'",
            "900 x insert into issue_version (issue_id, index_version, deleted) select 700000 + i, 1, 'N'",
            "900 x insert into issue_version (issue_id, index_version, deleted) select 701000 + i, 1, 'N'",
        ),
        ("jira.guardrail.issues.per_project.max",),
        {"jira.guardrail.issues": 1800},
    ),
    Trap(
        "jira",
        "subscriptions to a deleted filter",
        (f"4 x insert into filtersubscription (id, filter_i_d) select 684000 + i, {GONE}",),
        ("jira.guardrail.subscriptions",),
    ),
    Trap(
        "confluence",
        "restrictions of old versions, drafts, trash and content that is gone",
        (
            *(
                "insert into content_perm_set (id, cont_perm_type, content_id) "
                f"values ({5000 + number}, 'View', {page})"
                for number, page in enumerate((2001, 7001, 8001, GONE))
            ),
            *(
                "40 x insert into content_perm (id, cp_type, groupname, cps_id) "
                f"select {5000 + 100 * number} + i, 'View', 'planted-left-' || i, {5000 + number}"
                for number in range(4)
            ),
        ),
        ("confluence.guardrail.restrictions.per_page.max", "confluence.guardrail.groups.in_restrictions"),
    ),
    Trap(
        "confluence",
        "attachments of a page in the trash, of a draft, and of no page",
        tuple(
            "60 x insert into content (contentid, contenttype, version, prevver, content_status, pageid) "
            f"select {30_000 + 100 * number} + i, 'ATTACHMENT', 1, null, 'current', {page}"
            for number, page in enumerate((8001, 7001, GONE, 9001))
        ),
        ("confluence.guardrail.attachments.per_page.max",),
        {
            "confluence.guardrail.attachments": 240,
            "confluence.guardrail.content": 240,
            "confluence.guardrail.index.objects": 240,
        },
    ),
    Trap(
        "confluence",
        "drafts name the page they are of as old versions do",
        (
            "60 x insert into content (contentid, contenttype, version, prevver, content_status) "
            "select 31000 + i, 'PAGE', 1, 1002, 'draft'",
        ),
        ("confluence.guardrail.pages.versions_kept.max",),
        {"confluence.guardrail.drafts": 60, "confluence.guardrail.content": 60},
    ),
    Trap(
        "confluence",
        "old versions of a page in the trash and of one that is gone, and the number of the newest of one in the trash",
        (
            "60 x insert into content (contentid, contenttype, version, prevver, content_status) "
            "select 32000 + i, 'PAGE', 1, 8001, 'current'",
            "60 x insert into content (contentid, contenttype, version, prevver, content_status) "
            f"select 33000 + i, 'PAGE', 1, {GONE}, 'current'",
            "update content set version = 99 where contentid in (8001, 7001)",
        ),
        ("confluence.guardrail.pages.versions_kept.max", "confluence.guardrail.pages.version.max"),
        {"confluence.guardrail.content": 120},
    ),
    Trap(
        "confluence",
        "drafts of comments are no pages, old versions of a page in the trash no further page",
        (
            "7 x insert into content (contentid, contenttype, version, prevver, content_status) "
            "select 34000 + i, 'COMMENT', 1, null, 'draft'",
            "7 x insert into content (contentid, contenttype, version, prevver, content_status) "
            "select 35000 + i, 'PAGE', 1, 8001, 'deleted'",
        ),
        ("confluence.guardrail.drafts", "confluence.guardrail.pages.trash"),
        {"confluence.guardrail.content": 14},
    ),
    Trap(
        "confluence",
        "pages and permissions of a space that is gone",
        (
            "200 x insert into content (contentid, contenttype, version, prevver, content_status, spaceid) "
            f"select 36000 + i, 'PAGE', 1, null, 'current', {GONE}",
            f"400 x insert into spacepermissions (permid, spaceid, permtype) select 36000 + i, {GONE}, 'VIEWSPACE'",
        ),
        ("confluence.guardrail.pages.per_space.max", "confluence.guardrail.permissions.per_space.max"),
        {
            "confluence.guardrail.pages": 200,
            "confluence.guardrail.content": 200,
            "confluence.guardrail.index.objects": 200,
        },
    ),
    Trap(
        "bitbucket",
        "shadowed users, users and a group of a directory that is switched off",
        (
            "insert into cwd_directory (id, directory_name, is_active, impl_class, directory_type) "
            "values (3, 'planted-directory', 'F', 'planted-class', 'INTERNAL')",
            "insert into cwd_app_dir_mapping (id, application_id, directory_id, allow_all, list_index) "
            "values (3, 1, 3, 'T', -1)",
            # In the second directory: active ones again, and inactive ones of the first as active.
            "100 x insert into cwd_user (id, user_name, lower_user_name, is_active, directory_id) "
            "select 40000 + i, 'planted-user', 'planted-user-' || i, 'T', 2",
            "50 x insert into cwd_user (id, user_name, lower_user_name, is_active, directory_id) "
            "select 41000 + i, 'planted-user', 'planted-only-' || i, 'T', 3",
            "50 x insert into cwd_user (id, user_name, lower_user_name, is_active, directory_id) "
            "select 42000 + i, 'planted-user', 'planted-user-' || i, 'F', 3",
            "insert into cwd_group (id, group_name, is_active, directory_id) values (4000, 'planted-group', 'T', 3)",
        ),
        ("bitbucket.guardrail.accounts.active", "bitbucket.guardrail.groups.active"),
        {"bitbucket.guardrail.accounts": 200, "bitbucket.guardrail.groups": 1},
    ),
    Trap(
        "confluence",
        "shadowed users and users of a directory that is switched off",
        (
            "insert into cwd_directory (id, directory_name, active, impl_class, directory_type) "
            "values (3, 'planted-directory', 'F', 'planted-class', 'INTERNAL'), "
            "(4, 'planted-directory', 'T', 'planted-class', 'INTERNAL')",
            "insert into cwd_app_dir_mapping (id, application_id, directory_id, allow_all, list_index) "
            "values (3, 1, 3, 'T', -1), (4, 1, 4, 'T', 2)",
            "100 x insert into cwd_user (id, user_name, lower_user_name, active, directory_id) "
            "select 40000 + i, 'planted-user', 'planted-user-' || i, 'T', 4",
            "50 x insert into cwd_user (id, user_name, lower_user_name, active, directory_id) "
            "select 41000 + i, 'planted-user', 'planted-only-' || i, 'T', 3",
            "50 x insert into cwd_user (id, user_name, lower_user_name, active, directory_id) "
            "select 42000 + i, 'planted-user', 'planted-user-' || i, 'F', 3",
        ),
        ("confluence.guardrail.users.active",),
        {"confluence.guardrail.users": 200},
    ),
    Trap(
        "bitbucket",
        "grants of users who are deleted",
        (
            "insert into sta_global_permission (id, perm_id, user_id) values (4000, 9, 1)",
            "5 x insert into sta_project_permission (id, perm_id, project_id, user_id) select 4000 + i, 4, 1, 2",
            "5 x insert into sta_repo_permission (id, perm_id, repo_id, user_id) select 4000 + i, 1, 1, 3",
        ),
        tuple(f"bitbucket.guardrail.permissions.{kind}" for kind in ("global", "project", "repository")),
    ),
    Trap(
        "bamboo",
        "results of a plan that was deleted",
        (
            "300 x insert into buildresultsummary (buildresultsummary_id, build_key, build_number, build_type) "
            "select 4000 + i, 'planted-gone', i, 'CHAIN'",
        ),
        ("bamboo.guardrail.results.per_plan.max",),
        {"bamboo.guardrail.results": 300, "bamboo.guardrail.results.plans": 300},
    ),
    Trap(
        "crowd",
        "active accounts and groups of a directory that is switched off",
        (
            "60 x insert into cwd_user (id, user_name, active, directory_id) select 4000 + i, 'planted-user', 'T', 4",
            "6 x insert into cwd_group (id, group_name, active, is_local, directory_id) "
            "select 4000 + i, 'planted-group', 'T', 'T', 4",
        ),
        ("crowd.guardrail.users.active", "crowd.guardrail.groups.active"),
        {"crowd.guardrail.users": 60, "crowd.guardrail.groups": 6},
    ),
)


def traps_of(product: str) -> tuple[Trap, ...]:
    """The traps that go into a product's database."""
    return tuple(trap for trap in TRAPS if trap.product == product)
