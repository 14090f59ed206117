"""Jobs of a scheduler that work on one sweep: submitting them, their record, watching and cancelling them."""
