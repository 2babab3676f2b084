"""Puts one message on a queue of Gatecast and waits for its reply: all that a client needs. Needs pika."""

import argparse
import json
import sys
import time
import uuid

import pika


def command_line(description):
    """What the examples are told: URL MODEL [--named] [--msgpack] [--prefix P]."""
    arguments = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("url", help="amqp://user:password@host:5672/%%2f")
    arguments.add_argument("model")
    arguments.add_argument("--named", action="store_true", help="wait on a queue of our own")
    arguments.add_argument("--msgpack", action="store_true", help="speak MessagePack instead of JSON")
    arguments.add_argument("--prefix", default="", help="of the exchange and the queues, where they have one")
    return arguments.parse_args()


def ask(asked, queue, kind, message, *, patience_seconds, expires):
    """Publishes `message` onto `queue`; returns the reply's kind and body.

    `expires`: nobody wants the reply later, so the work may be dropped then. Otherwise it is done whoever waits.
    """
    content_type, encode, decode = encoding(asked.msgpack)
    connection = pika.BlockingConnection(pika.URLParameters(asked.url))
    channel = connection.channel()
    channel.confirm_delivery()  # with mandatory: a message that no queue takes is an error, not a silence

    message_id = str(uuid.uuid4())  # the same id is the same work, however often it is published
    if asked.named:
        # Replies go to queues whose names begin with "replies." only (after the prefix).
        reply_to = f"{asked.prefix}replies.{message_id}"
        channel.queue_declare(reply_to, exclusive=True, auto_delete=True)
    else:
        reply_to = "amq.rabbitmq.reply-to"  # must be consumed on the channel that publishes

    replies = []

    def on_reply(_channel, _method, properties, body):
        if properties.correlation_id == message_id:
            replies.append((properties.type, decode(body)))
            channel.stop_consuming()

    channel.basic_consume(reply_to, on_reply, auto_ack=True)
    channel.basic_publish(
        exchange=f"{asked.prefix}gatecast.jobs",
        routing_key=f"{asked.prefix}{queue}",
        body=encode(message),
        properties=pika.BasicProperties(
            type=kind,
            content_type=content_type,
            message_id=message_id,
            correlation_id=message_id,
            reply_to=reply_to,
            delivery_mode=pika.DeliveryMode.Transient if expires else pika.DeliveryMode.Persistent,
            headers={"x-deadline": int((time.time() + patience_seconds) * 1000)} if expires else None,
        ),
        mandatory=True,
    )
    connection.call_later(patience_seconds, channel.stop_consuming)
    channel.start_consuming()
    connection.close()
    if not replies:
        sys.exit(f"no reply to {message_id} within {patience_seconds} s")
    return replies[0]


def encoding(msgpack_wanted):
    """Content type, encoder and decoder. The reply comes in the request's encoding."""
    if msgpack_wanted:
        import msgpack

        return "application/msgpack", msgpack.packb, msgpack.unpackb
    return "application/json", lambda message: json.dumps(message).encode(), json.loads
