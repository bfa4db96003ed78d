-- What is paid: rights and terms of tracks, and who earned what. It follows from the chain alone, yet is no part of the
-- catalogue: no state hash covers it, and it has come as far as its own checkpoint says.

CREATE TABLE payment_checkpoint (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  chain_id bigint NOT NULL,
  escrow text NOT NULL,
  registry text NOT NULL,
  -- What is paid with, and how many of its digits people write behind the point.
  token text NOT NULL,
  decimals integer NOT NULL,
  indexed bigint NOT NULL,
  finalized bigint NOT NULL
);

-- The newest final block of a range that was read, and all above it.
CREATE TABLE payment_block (
  number bigint PRIMARY KEY,
  hash text NOT NULL
);

-- Who got a track, and when; the last one has it.
CREATE TABLE track_owner (
  track text COLLATE "C" NOT NULL,
  block bigint NOT NULL,
  log_index bigint NOT NULL,
  owner text NOT NULL,
  PRIMARY KEY (track, block, log_index)
);
CREATE INDEX track_owner_block ON track_owner (block);

CREATE TABLE track_terms (
  track text COLLATE "C" NOT NULL,
  version integer NOT NULL,
  unit_price numeric(29, 0) NOT NULL,
  node_bps integer NOT NULL,
  curator_bps integer NOT NULL,
  payees text[] NOT NULL,
  payee_bps integer[] NOT NULL,
  -- Unix seconds.
  effective_at bigint NOT NULL,
  block bigint NOT NULL,
  -- In which they were replaced or cancelled before they came into force.
  dropped_block bigint,
  PRIMARY KEY (track, version)
);
CREATE INDEX track_terms_block ON track_terms (block);
CREATE INDEX track_terms_dropped ON track_terms (dropped_block) WHERE dropped_block IS NOT NULL;

-- By track and terms, since the beginning. Earned is what node and curator have left of what was paid.
CREATE TABLE track_income (
  track text COLLATE "C" NOT NULL,
  version integer NOT NULL,
  units numeric(48, 0) NOT NULL,
  paid numeric(48, 0) NOT NULL,
  earned numeric(48, 0) NOT NULL,
  distributed numeric(48, 0) NOT NULL,
  PRIMARY KEY (track, version)
);

-- By account, track and day (UTC).
CREATE TABLE income (
  account text COLLATE "C" NOT NULL,
  day date NOT NULL,
  track text COLLATE "C" NOT NULL,
  version integer NOT NULL,
  share text COLLATE "C" NOT NULL,
  owner text COLLATE "C" NOT NULL,
  units numeric(48, 0) NOT NULL,
  earned numeric(48, 0) NOT NULL,
  distributed numeric(48, 0) NOT NULL,
  PRIMARY KEY (account, day, track, version, share, owner)
);
CREATE UNIQUE INDEX income_of_owner ON income (owner, day, track, version, share, account);
-- Within a transaction there are some for a moment: where a change was taken back.
CREATE INDEX income_of_nothing ON income (account) WHERE units = 0 AND earned = 0 AND distributed = 0;

CREATE TABLE operator_income (
  operator text COLLATE "C" NOT NULL,
  day date NOT NULL,
  units numeric(48, 0) NOT NULL,
  paid numeric(48, 0) NOT NULL,
  earned numeric(48, 0) NOT NULL,
  PRIMARY KEY (operator, day)
);

-- What blocks above finality have brought, to be taken off again should they be replaced.
CREATE TABLE payment_entry (
  block bigint NOT NULL,
  log_index bigint NOT NULL,
  place integer NOT NULL,
  entry jsonb NOT NULL,
  PRIMARY KEY (block, log_index, place)
);
