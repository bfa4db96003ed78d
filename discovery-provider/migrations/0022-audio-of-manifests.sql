-- What manifests and their renditions say of the audio: each rendition's name, bit rate and size, and how loud the track
-- is. NULL where it has not been read; where a manifest was read before there was this column it is read again.

ALTER TABLE manifest_seen ADD COLUMN audio jsonb;

INSERT INTO manifest_due (track) SELECT id FROM track ON CONFLICT (track) DO NOTHING;
