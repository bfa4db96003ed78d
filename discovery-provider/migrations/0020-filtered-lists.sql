-- The newest of a mood or a key, and what has a tempo: lists of tracks without words are narrowed to them. Most tracks tell
-- none of it, and stand in none of these.
CREATE INDEX track_newest_of_mood ON track (mood_words, listed_at_ms DESC, id DESC) WHERE NOT unlisted AND mood_words IS NOT NULL;
CREATE INDEX track_newest_of_key ON track (key, listed_at_ms DESC, id DESC) WHERE NOT unlisted AND key IS NOT NULL;
CREATE INDEX track_of_tempo ON track (bpm) WHERE NOT unlisted AND bpm IS NOT NULL;
