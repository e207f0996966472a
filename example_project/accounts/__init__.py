"""Users with a role."""
