"""A user's own model of classes: whether a flight arrives on time, late or very late."""
