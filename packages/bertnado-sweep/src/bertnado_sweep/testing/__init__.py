"""Conformance suites for trainers, search methods and backends, and a W&B server for tests."""
