-- What tracks sound like, as creator nodes have measured it: read from the nodes that hold them, and no part of the state.

-- Chromaprint of the beginning of a track, as signed 32-bit items.
CREATE TABLE fingerprint (
  track text COLLATE "C" PRIMARY KEY,
  manifest text NOT NULL,
  items integer[] NOT NULL,
  -- A few of the items, chosen by what they are and not by where they stand: tracks that share some may be alike.
  keys integer[] NOT NULL
);
CREATE INDEX fingerprint_keys ON fingerprint USING gin (keys);

-- Tracks that are still to be read, and when.
CREATE TABLE fingerprint_due (
  track text COLLATE "C" PRIMARY KEY,
  attempts integer NOT NULL DEFAULT 0,
  at_ms bigint NOT NULL
);
CREATE INDEX fingerprint_due_next ON fingerprint_due (at_ms);

-- The last action whose track was noted as due. One row at most.
CREATE TABLE fingerprint_progress (
  only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
  block bigint NOT NULL,
  log_index bigint NOT NULL
);

-- Tracks that sound alike, each pair both ways.
CREATE TABLE likeness (
  track text COLLATE "C" NOT NULL,
  other text COLLATE "C" NOT NULL,
  -- Of a thousand bits so many differ.
  errors_per_mille integer NOT NULL,
  -- By how many items `other` comes later.
  offset_items integer NOT NULL,
  PRIMARY KEY (track, other)
);
CREATE INDEX likeness_of_other ON likeness (other);
