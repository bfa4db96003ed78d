-- Raw logs are the largest table by far, and nobody looks for any of this in them: as bytes they take two thirds of the
-- room, and less to take in. Topics stand one behind the other, 32 bytes each.
ALTER TABLE log
  ALTER COLUMN address TYPE bytea USING decode(substr(address, 3), 'hex'),
  ALTER COLUMN topics TYPE bytea USING decode(replace(array_to_string(topics, ''), '0x', ''), 'hex'),
  ALTER COLUMN transaction_hash TYPE bytea USING decode(substr(transaction_hash, 3), 'hex');
