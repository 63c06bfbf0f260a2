"""What `make` runs besides the tools it installs."""
