"""A CI/CD pipeline for machine-learning models: data to users and back again, by evidence."""
