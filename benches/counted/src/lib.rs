//! What it costs in counts that no clock is needed for, each against a stored bound.
