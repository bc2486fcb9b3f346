"""A PostgreSQL server in place of one RDS instance, on the loopback interface and with TLS."""
