"""What the JDBC drivers of each database take for a URL; one module a database, put together in `database/jdbc.py`."""
