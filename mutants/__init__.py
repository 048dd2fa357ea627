"""Mutation testing: change the core in one place, and see whether a test notices."""
