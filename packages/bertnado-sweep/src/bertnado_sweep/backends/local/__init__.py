"""The local backend: no account, any number of workers and machines."""
