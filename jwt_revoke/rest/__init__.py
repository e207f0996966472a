"""The endpoints (DESIGN §6): serializers, views and their routes."""
