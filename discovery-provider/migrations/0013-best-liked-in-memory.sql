-- What is liked best is held in memory by those who answer searches: they read it anew when it has another version.
CREATE TABLE search_liked_version (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  version bigint NOT NULL
);
INSERT INTO search_liked_version (version) VALUES (1);

-- Nobody looks for words here any more.
DROP INDEX search_liked_track;
DROP INDEX search_liked_profile;
DROP INDEX search_liked_playlist;
