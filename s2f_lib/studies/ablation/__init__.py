"""Which part of the loss does the work: many runs that differ in one line each, and what they show."""
