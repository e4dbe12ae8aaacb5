"""What browsers met: request figures from Tomcat's access log, Apdex on "ready for user" from Jira's Apdex log.

In:   log files, read as bytes while they grow, from where the last stored tick left off.
Out:  counts by a small fixed set of request classes, status classes and durations; Apdex by page kind. A group of fewer
      than `smallest_group` requests stays here until it has grown. No line, path, user name or address outlives the
      chunk it was read in.
      "Ready for user" in milliseconds is in no log whose form is published: the analytics log's is not, so it is not
      guessed at. What Jira aggregates of it (satisfied, tolerating, frustrated views) is what there is.
"""
