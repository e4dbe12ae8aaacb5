"""The demo product: a JVM with Jira's MBeans, a Jira home and a Jira database with moving rows.

For trying the agent; never imported by it.
"""
