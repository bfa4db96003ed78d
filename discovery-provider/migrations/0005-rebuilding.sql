-- By which version of its projection each table that is read was made: another one, and it is made anew at the start.
CREATE TABLE table_version (
  name text COLLATE "C" PRIMARY KEY,
  version integer NOT NULL
);
INSERT INTO table_version (name, version)
SELECT name, 1 FROM unnest(ARRAY[
  'track', 'profile', 'playlist', 'comment', 'app', 'follow', 'save', 'repost', 'mute', 'reaction', 'pin',
  'delegation', 'tally', 'operator'
]) AS name;

-- A rebuild under way, or one that was interrupted and begins again at the next start. Its tables stand in the schema
-- `building` until they take the place of those that are read.
CREATE TABLE rebuild (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  -- Of the process that builds: whoever finds another one here has been replaced.
  id uuid NOT NULL,
  tables text[] NOT NULL,
  -- What is being made, from how many rows so far, and from about how many altogether.
  step text NOT NULL,
  done bigint NOT NULL,
  total bigint,
  started_at_ms bigint NOT NULL
);
