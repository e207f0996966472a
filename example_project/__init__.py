"""A site one would really run: users with roles, an API, a devices page, the admin."""
