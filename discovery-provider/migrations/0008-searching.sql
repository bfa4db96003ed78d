-- What keeps a search short in a large catalogue, whatever is typed.

-- Whole names, so that what is called just what was typed is found however many share its words. Hashes, since a
-- normalised name may be longer than a B-tree takes.
CREATE INDEX track_titled ON track USING hash (title_words) WHERE NOT unlisted;
CREATE INDEX profile_named ON profile USING hash (name_words);
CREATE INDEX profile_of_handle ON profile USING hash (handle);
CREATE INDEX playlist_titled ON playlist USING hash (title_words) WHERE NOT unlisted;

-- The best liked of each kind, the first place first: words that many share are looked for here, and in the whole
-- catalogue only where that finds few. Made anew every some minutes; no part of the state.
CREATE TABLE search_liked (
  kind text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  place integer NOT NULL,
  search tsvector NOT NULL,
  PRIMARY KEY (kind, id)
) WITH (fillfactor = 70);
CREATE INDEX search_liked_track ON search_liked USING gin (search) WHERE kind = 'track';
CREATE INDEX search_liked_profile ON search_liked USING gin (search) WHERE kind = 'profile';
CREATE INDEX search_liked_playlist ON search_liked USING gin (search) WHERE kind = 'playlist';

-- Words are looked up here by their beginnings, too, so that long ones have to stand here as well.
CREATE OR REPLACE FUNCTION lexicon(tsvector) RETURNS SETOF text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
  AS $$ SELECT word FROM unnest(tsvector_to_array($1)) AS word
        WHERE length(word) >= 3 AND word !~ '^[0-9]+$' $$;
INSERT INTO search_word SELECT word FROM (
    SELECT lexicon(search) FROM track
    UNION ALL SELECT lexicon(search) FROM profile UNION ALL SELECT lexicon(search) FROM playlist
  ) AS every (word) WHERE length(word) > 40
  ON CONFLICT DO NOTHING;

-- What is typed is put into a query by who knows the words.
DROP FUNCTION typed_query(text);
