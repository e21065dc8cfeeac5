"""Gymnasium environments: one class for all tasks, and one module per domain for its simulator."""
