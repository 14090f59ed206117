"""Running trials: one trial, a pool of workers, requests to stop, tracking."""
