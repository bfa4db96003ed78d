-- What the chain said, what follows from it by the rules, and what an undo needs. Everything else in this
-- database can be made again from these tables.

-- How far the index has come, and of which network it is.
CREATE TABLE checkpoint (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  chain_id bigint NOT NULL,
  catalog text NOT NULL,
  first_block bigint NOT NULL,
  rules_version integer NOT NULL,
  -- The last block that is indexed; first_block - 1 before the first range.
  indexed bigint NOT NULL,
  -- No reorganisation reaches this block or one before it.
  finalized bigint NOT NULL,
  state_hash text NOT NULL,
  -- The block of that state hash: the last one with logs.
  state_hash_block bigint NOT NULL
);

-- Every block with logs, every block above finality, and the newest final one.
CREATE TABLE block (
  number bigint PRIMARY KEY,
  hash text NOT NULL,
  unix_seconds bigint NOT NULL,
  logs integer NOT NULL,
  -- After this block.
  state_hash text NOT NULL
);
CREATE INDEX block_without_logs ON block (number) WHERE logs = 0;

-- Raw logs of the network's contracts: other rules are applied to them without asking the chain again.
-- Some chains count log indexes up to 2^32.
CREATE TABLE log (
  block bigint NOT NULL,
  log_index bigint NOT NULL,
  address text NOT NULL,
  topics text[] NOT NULL,
  data bytea NOT NULL,
  transaction_hash text NOT NULL,
  PRIMARY KEY (block, log_index)
);

-- Every action on the chain with its verdict, for ever.
CREATE TABLE action (
  block bigint NOT NULL,
  log_index bigint NOT NULL,
  hash text NOT NULL,
  signer text NOT NULL,
  author text NOT NULL,
  nonce numeric(78, 0) NOT NULL,
  kind integer NOT NULL,
  subject text NOT NULL,
  verdict text NOT NULL,
  -- Why it was rejected.
  reason text,
  PRIMARY KEY (block, log_index)
);
CREATE UNIQUE INDEX action_hash ON action (hash);

-- `json`, not `jsonb`: an endpoint may hold whatever its operator wrote, even NUL, which jsonb refuses.
CREATE TABLE operator_event (
  block bigint NOT NULL,
  log_index bigint NOT NULL,
  event json NOT NULL,
  PRIMARY KEY (block, log_index)
);

-- The catalogue by the rules: identities, handles, subjects. Keys compare by code point on every system.
CREATE TABLE state (
  key text COLLATE "C" PRIMARY KEY,
  value jsonb NOT NULL
);

-- What a block above finality overwrote; NULL where there was nothing.
CREATE TABLE undo (
  block bigint NOT NULL,
  key text COLLATE "C" NOT NULL,
  before jsonb,
  PRIMARY KEY (block, key)
);
