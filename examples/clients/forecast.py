"""Asks for a forecast over RabbitMQ and prints the reply as JSON.

    python forecast.py amqp://user:password@host:5672/%2f bike-demand
    python forecast.py URL MODEL --named        waits on a queue of its own instead of RabbitMQ's direct reply-to
    python forecast.py URL MODEL --msgpack      speaks MessagePack instead of JSON
    python forecast.py URL MODEL --prefix P     where the exchange and queues have a prefix

Needs pika (and msgpack for --msgpack): pip install -r requirements.txt
"""

import json

from asking import ask, command_line

asked = command_line(__doc__)
_kind, reply = ask(
    asked,
    queue="forecast-requests",
    kind="forecast-request.v1",
    message={"model": asked.model},
    patience_seconds=30,
    expires=True,
)
print(json.dumps(reply))
