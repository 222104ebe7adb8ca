"""Entities, rules, events, errors and ports. Imports nothing but the standard library."""
