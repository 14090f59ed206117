"""The parameters of a trial: their names, their values, and their effect on the trial.

A namespace is an object that knows some names, converts their values and applies them to a trial. To add one, write it
in a module of this package (`namespace.ParameterNamespace` is the protocol) and add it to `namespaces.NAMESPACES`.
"""
