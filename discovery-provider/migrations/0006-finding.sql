-- What finding needs besides words: who marked a track, ordered lists of what is liked now, and filters.

CREATE INDEX save_of_target ON save (target, since_ms DESC, author);
CREATE INDEX repost_of_target ON repost (target, since_ms DESC, author);

-- The words of each of some texts; texts without a word are left out.
CREATE FUNCTION words_of_each(text[]) RETURNS text[]
  LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
  AS $$ SELECT coalesce(array_agg(w.words) FILTER (WHERE w.words <> ''), '{}')
        FROM (SELECT public.search_words(given) AS words FROM unnest($1) AS given) AS w $$;

-- What stands behind `<name>:` in the first tag that begins so.
CREATE FUNCTION tagged(text[], text) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
  AS $$ SELECT btrim(substr(tag, length($2) + 2)) FROM unnest($1) WITH ORDINALITY AS given (tag, place)
        WHERE starts_with(lower(tag), $2 || ':') ORDER BY place LIMIT 1 $$;

-- Beats per minute as a tag says them, `bpm:124`. NULL for what is no tempo.
CREATE FUNCTION tempo_bpm(text[]) RETURNS real
  LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
  AS $$ SELECT CASE WHEN public.tagged($1, 'bpm') ~ '^[1-9][0-9]{1,2}([.][0-9]{1,2})?$'
                    THEN public.tagged($1, 'bpm')::real END $$;

-- A key in one spelling: `C` to `B` with sharps, and `m` for minor. NULL for what is no key.
CREATE FUNCTION musical_key(text) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
  AS $$
    SELECT coalesce(
        '{"CB":"B","DB":"C#","EB":"D#","FB":"E","GB":"F#","AB":"G#","BB":"A#","E#":"F","B#":"C"}'::jsonb ->> upper(part[1]),
        upper(part[1])
      ) || CASE WHEN part[2] IN ('m', 'min', 'minor') THEN 'm' ELSE '' END
    FROM regexp_match(
      replace(replace(btrim($1), '♯', '#'), '♭', 'b'), '^([A-Ga-g][#b]?) ?(m|min|minor|maj|major|)$'
    ) AS part
  $$;

ALTER TABLE track
  ADD COLUMN tag_words text[] GENERATED ALWAYS AS (words_of_each(tags)) STORED,
  ADD COLUMN mood_words text GENERATED ALWAYS AS (search_words(mood)) STORED,
  ADD COLUMN bpm real GENERATED ALWAYS AS (tempo_bpm(tags)) STORED,
  ADD COLUMN key text GENERATED ALWAYS AS (musical_key(tagged(tags, 'key'))) STORED;
CREATE INDEX track_tags ON track USING gin (tag_words) WHERE NOT unlisted;

-- How tracks stand in each list of what is liked, by each way to reckon it; what scores nothing is not there. Made of
-- saves, reposts and plays, bit by bit: no part of the state.
CREATE TABLE ranking (
  strategy text COLLATE "C" NOT NULL,
  list text COLLATE "C" NOT NULL,
  track text COLLATE "C" NOT NULL,
  genre_words text,
  score double precision NOT NULL,
  PRIMARY KEY (track, strategy, list)
);
CREATE INDEX ranking_best ON ranking (strategy, list, score DESC, track DESC);
CREATE INDEX ranking_best_of_genre ON ranking (strategy, list, genre_words, score DESC, track DESC);

-- When the scores of a track were last reckoned: they fall by the passing of time, too.
CREATE TABLE ranked (
  track text COLLATE "C" PRIMARY KEY,
  at_ms bigint NOT NULL
);
CREATE INDEX ranked_longest_ago ON ranked (at_ms);

-- Tracks whose scores may be otherwise. Only ever appended to by those who change something, who wait for nobody here.
CREATE TABLE ranking_change (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  track text COLLATE "C" NOT NULL
);
INSERT INTO ranking_change (track) SELECT target FROM save UNION SELECT target FROM repost UNION SELECT track FROM play;

-- Every word that can be found, for what is mistyped: words are far fewer than texts, so that the likest of them are
-- found sooner than the likest texts. Words stay when the last text with them goes.
CREATE TABLE search_word (word text COLLATE "C" PRIMARY KEY);
CREATE INDEX search_word_alike ON search_word USING gin (word gin_trgm_ops);

-- What of a text can be mistyped: no numbers, and nothing so short that it is like everything.
CREATE FUNCTION lexicon(tsvector) RETURNS SETOF text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
  AS $$ SELECT word FROM unnest(tsvector_to_array($1)) AS word
        WHERE length(word) BETWEEN 3 AND 40 AND word !~ '^[0-9]+$' $$;

INSERT INTO search_word SELECT lexicon(search) FROM track
  UNION SELECT lexicon(search) FROM profile UNION SELECT lexicon(search) FROM playlist;

-- playlist_of_author serves what it served.
DROP INDEX playlist_newest_of_author;
DROP INDEX track_similar;
DROP INDEX profile_similar;
DROP INDEX playlist_similar;
DROP INDEX shelf_artist_similar;
DROP INDEX shelf_album_similar;
-- Names alone, so that whether one is just what was typed costs a comparison.
ALTER TABLE track DROP COLUMN words, ADD COLUMN title_words text GENERATED ALWAYS AS (search_words(title)) STORED;
ALTER TABLE profile DROP COLUMN words, ADD COLUMN name_words text GENERATED ALWAYS AS (search_words(name)) STORED;
ALTER TABLE playlist DROP COLUMN words, ADD COLUMN title_words text GENERATED ALWAYS AS (search_words(title)) STORED;

-- Every tag that a track has had, as search compares them.
CREATE TABLE search_tag (words text COLLATE "C" PRIMARY KEY);
INSERT INTO search_tag SELECT DISTINCT unnest(tag_words) FROM track;
