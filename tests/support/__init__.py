"""Real parts that tests of several members share."""
