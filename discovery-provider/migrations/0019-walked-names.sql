-- Thousands may be called the same, and a search wants a few of them. Where the server takes each name for the only one, it
-- walks the index of names until it has those few, and does not collect all first.
ALTER TABLE track ALTER COLUMN title_words SET (n_distinct = -1);
ALTER TABLE profile ALTER COLUMN name_words SET (n_distinct = -1);
ALTER TABLE playlist ALTER COLUMN title_words SET (n_distinct = -1);
ANALYZE track (title_words);
ANALYZE profile (name_words);
ANALYZE playlist (title_words);
