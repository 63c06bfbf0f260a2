"""Side-by-side benchmarks of netrelay and what a user would pick instead; see README.md."""
