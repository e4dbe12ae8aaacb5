"""The small fixed set of request classes: what leaves in place of a path.

Only the beginning of a path is looked at, and only against this table; whatever is not in it is "other".
"""

from __future__ import annotations

OTHER = "other"

_TABLE: dict[str, tuple[str, ...]] = {
    "page": (
        "/",
        *("/browse", "/secure", "/projects", "/issues", "/servicedesk", "/jira", "/plan", "/Dashboard.jspa"),
        *("/display", "/pages", "/spaces", "/wiki", "/x", "/index.action", "/dashboard.action", "/dosearchsite.action"),
        *("/repos", "/users", "/dashboard", "/admin", "/console", "/build", "/deploy", "/agent"),
    ),
    "rest": ("/rest", "/rpc"),
    "browser-metrics": ("/rest/analytics",),  # browsers send their timings here
    "static": (
        *("/s", "/static", "/images", "/includes", "/styles", "/jslibs", "/favicon.ico"),
        *("/download/resources", "/download/batch", "/download/contextbatch", "/download/superbatch"),
        *("/secure/useravatar", "/secure/projectavatar", "/secure/viewavatar"),
    ),
    "attachment": ("/download", "/secure/attachment", "/secure/thumbnail", "/attachments"),
    "servlet": ("/plugins",),
    "login": ("/login.jsp", "/login.action", "/dologin.action", "/login", "/j_atl_security_check"),
    "health": ("/status", "/server-status", "/monitoring"),
    "scm": ("/scm", "/git"),
}

CLASSES = (*_TABLE, OTHER)
CLASS_OF: dict[bytes, str] = {path.encode(): name for name, paths in _TABLE.items() for path in paths}

_DEEP = sorted((path for path in CLASS_OF if path.count(b"/") > 1), reverse=True)
# The expression for the beginning of a path: one of the two-part ones of the table, else the first part.
BEGINNINGS = b"(?:" + b"|".join(_DEEP) + rb")(?=[/ ?;\"\\\n])|/[^/ ?;\"\\\n]*+"
