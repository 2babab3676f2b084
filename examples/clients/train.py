"""Publishes a train job, waits for the gatekeeper's decision, and prints that as JSON.

    python train.py amqp://user:password@host:5672/%2f bike-demand [--named] [--msgpack] [--prefix P]

"decision" is model-promoted.v1 or candidate-refused.v1. Who does not want to wait leaves reply_to out: the decision is
announced on the exchange gatecast.events too, and listed by `gatecast decisions MODEL`.
Needs pika (and msgpack for --msgpack): pip install -r requirements.txt
"""

import datetime
import json

from asking import ask, command_line

asked = command_line(__doc__)
decision, reasons = ask(
    asked,
    queue="train-jobs",
    kind="train-job.v1",
    message={
        "model": asked.model,
        "as_of": datetime.datetime.now(datetime.timezone.utc).isoformat(),
        "reason": "requested",
    },
    patience_seconds=30 * 60,
    expires=False,
)
print(json.dumps({"decision": decision, **reasons}))
