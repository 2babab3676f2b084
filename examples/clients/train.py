"""Publishes a train job, and prints its id.

    python train.py amqp://user:password@host:5672/%2f bike-demand [--prefix P]

The gatekeeper's decision is announced on the exchange gatecast.events, and listed by `gatecast decisions MODEL`.
Needs pika: pip install -r requirements.txt
"""

import argparse
import datetime
import json
import uuid

import pika

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("url")
arguments.add_argument("model")
arguments.add_argument("--prefix", default="")
asked = arguments.parse_args()

connection = pika.BlockingConnection(pika.URLParameters(asked.url))
channel = connection.channel()
channel.confirm_delivery()
job_id = str(uuid.uuid4())  # the same id is the same job, however often it is published
channel.basic_publish(
    exchange=f"{asked.prefix}gatecast.jobs",
    routing_key=f"{asked.prefix}train-jobs",
    body=json.dumps(
        {
            "model": asked.model,
            "as_of": datetime.datetime.now(datetime.timezone.utc).isoformat(),
            "reason": "requested",
        }
    ).encode(),
    properties=pika.BasicProperties(
        type="train-job.v1",
        content_type="application/json",
        message_id=job_id,
        delivery_mode=pika.DeliveryMode.Persistent,
    ),
    mandatory=True,
)
print(job_id)
connection.close()
