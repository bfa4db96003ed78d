-- What version 2 of the rules brought: who follows, saves and reposts what, comments, apps and delegated keys.

-- Since which block which version of the rules is in force, as the network's file had it when the state was made.
ALTER TABLE checkpoint ADD COLUMN rules_versions jsonb NOT NULL DEFAULT '[]';

ALTER TABLE track
  ADD COLUMN release_at_ms bigint,
  -- What it is made of, and the words by which each is credited, in the same order.
  ADD COLUMN remix_of text[] NOT NULL DEFAULT '{}',
  ADD COLUMN remix_credits text[] NOT NULL DEFAULT '{}',
  ADD COLUMN stem_of text,
  ADD COLUMN stem_part text,
  ADD COLUMN credits jsonb NOT NULL DEFAULT '[]';
-- When it comes into lists.
ALTER TABLE track
  ADD COLUMN listed_at_ms bigint GENERATED ALWAYS AS (greatest(created_at_ms, release_at_ms)) STORED;
DROP INDEX track_newest;
DROP INDEX track_newest_of_author;
DROP INDEX track_newest_of_genre;
CREATE INDEX track_newest ON track (listed_at_ms DESC, id DESC) WHERE NOT unlisted;
CREATE INDEX track_newest_of_author ON track (author, listed_at_ms DESC, id DESC) WHERE NOT unlisted;
CREATE INDEX track_newest_of_genre ON track (genre_words, listed_at_ms DESC, id DESC) WHERE NOT unlisted;
CREATE INDEX track_remixes ON track USING gin (remix_of) WHERE remix_of <> '{}';
CREATE INDEX track_stems ON track (stem_of, created_at_ms, id) WHERE stem_of IS NOT NULL;

-- The time up to which scheduled tracks are out: the reader's clock, or the chain's where that is ahead (ms).
CREATE FUNCTION released_until(now_ms bigint) RETURNS bigint
  LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT greatest(now_ms, (SELECT unix_seconds * 1000 FROM public.block ORDER BY number DESC LIMIT 1)) $$;

ALTER TABLE profile ADD COLUMN sealing_key text;

ALTER TABLE playlist
  ADD COLUMN cover text,
  -- All that a private playlist says.
  ADD COLUMN sealed jsonb;
CREATE INDEX playlist_newest_of_author ON playlist (author, created_at_ms DESC, id DESC) WHERE NOT unlisted;

-- Edges: there while they are on. The id is that of the state, `author/target`.
CREATE TABLE follow (
  id text COLLATE "C" PRIMARY KEY,
  author text NOT NULL,
  target text NOT NULL,
  since_ms bigint NOT NULL,
  block bigint NOT NULL,
  log_index bigint NOT NULL,
  digest text NOT NULL
);
CREATE INDEX follow_of_author ON follow (author, since_ms DESC, id DESC);
CREATE INDEX follow_of_target ON follow (target, since_ms DESC, id DESC);

CREATE TABLE save (LIKE follow, PRIMARY KEY (id));
CREATE INDEX save_of_author ON save (author, since_ms DESC, id DESC);

CREATE TABLE repost (LIKE follow, PRIMARY KEY (id));
CREATE INDEX repost_of_author ON repost (author, since_ms DESC, id DESC);

CREATE TABLE mute (LIKE follow, PRIMARY KEY (id));

-- Deleted comments stay, without their text: others may have answered them.
CREATE TABLE comment (
  id text COLLATE "C" PRIMARY KEY,
  author text NOT NULL,
  track text NOT NULL,
  -- The comment that begins the thread, and the one that is answered.
  root text COLLATE "C",
  reply_to text,
  text text,
  position_ms bigint,
  deleted boolean NOT NULL,
  created_at_ms bigint NOT NULL,
  updated_at_ms bigint NOT NULL,
  block bigint NOT NULL,
  log_index bigint NOT NULL,
  digest text NOT NULL
);
CREATE INDEX comment_threads_of_track ON comment (track, created_at_ms DESC, id DESC) WHERE root IS NULL;
CREATE INDEX comment_of_thread ON comment (root, created_at_ms, id) WHERE root IS NOT NULL;

CREATE TABLE reaction (
  id text COLLATE "C" PRIMARY KEY,
  author text NOT NULL,
  comment text NOT NULL,
  reaction text NOT NULL,
  block bigint NOT NULL,
  log_index bigint NOT NULL,
  digest text NOT NULL
);

-- By track.
CREATE TABLE pin (
  id text COLLATE "C" PRIMARY KEY,
  comment text NOT NULL,
  block bigint NOT NULL,
  log_index bigint NOT NULL,
  digest text NOT NULL
);

CREATE TABLE app (
  id text COLLATE "C" PRIMARY KEY,
  author text NOT NULL,
  name text NOT NULL,
  description text,
  url text,
  picture text,
  created_at_ms bigint NOT NULL,
  updated_at_ms bigint NOT NULL,
  block bigint NOT NULL,
  log_index bigint NOT NULL,
  digest text NOT NULL
);
CREATE INDEX app_of_author ON app (author, created_at_ms DESC, id DESC);

-- Not revoked; whether one is in force depends on the time and on rotations.
CREATE TABLE delegation (
  id text COLLATE "C" PRIMARY KEY,
  author text NOT NULL,
  key text NOT NULL,
  scopes text[] NOT NULL,
  expires_at_ms bigint NOT NULL,
  app text,
  controller text NOT NULL,
  set_at_ms bigint NOT NULL,
  block bigint NOT NULL,
  log_index bigint NOT NULL,
  digest text NOT NULL
);
CREATE INDEX delegation_of_author ON delegation (author, set_at_ms DESC, id DESC);

-- How many of what there are of a subject or user: followers, following, saves, reposts, comments, replies,
-- reaction/<name>. Counted with the rows, in the same transaction; none is not there.
CREATE TABLE tally (
  subject text COLLATE "C" NOT NULL,
  what text COLLATE "C" NOT NULL,
  total bigint NOT NULL,
  PRIMARY KEY (subject, what)
);
