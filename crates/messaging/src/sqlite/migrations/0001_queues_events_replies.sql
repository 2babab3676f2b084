-- Times are microseconds since 1970-01-01 UTC. Properties are JSON, bodies are as they came.

-- Work. A message is one row from its publication to its end.
CREATE TABLE messages (
    id           INTEGER PRIMARY KEY,          -- the order of delivery
    queue        TEXT    NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('ready', 'delayed', 'leased', 'dead')),
    kind         TEXT    NOT NULL,
    message_id   TEXT    NOT NULL,
    properties   TEXT    NOT NULL,
    body         BLOB    NOT NULL,
    published_at INTEGER NOT NULL,
    unsettled    INTEGER NOT NULL DEFAULT 0,   -- deliveries in a row without a settlement, the present one included
    lease        TEXT,                         -- another one each time it is delivered
    due_at       INTEGER,
    reason       TEXT,
    died_at      INTEGER,
    CHECK ((state = 'leased')  = (lease IS NOT NULL)),
    CHECK ((state = 'delayed') = (due_at IS NOT NULL)),
    CHECK ((state = 'dead')    = (reason IS NOT NULL AND died_at IS NOT NULL))
) STRICT;

-- A publisher that repeats itself changes nothing while the first message is there.
CREATE UNIQUE INDEX messages_once    ON messages (queue, kind, message_id) WHERE state <> 'dead';
CREATE INDEX        messages_state   ON messages (queue, state, id);
CREATE INDEX        messages_delayed ON messages (due_at) WHERE state = 'delayed';

-- Listeners read from the last id they know, so an id is never used again.
CREATE TABLE events (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    routing_key  TEXT    NOT NULL,
    properties   TEXT    NOT NULL,
    body         BLOB    NOT NULL,
    published_at INTEGER NOT NULL
) STRICT;
CREATE INDEX events_time ON events (published_at);

-- Private queues. A reply is deleted once it was read, or when nobody came for it.
CREATE TABLE replies (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    address      TEXT    NOT NULL,
    properties   TEXT    NOT NULL,
    body         BLOB    NOT NULL,
    published_at INTEGER NOT NULL
) STRICT;
CREATE INDEX replies_address ON replies (address, id);
CREATE INDEX replies_time    ON replies (published_at);
