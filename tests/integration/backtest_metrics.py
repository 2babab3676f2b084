"""Recomputes the metrics of `gatecast backtest` from its rows file, with nothing but the standard library.

    backtest_metrics.py DATA ROWS DOCUMENT

DATA: the file that was backtested (CSV, .gz or not; time stamps without an offset are a plain grid), for the scales.
ROWS: what --rows wrote. DOCUMENT: what --json printed. Exits with 1 and says what differs by more than 0.1 %.
"""

import csv
import datetime
import gzip
import json
import math
import sys
from collections import defaultdict

TOLERANCE = 1e-3
SEASON = datetime.timedelta(days=7)
UTC = datetime.timezone.utc


def main(data, rows, document):
    with open(rows, newline="") as file:
        rows = list(csv.DictReader(file))
    with open(document) as file:
        document = json.load(file)
    problems = check_counts(rows, document) + check_scales(rows, scales(data, first_origin(rows)))
    for result in document["results"]:
        for name, mine in metrics(rows, result["learner"]).items():
            if not close(mine, result[name]):
                problems.append(f"{result['learner']} {name}: {result[name]}, recomputed {mine}")
    if problems:
        sys.exit("\n".join(problems))
    learners = ", ".join(result["learner"] for result in document["results"])
    print(f"{len(rows)} rows, {len(document['results'])} learners agree: {learners}")


def check_counts(rows, document):
    series = {row["unique_id"] for row in rows}
    counted = (len(rows), len(series))
    if counted != (document["rows"], document["series"]):
        return [f"rows and series: {document['rows']}, {document['series']}, counted {counted}"]
    return []


def check_scales(rows, recomputed):
    written = {row["unique_id"]: row["scale"] for row in rows}
    wrong = []
    for series, scale in written.items():
        mine = recomputed.get(series)
        if not close(mine, float(scale) if scale else None):
            wrong.append(f"scale of {series}: {scale}, recomputed {mine}")
    return wrong


def scales(data, before):
    """The mean error of last week's value, of each series, before the first origin."""
    opened = gzip.open(data, "rt") if data.endswith(".gz") else open(data)
    values = defaultdict(dict)
    with opened as file:
        for row in csv.reader(file):
            try:
                at = datetime.datetime.fromisoformat(row[1])
            except ValueError:
                continue  # the header
            at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
            if at < before:
                values[row[0]][at] = float(row[2])
    of_series = {}
    for series, known in values.items():
        errors = [
            abs(value - known[at - SEASON])
            for at, value in known.items()
            if at - SEASON in known
        ]
        if errors and mean(errors) > 0:
            of_series[series] = mean(errors)
    return of_series


def first_origin(rows):
    return min(datetime.datetime.fromisoformat(row["origin"]) for row in rows)


def metrics(rows, learner):
    actual = [float(row["y"]) for row in rows]
    signed = [float(row[learner]) - y for row, y in zip(rows, actual)]
    errors = [abs(error) for error in signed]
    demand = sum(map(abs, actual))
    scaled = defaultdict(list)
    for row, error in zip(rows, errors):
        if row["scale"]:
            scaled[row["unique_id"]].append(error / float(row["scale"]))
    losses = sorted(loss for series in scaled.values() for loss in series)
    return {
        "mae": mean(errors),
        "wape": percent(sum(errors), demand),
        "rmse": math.sqrt(mean([error**2 for error in errors])),
        "mase": mean([mean(series) for series in scaled.values()]) if scaled else None,
        "bias": percent(sum(signed), demand),
        "p999": quantile(sorted(errors), 0.999),
        "cvar99": mean(losses[-math.ceil(len(losses) / 100) :]) if losses else None,
        "max": max(errors),
        "worst_day_wape": worst(rows, errors, lambda row: row["ds"][:10]),
        "worst_series_wape": worst(rows, errors, lambda row: row["unique_id"]),
    }


def worst(rows, errors, group):
    sums = defaultdict(lambda: [0.0, 0.0])
    for row, error in zip(rows, errors):
        sums[group(row)][0] += error
        sums[group(row)][1] += abs(float(row["y"]))
    return max((percent(error, demand) for error, demand in sums.values() if demand > 0), default=None)


def percent(part, whole):
    return 100 * part / whole if whole else None


def mean(values):
    return sum(values) / len(values)


def quantile(ascending, share):
    rank = share * (len(ascending) - 1)
    below, above = ascending[math.floor(rank)], ascending[math.ceil(rank)]
    return below + (above - below) * (rank - math.floor(rank))


def close(mine, other):
    if mine is None or other is None:
        return mine is other
    return abs(mine - other) <= TOLERANCE * abs(mine) + 1e-9


if __name__ == "__main__":
    main(*sys.argv[1:])
