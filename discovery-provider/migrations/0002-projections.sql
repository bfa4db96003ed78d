-- What is read: one row per living entity, each a pure function of one value in `state`.

CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS unaccent;

-- Functions name each other with their schema: a restored dump fills generated columns with an empty search_path.

-- `unaccent` itself is only STABLE, since its dictionary could be exchanged; generated columns ask for IMMUTABLE.
CREATE FUNCTION f_unaccent(text) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
  AS $$ SELECT public.unaccent('public.unaccent', $1) $$;

-- The words of a text as search compares them: no accents, no case, one space between words and nothing else.
CREATE FUNCTION search_words(text) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
  AS $$ SELECT btrim(regexp_replace(public.f_unaccent(lower(normalize($1, NFKC))), '[^[:alnum:]]+', ' ', 'g')) $$;

-- `array_to_string` is only STABLE, since it takes elements of any type.
CREATE FUNCTION joined(text[]) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
  AS $$ SELECT array_to_string($1, ' ') $$;

CREATE FUNCTION weighted(text, "char") RETURNS tsvector
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  AS $$ SELECT setweight(to_tsvector('simple', public.search_words(coalesce($1, ''))), $2) $$;

-- What someone is typing: all words, the last of which may be unfinished. NULL when there is no word in it.
CREATE FUNCTION typed_query(text) RETURNS tsquery
  LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
  AS $$ SELECT to_tsquery('simple', replace(nullif(public.search_words($1), ''), ' ', ' & ') || ':*') $$;

CREATE TABLE track (
  id text COLLATE "C" PRIMARY KEY,
  author text NOT NULL,
  title text NOT NULL,
  artist text NOT NULL,
  album text,
  genre text,
  mood text,
  tags text[] NOT NULL,
  description text,
  isrc text,
  licence text NOT NULL,
  unlisted boolean NOT NULL,
  duration_ms bigint NOT NULL,
  manifest text NOT NULL,
  storage_root text NOT NULL,
  leaf_count bigint NOT NULL,
  byte_length bigint NOT NULL,
  -- Whose receipts the track came with.
  operators text[] NOT NULL,
  created_at_ms bigint NOT NULL,
  updated_at_ms bigint NOT NULL,
  block bigint NOT NULL,
  log_index bigint NOT NULL,
  digest text NOT NULL,
  genre_words text GENERATED ALWAYS AS (search_words(genre)) STORED,
  words text GENERATED ALWAYS AS (search_words(title || ' ' || artist)) STORED,
  search tsvector GENERATED ALWAYS AS (
    weighted(title, 'A') || weighted(artist, 'B')
    || weighted(coalesce(album, '') || ' ' || coalesce(genre, '') || ' ' || joined(tags), 'C')
  ) STORED
);
CREATE INDEX track_newest ON track (created_at_ms DESC, id DESC) WHERE NOT unlisted;
CREATE INDEX track_newest_of_author ON track (author, created_at_ms DESC, id DESC) WHERE NOT unlisted;
CREATE INDEX track_newest_of_genre ON track (genre_words, created_at_ms DESC, id DESC) WHERE NOT unlisted;
CREATE INDEX track_search ON track USING gin (search) WHERE NOT unlisted;
CREATE INDEX track_similar ON track USING gin (words gin_trgm_ops) WHERE NOT unlisted;

CREATE TABLE profile (
  id text COLLATE "C" PRIMARY KEY,
  handle text,
  name text,
  bio text,
  links text[] NOT NULL,
  picture text,
  created_at_ms bigint NOT NULL,
  updated_at_ms bigint NOT NULL,
  block bigint NOT NULL,
  log_index bigint NOT NULL,
  digest text NOT NULL,
  words text GENERATED ALWAYS AS (search_words(coalesce(handle, '') || ' ' || coalesce(name, ''))) STORED,
  search tsvector GENERATED ALWAYS AS (
    weighted(handle, 'A') || weighted(name, 'A') || weighted(bio, 'D')
  ) STORED
);
CREATE INDEX profile_search ON profile USING gin (search);
CREATE INDEX profile_similar ON profile USING gin (words gin_trgm_ops);

CREATE TABLE playlist (
  id text COLLATE "C" PRIMARY KEY,
  author text NOT NULL,
  title text NOT NULL,
  description text,
  album boolean NOT NULL,
  unlisted boolean NOT NULL,
  tracks text[] NOT NULL,
  created_at_ms bigint NOT NULL,
  updated_at_ms bigint NOT NULL,
  block bigint NOT NULL,
  log_index bigint NOT NULL,
  digest text NOT NULL,
  words text GENERATED ALWAYS AS (search_words(title)) STORED,
  search tsvector GENERATED ALWAYS AS (weighted(title, 'A') || weighted(description, 'D')) STORED
);
CREATE INDEX playlist_search ON playlist USING gin (search) WHERE NOT unlisted;
CREATE INDEX playlist_similar ON playlist USING gin (words gin_trgm_ops) WHERE NOT unlisted;

-- The operators after the last indexed block.
CREATE TABLE operator (
  id text COLLATE "C" PRIMARY KEY,
  controller text NOT NULL,
  endpoint text NOT NULL,
  -- The endpoint where it is a web address, which a registry of anyone's texts does not promise.
  gateway text,
  hot_key text NOT NULL,
  capacity_bytes numeric(20, 0) NOT NULL,
  stake_wei numeric(78, 0) NOT NULL,
  active boolean NOT NULL
);
