"""Find good training settings for DNA language models."""
