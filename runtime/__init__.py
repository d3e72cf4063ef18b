"""What every process of Twinstream needs: settings, logging, metrics and health, the Kafka client."""
