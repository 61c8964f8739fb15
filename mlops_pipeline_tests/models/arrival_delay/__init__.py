"""A user's own model of numbers: how many minutes late a flight from Kennedy arrives."""
