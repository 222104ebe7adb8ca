"""Measurements behind every claim about speed. `python -m benchmarks` lists them; README.md says what each means."""
