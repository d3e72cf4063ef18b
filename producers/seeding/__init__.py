"""The seeder: transactions, orders and clicks into Kafka, with a few bad records of every kind."""
