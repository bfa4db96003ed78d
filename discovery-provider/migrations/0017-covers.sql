-- Covers that manifests name, so that players are told which songs have one: [{"cid", "type", "width"}], narrowest first.
-- NULL where a manifest was read before there was this column: it is read again.

ALTER TABLE manifest_seen ADD COLUMN covers jsonb;

INSERT INTO manifest_due (track) SELECT id FROM track ON CONFLICT (track) DO NOTHING;
