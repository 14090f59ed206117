"""Choosing the parameters of the next trial, and stopping poor trials early."""
