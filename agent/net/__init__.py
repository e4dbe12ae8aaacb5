"""What every conversation with another machine shares: a deadline, a TLS policy, sockets, HTTP."""
