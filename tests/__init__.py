"""Tests of netrelay; see CONTRIBUTING.md."""
