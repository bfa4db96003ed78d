-- What manifests say of tracks: read from the nodes that hold them, and no part of the state. What a hash names never
-- changes, so that nothing has to be undone here.

CREATE TABLE manifest_seen (
  manifest text COLLATE "C" PRIMARY KEY,
  -- Operators that give out the keys of a premium track; none for one that is not encrypted.
  key_holders text[] NOT NULL
);

-- Tracks whose manifests are still to be read, and when.
CREATE TABLE manifest_due (
  track text COLLATE "C" PRIMARY KEY,
  attempts integer NOT NULL DEFAULT 0,
  at_ms bigint NOT NULL DEFAULT 0
);
CREATE INDEX manifest_due_next ON manifest_due (at_ms);

INSERT INTO manifest_due (track) SELECT id FROM track;
