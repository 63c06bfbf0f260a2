"""Names: dial strings, services, and the two translators of a gateway, cs and dns."""
