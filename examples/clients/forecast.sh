#!/bin/sh
# Asks for a forecast with Debian's amqp-tools and prints the reply as JSON.
#
#   forecast.sh amqp://user:password@host:5672/%2f bike-demand [PREFIX]
set -eu
url=$1 model=$2 prefix=${3:-}
id=$(cat /proc/sys/kernel/random/uuid)
replies="${prefix}replies.$id"

amqp-declare-queue --url="$url" --queue="$replies" >/dev/null
trap 'amqp-delete-queue --url="$url" --queue="$replies" >/dev/null' EXIT
printf '{"model": "%s"}' "$model" |
    amqp-publish --url="$url" --exchange="${prefix}gatecast.jobs" --routing-key="${prefix}forecast-requests" \
        --content-type=application/json --reply-to="$replies" \
        --header="x-type: forecast-request.v1" --header="x-message-id: $id" # these tools cannot set the properties
amqp-consume --url="$url" --queue="$replies" --no-ack --count=1 cat
