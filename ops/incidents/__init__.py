"""What people tell the status page of an environment: incidents and maintenances."""
