-- In whose hands an account was when a password was made: a rotation of its keys ends the passwords of before. Those that
-- there are were made by the first keys of their accounts, which had never been rotated, as far as anybody had looked.
ALTER TABLE app_password
  ADD COLUMN controller text,
  ADD COLUMN since_ms bigint NOT NULL DEFAULT 0;
UPDATE app_password SET controller = account;
ALTER TABLE app_password ALTER COLUMN controller SET NOT NULL;
