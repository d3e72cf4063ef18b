#!/usr/bin/env bash
# Orders into Kafka. Settings come from the environment: KAFKA_SERVERS, KAFKA_TOPIC (orders), GENERATION_RATE (orders
# per hour, 1000), DURATION (seconds; until Ctrl-C if not set). Flags of `python -m producers orders` can be given too.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=.venv/bin/python
[ -x "$python" ] || python=python3
echo "scripts/run_transaction_producer.sh is now: python -m producers orders" >&2
exec "$python" -m producers orders "$@"
