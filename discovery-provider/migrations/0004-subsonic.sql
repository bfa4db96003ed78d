-- What players that speak OpenSubsonic need: passwords that they can be given, plays, and the catalogue as artists,
-- albums and songs.

-- Passwords of one device each. They are encrypted rather than hashed: such a player proves that it knows
-- md5(password || salt), which takes the password itself to check.
CREATE TABLE app_password (
  id text COLLATE "C" PRIMARY KEY,
  account text NOT NULL,
  device text NOT NULL,
  -- HMAC of the password, by which one that comes alone is found.
  fingerprint bytea NOT NULL UNIQUE,
  -- AES-256-GCM: nonce, ciphertext, tag.
  sealed bytea NOT NULL,
  created_at_ms bigint NOT NULL,
  -- No finer than a day: when somebody listens is nobody's business.
  last_used_on date
);
CREATE INDEX app_password_of_account ON app_password (account, created_at_ms);

-- Nonces of signed messages that have made a password, for as long as they could make another.
CREATE TABLE app_password_nonce (
  nonce text COLLATE "C" PRIMARY KEY,
  expires_at_ms bigint NOT NULL
);
CREATE INDEX app_password_nonce_expires ON app_password_nonce (expires_at_ms);

-- Plays that players have told of, by track and day and by nothing else. A statistic of this provider alone: it is no
-- part of the state, and a rebuild of the index leaves it alone.
CREATE TABLE play (
  track text COLLATE "C" NOT NULL,
  day date NOT NULL,
  count bigint NOT NULL,
  PRIMARY KEY (track, day)
);

-- Subjects that have changed since the shelf was last put in order. Only ever appended to by the index, which waits
-- for nobody here.
CREATE TABLE catalogue_change (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  author text NOT NULL,
  subject text COLLATE "C" NOT NULL
);
CREATE INDEX catalogue_change_of_author ON catalogue_change (author);
INSERT INTO catalogue_change (author, subject) SELECT author, id FROM track;
INSERT INTO catalogue_change (author, subject) SELECT author, id FROM playlist WHERE album;

CREATE INDEX playlist_of_author ON playlist (author, created_at_ms DESC, id DESC);
CREATE INDEX playlist_newest ON playlist (created_at_ms DESC, id DESC) WHERE NOT unlisted AND NOT album;
CREATE INDEX playlist_album_tracks ON playlist USING gin (tracks) WHERE album;

-- The shelf: authors with listed tracks, their albums, and where on it each listed track stands. It follows from
-- track, playlist, profile and play, author by author.

CREATE TABLE shelf_artist (
  id text COLLATE "C" PRIMARY KEY,
  -- Of the profile, else of the newest track.
  name text NOT NULL,
  album_count integer NOT NULL,
  picture text,
  -- When the newest track was listed.
  created_at_ms bigint NOT NULL,
  words text COLLATE "C" GENERATED ALWAYS AS (search_words(name)) STORED,
  search tsvector GENERATED ALWAYS AS (weighted(name, 'A')) STORED
);
CREATE INDEX shelf_artist_by_name ON shelf_artist (words, id);
CREATE INDEX shelf_artist_search ON shelf_artist USING gin (search);
CREATE INDEX shelf_artist_similar ON shelf_artist USING gin (words gin_trgm_ops);

CREATE TABLE shelf_album (
  -- al-<subject>, or al-<author> for tracks that are in no album of their author.
  id text COLLATE "C" PRIMARY KEY,
  author text NOT NULL,
  artist text NOT NULL,
  title text NOT NULL,
  song_count integer NOT NULL,
  duration_ms bigint NOT NULL,
  -- The most frequent one.
  genre text,
  -- When the newest track was listed.
  created_at_ms bigint NOT NULL,
  plays bigint NOT NULL,
  played_on date,
  -- A place in random order.
  dice double precision NOT NULL DEFAULT random(),
  genre_words text GENERATED ALWAYS AS (search_words(genre)) STORED,
  artist_words text COLLATE "C" GENERATED ALWAYS AS (search_words(artist)) STORED,
  words text COLLATE "C" GENERATED ALWAYS AS (search_words(title)) STORED,
  search tsvector GENERATED ALWAYS AS (weighted(title, 'A') || weighted(artist, 'B')) STORED
);
CREATE INDEX shelf_album_of_author ON shelf_album (author, created_at_ms DESC, id DESC);
CREATE INDEX shelf_album_newest ON shelf_album (created_at_ms DESC, id DESC);
CREATE INDEX shelf_album_by_name ON shelf_album (words, id);
CREATE INDEX shelf_album_by_artist ON shelf_album (artist_words, words, id);
CREATE INDEX shelf_album_of_genre ON shelf_album (genre_words, created_at_ms DESC, id DESC);
CREATE INDEX shelf_album_frequent ON shelf_album (plays DESC, id DESC) WHERE plays > 0;
CREATE INDEX shelf_album_recent ON shelf_album (played_on DESC, plays DESC, id DESC) WHERE plays > 0;
CREATE INDEX shelf_album_dice ON shelf_album (dice);
CREATE INDEX shelf_album_search ON shelf_album USING gin (search);
CREATE INDEX shelf_album_similar ON shelf_album USING gin (words gin_trgm_ops);

CREATE TABLE shelf_song (
  id text COLLATE "C" PRIMARY KEY,
  author text NOT NULL,
  -- The oldest listed album of its author that has it, else that of tracks in no album.
  album text COLLATE "C" NOT NULL,
  -- In that album, from 1; NULL for tracks in no album.
  place integer,
  -- When it was listed.
  created_at_ms bigint NOT NULL,
  genre_words text,
  dice double precision NOT NULL DEFAULT random()
);
CREATE INDEX shelf_song_of_author ON shelf_song (author);
CREATE INDEX shelf_song_of_album ON shelf_song (album, created_at_ms DESC, id DESC);
CREATE INDEX shelf_song_dice ON shelf_song (dice);
CREATE INDEX shelf_song_dice_of_genre ON shelf_song (genre_words, dice);

-- Tracks that do not stand on the shelf yet, and when they will: their authors have to be put in order again then.
CREATE TABLE shelf_due (
  track text COLLATE "C" PRIMARY KEY,
  author text NOT NULL,
  at_ms bigint NOT NULL
);
CREATE INDEX shelf_due_at ON shelf_due (at_ms);
CREATE INDEX shelf_due_of_author ON shelf_due (author);
