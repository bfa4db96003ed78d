-- What is liked best is held in memory by those who answer searches: they read it anew when it has another version. No
-- row: it was never made.
CREATE TABLE search_liked_version (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  version bigint NOT NULL
);

-- Nobody looks for words here any more.
DROP INDEX search_liked_track;
DROP INDEX search_liked_profile;
DROP INDEX search_liked_playlist;
