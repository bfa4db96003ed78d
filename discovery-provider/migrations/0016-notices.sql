-- Claims that a track should not be held or served, by whoever made them: each a pure function of one value in `state`.
CREATE TABLE notice (
  id text COLLATE "C" PRIMARY KEY,
  author text NOT NULL,
  -- Whether or not there is one.
  track text COLLATE "C" NOT NULL,
  ground text NOT NULL,
  statement text NOT NULL,
  contact text,
  created_at_ms bigint NOT NULL,
  updated_at_ms bigint NOT NULL,
  block bigint NOT NULL,
  log_index bigint NOT NULL,
  digest text NOT NULL
);
CREATE INDEX notice_newest ON notice (created_at_ms DESC, id DESC);
CREATE INDEX notice_newest_of_author ON notice (author, created_at_ms DESC, id DESC);
CREATE INDEX notice_newest_of_track ON notice (track, created_at_ms DESC, id DESC);

-- Whose notices are honoured here, as the operator has chosen: no part of the state. Tracks with a notice by one of these
-- have no row in `track`, which all that is read is made of, and the writer changes both in one transaction: who only
-- reads, in whatever process, needs to know nothing of it, and it costs no query anything.
CREATE TABLE honoured (account text PRIMARY KEY);
