"""Choosing the parameters of the next trial, and stopping poor trials early."""

from .base import SearchMethod, SearchState, get_method, register_method, registered_methods
from .bayes import BayesSearch
from .grid import GridSearch
from .random import RandomSearch

register_method(RandomSearch())
register_method(GridSearch())
register_method(BayesSearch())

__all__ = ["SearchMethod", "SearchState", "get_method", "register_method", "registered_methods"]
