-- What answers about tracks tell besides the catalogue: prices, and what manifests say. Those who keep such answers read
-- them anew when it has another version, which whoever changes it sets in the same transaction. No row: it never changed.
CREATE TABLE beside_version (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  version bigint NOT NULL
);
