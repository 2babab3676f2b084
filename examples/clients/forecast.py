"""Asks for a forecast over RabbitMQ and prints the reply as JSON.

    python forecast.py amqp://user:password@host:5672/%2f bike-demand
    python forecast.py URL MODEL --named        waits on a queue of its own instead of RabbitMQ's direct reply-to
    python forecast.py URL MODEL --msgpack      speaks MessagePack instead of JSON
    python forecast.py URL MODEL --prefix P     where the exchange and queues have a prefix

Needs pika (and msgpack for --msgpack): pip install -r requirements.txt
"""

import argparse
import json
import sys
import time
import uuid

import pika

DEADLINE_SECONDS = 30

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("url")
arguments.add_argument("model")
arguments.add_argument("--prefix", default="")
arguments.add_argument("--named", action="store_true")
arguments.add_argument("--msgpack", action="store_true")
asked = arguments.parse_args()

if asked.msgpack:
    import msgpack

    content_type, encode, decode = "application/msgpack", msgpack.packb, msgpack.unpackb
else:
    content_type, encode, decode = "application/json", lambda body: json.dumps(body).encode(), json.loads

connection = pika.BlockingConnection(pika.URLParameters(asked.url))
channel = connection.channel()
channel.confirm_delivery()  # a message that no queue takes is an error, not a silence

message_id = str(uuid.uuid4())
if asked.named:
    # Replies go to queues whose names begin with "replies." only (after the prefix).
    reply_to = f"{asked.prefix}replies.{message_id}"
    channel.queue_declare(reply_to, exclusive=True, auto_delete=True)
else:
    reply_to = "amq.rabbitmq.reply-to"  # must be consumed on the channel that publishes


def on_reply(_channel, _method, properties, body):
    if properties.correlation_id == message_id:
        print(json.dumps(decode(body)))
        channel.stop_consuming()


channel.basic_consume(reply_to, on_reply, auto_ack=True)
channel.basic_publish(
    exchange=f"{asked.prefix}gatecast.jobs",
    routing_key=f"{asked.prefix}forecast-requests",
    body=encode({"model": asked.model}),
    properties=pika.BasicProperties(
        type="forecast-request.v1",
        content_type=content_type,
        message_id=message_id,
        correlation_id=message_id,
        reply_to=reply_to,
        # Work past this instant is dropped before it is computed.
        headers={"x-deadline": int((time.time() + DEADLINE_SECONDS) * 1000)},
    ),
    mandatory=True,
)
connection.call_later(DEADLINE_SECONDS, lambda: sys.exit(f"no reply within {DEADLINE_SECONDS} s"))
channel.start_consuming()
