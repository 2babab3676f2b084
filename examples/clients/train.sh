#!/bin/sh
# Publishes a train job with Debian's amqp-tools, waits for the gatekeeper's decision, and prints that as JSON.
#
#   train.sh amqp://user:password@host:5672/%2f bike-demand [PREFIX]
set -eu
url=$1 model=$2 prefix=${3:-}
id=$(cat /proc/sys/kernel/random/uuid) # the same id is the same job, however often it is published
replies="${prefix}replies.$id"

amqp-declare-queue --url="$url" --queue="$replies" >/dev/null
trap 'amqp-delete-queue --url="$url" --queue="$replies" >/dev/null' EXIT
printf '{"model": "%s", "as_of": "%s"}' "$model" "$(date --utc +%Y-%m-%dT%H:%M:%SZ)" |
    amqp-publish --url="$url" --exchange="${prefix}gatecast.jobs" --routing-key="${prefix}train-jobs" --persistent \
        --content-type=application/json --reply-to="$replies" \
        --header="x-type: train-job.v1" --header="x-message-id: $id" # these tools cannot set the properties
amqp-consume --url="$url" --queue="$replies" --no-ack --count=1 cat
