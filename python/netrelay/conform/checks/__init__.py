"""The checks, a module a subject. Each is a claim with its source; `suite` says in which order."""
