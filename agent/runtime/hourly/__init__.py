"""The hourly run: close hours, seal, push or bundle, forget, tidy; a short process, by the daemon or by hand."""
