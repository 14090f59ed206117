"""The records of a sweep: trials, files of the output directory, the best trial."""
