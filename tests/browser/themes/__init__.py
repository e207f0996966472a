"""The example project in the dress of other admins: a settings module each."""
