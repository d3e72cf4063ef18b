"""What the loop's benchmark is made of: services, load, and one module per question."""
