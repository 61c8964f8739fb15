"""Will this flight arrive more than 15 minutes late? New York City, 2013."""
