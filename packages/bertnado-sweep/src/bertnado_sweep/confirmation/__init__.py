"""Confirmation: the best trials of a sweep are trained anew with fresh seeds, and ranked by their means."""
