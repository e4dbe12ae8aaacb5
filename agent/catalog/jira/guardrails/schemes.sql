-- counts: schemes by kind; every table is small
-- cost: S
-- versions: 8.3 and later
select
  (select count(*) from permissionscheme) as permission,
  (select count(*) from notificationscheme) as notification,
  (select count(*) from workflowscheme) as workflow,
  (select count(*) from issuesecurityscheme) as security,
  (select count(*) from issuetypescreenscheme) as screen,
  (select count(*) from fieldlayoutscheme) as field,
  (select count(*) from fieldscreenscheme) as screens
