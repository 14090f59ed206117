"""The conformance suites."""

from .backend import BackendSuite
from .search_method import SearchMethodSuite
from .trainer import TrainerSuite

__all__ = ["TrainerSuite", "SearchMethodSuite", "BackendSuite"]
