"""A trial's parameters: which names there are, which values they take, and what they change about the trial."""
