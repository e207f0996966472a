"""A page of a site's own: ``path("account/devices/", include("jwt_revoke.devices.urls"))``.

It shows somebody where they are signed in, and needs no JavaScript: it goes by Django's session,
or by an access token. ``{% jwt_revoke_devices %}`` puts the list of it into another page.
"""
